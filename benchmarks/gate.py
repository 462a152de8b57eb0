"""What a request pays for knowing who sends it: processor time of `Gate.admit`, by credential."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from data.home import Home
from data.record import Record
from serving.access import ACCESS, Access
from serving.gate import Gate
from serving.hot import NoHot
from serving.identity import Scope
from serving.settings import LimitSettings, Settings
from serving.token_secrets import rotate
from serving.tokens import mint

# Without limits of anybody's, so that none is met; that of addresses is set where it is measured.
FREE = {"user_requests": 0, "user_events": 0, "address_requests": 0, "key_requests": 0}
LIMITED = 10_000_000
LIFE = timedelta(hours=1)


def cost_us(gate: Gate, credential: str, calls: int, rounds: int) -> float:
    """Microseconds of one call, of the round that took least."""
    access = ACCESS["POST", "/v1/lists"]
    headers = [(b"authorization", f"Bearer {credential}".encode())]
    asked: dict[str, Any] = {"type": "http", "headers": headers, "client": ("192.0.2.7", 1)}
    spent = [asyncio.run(_round(gate, asked, access, calls)) for _ in range(rounds)]
    return min(spent) / calls * 1e6


async def _round(gate: Gate, asked: dict[str, Any], access: Access, calls: int) -> float:
    before = time.thread_time()
    for _ in range(calls):
        await gate.admit(asked, access)
    return time.thread_time() - before


def main(
    calls: Annotated[int, typer.Option(min=1, help="Calls of one round.")] = 2_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; the least counts.")] = 20,
) -> None:
    """Measure, and tell as a table."""
    table = Table("credential", "µs of processor time", title="Gate.admit")
    with TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        record, now = Record.of(home), datetime.now(UTC)
        key = record.server_keys.new("backend", [Scope.LISTS], at=now, who="bench")
        made = rotate(home.keys, at=now, grace=LIFE)
        token = mint(made.secret, made.kid, "user-5001", audience="dapei", at=now, life=LIFE)
        for name, credential, limits in (
            ("key", key, {}),
            ("key, counted", key, {"key_requests": LIMITED}),
            ("token", token, {}),
            ("token, counted by user", token, {"user_requests": LIMITED}),
            (
                "token, counted by user and address",
                token,
                {"user_requests": LIMITED, "address_requests": LIMITED},
            ),
        ):
            settings = Settings(limits=LimitSettings.model_validate(FREE | limits))
            gate = Gate.of(record, home.keys, settings, NoHot(), now=lambda: datetime.now(UTC))
            table.add_row(name, f"{cost_us(gate, credential, calls, rounds):.1f}")
        record.close()
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
