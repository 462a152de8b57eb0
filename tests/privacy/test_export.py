"""A copy of everything costs a program of its own: it must not be a way to stop the service."""

import asyncio
import os
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

import orjson
import pytest

from data.home import Home
from data.record import Record
from recsys.events import EventType
from serving import keeper as keeping
from serving import lines
from serving.errors import TooMany
from serving.settings import LimitSettings
from tests.planted import NOW, event
from tests.privacy.test_hand import ME
from tests.security.conftest import bearer, keyed_in
from tests.serving.running import running, until

OTHERS = "user-5002"
# A program that says a line and then nothing, for ever, as a stuck export would.
STUCK = "import sys, time; print(sys.stdin.readline().strip(), flush=True); time.sleep(600)"
# One that says more than anybody's buffers hold.
ENDLESS = "import sys; sys.stdin.readline()\nwhile True: sys.stdout.write('x' * 1_000_000)"


def instead(monkeypatch, program: str) -> None:
    command = [sys.executable, "-c", program]
    monkeypatch.setattr(keeping, "_command", lambda *_: command)


def export(keyed, user_id=ME):
    return keyed.client.get("/v1/me/export", headers=keyed.as_user(user_id))


def test_one_person_gets_so_many_copies_a_minute_and_others_theirs(keyed, monkeypatch):
    instead(monkeypatch, "print('{}')")
    most = LimitSettings().user_exports
    statuses = [export(keyed).status_code for _ in range(most + 2)]
    assert statuses == [200] * most + [429] * 2
    assert export(keyed, OTHERS).status_code == 200
    # Who was refused left no deed: nothing was taken.
    name = keyed.service.record.choices.privacy.name_of(ME)
    rows = keyed.service.record.audit.after(0, limit=99)
    assert sum(row.deed.about == name for row in rows) == most


def test_without_the_limit_one_person_would_start_as_many_as_they_like(tmp_path, monkeypatch):
    instead(monkeypatch, "print('{}')")
    free = LimitSettings(user_exports=0)
    for keyed in keyed_in(tmp_path, limits=free):
        assert {export(keyed).status_code for _ in range(free.user_exports + 8)} == {200}


def programs(mark: str) -> list[int]:
    """Processes of this machine in whose command a text stands."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


@pytest.fixture
def keeper(keyed):
    return keyed.service.keeper()


async def gone(mark: str) -> None:
    async with asyncio.timeout(30):
        while programs(mark):
            await asyncio.sleep(0.05)


def test_the_line_has_an_end(keeper, monkeypatch):
    """Eight wait; the ninth is told to come again, and a place is free when one of them goes."""
    instead(monkeypatch, STUCK + "  # in line")

    async def scenario():
        first = keeper.export(ME)
        assert (await anext(first)).startswith(ME.encode())
        waiting = [
            asyncio.ensure_future(anext(keeper.export(f"user-{n}")))
            for n in range(keeping.MOST_COPIES - 1)
        ]
        await asyncio.sleep(0.2)
        assert len(programs("# in line")) == 1, "one copy is made at a time"
        with pytest.raises(TooMany, match="allowed: 8 at a time"):
            keeper.export(OTHERS)
        waiting[0].cancel()
        await asyncio.gather(waiting[0], return_exceptions=True)
        keeper.export(OTHERS)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await first.aclose()
        await gone("# in line")

    asyncio.run(scenario())


async def answered(body, most_s: float, taken) -> list[dict]:
    """What an answer sends to somebody who takes it so; nobody hangs up."""
    sent = []

    async def receive():
        await asyncio.sleep(3_600)

    async def send(message):
        sent.append(message)
        await taken(message)

    await lines.Lines(body, most_s=most_s)({"type": "http"}, receive, send)
    return sent


def test_who_does_not_read_is_cut_and_the_next_one_gets_theirs(keeper, monkeypatch):
    instead(monkeypatch, ENDLESS + "  # not read")

    async def never(message):
        if message["type"] == "http.response.body":
            await asyncio.sleep(3_600)

    async def scenario():
        sent = await answered(keeper.export(ME), 1.0, never)
        assert all(one.get("more_body", True) for one in sent), "it must not look whole"
        await gone("# not read")
        instead(monkeypatch, "print('whole')")
        assert b"".join([chunk async for chunk in keeper.export(OTHERS)]) == b"whole\n"

    asyncio.run(scenario())


def test_without_the_time_limit_the_next_one_would_wait_for_ever(keeper, monkeypatch):
    """The negative control of the test above."""
    instead(monkeypatch, ENDLESS + "  # held")

    async def never(message):
        if message["type"] == "http.response.body":
            await asyncio.sleep(3_600)

    async def scenario():
        slow = asyncio.ensure_future(answered(keeper.export(ME), 3_600, never))
        async with asyncio.timeout(30):
            while not programs("# held"):
                await asyncio.sleep(0.05)
        following = keeper.export(OTHERS)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await anext(following)
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)
        await gone("# held")

    asyncio.run(scenario())


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_the_program_ends_when_the_person_hangs_up(tmp_path):
    """Over a socket, against a service in processes of its own."""
    home = Home(tmp_path / "home")
    record = Record.of(home)
    key = record.server_keys.new("backend", ["privacy"], at=NOW, who="test")
    # More than the buffers between the program and its reader hold.
    for start in range(0, 20_000, 5_000):
        many = [
            event("item-1002", EventType.VIEW, event_id=f"e-{n}")
            for n in range(start, start + 5_000)
        ]
        record.append(many, received_at=NOW)
    record.close()
    with running(home.root, told="1 keys hold") as served:
        (worker,) = served.workers()
        connection = socket.create_connection(("127.0.0.1", served.port))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        head = f"GET /v1/users/{ME}/export HTTP/1.1\r\nhost: x\r\n"
        said = "".join(f"{name}: {value}\r\n" for name, value in bearer(key).items())
        connection.sendall(f"{head}{said}\r\n".encode())
        assert connection.recv(12).startswith(b"HTTP/1.1 200")
        until(lambda: exporting(worker), 60)
        time.sleep(1.0)
        assert exporting(worker), "it must be held up by its reader, or this shows nothing"
        connection.close()
        until(lambda: not exporting(worker), 20)
        status, answer = served.get("/healthz")
        assert (status, orjson.dumps(answer)[:1]) == (200, b"{")


def exporting(worker: int) -> bool:
    """Whether a program that exports runs below this worker."""
    found = set(programs("export")) & set(children(worker))
    return any(os.path.exists(f"/proc/{pid}/exe") for pid in found)


def test_a_service_that_stops_ends_the_program_that_erases(tmp_path, monkeypatch):
    """The keeper's own program does not outlive its worker; what it did is written down."""
    instead(monkeypatch, "import time; time.sleep(600)  # erasing")
    for keyed in keyed_in(tmp_path):
        answer = keyed.client.post("/v1/me/erase", headers=keyed.as_user())
        assert answer.status_code == 202
        until(lambda: programs("# erasing"), 20)
    until(lambda: not programs("# erasing"), 10)
