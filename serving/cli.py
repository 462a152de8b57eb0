"""`dapei serve`."""

import ipaddress
import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated

import typer
from fastapi import FastAPI

from data.home import Home
from data.record import Record
from recsys import kernels
from serving.app import create_app
from serving.cursors import Cursors
from serving.logs import to_stderr
from serving.metrics import Metrics, share
from serving.service import Service
from serving.settings import Settings
from serving.simulated import HEADER, SimulatedClock, simulated_now
from serving.token_secrets import check_secrets
from serving.workers import Workers, listening

app = typer.Typer(no_args_is_help=True)

HomeOption = Annotated[Path, typer.Option(envvar="DAPEI_HOME", help="The shop's home folder.")]
ClockOption = Annotated[
    bool,
    typer.Option(
        "--simulated-clock",
        help=f"For `dapei simulate --url`: requests say the time, in {HEADER}. Loopback only.",
    ),
]


@app.command()
def serve(
    home: HomeOption,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes.")] = 1,
    simulated_clock: ClockOption = False,
) -> None:
    """Answer lists and take events in over HTTP, until SIGTERM or Ctrl-C."""
    to_stderr("INFO")
    shop = Home(home)
    settings = Settings.of(shop.config())
    n_keys = _keys_that_hold(shop, host)
    if simulated_clock:
        _check_may_simulate(n_keys, host)
    check_secrets(shop.keys)
    sock = listening(host, port)
    shown = f"[{host}]" if ":" in host else host
    told = "no keys configured: loopback only" if n_keys is None else f"{n_keys} keys hold"
    typer.echo(
        f"serving {home} on http://{shown}:{sock.getsockname()[1]} with {workers} "
        f"worker{'s' * (workers > 1)}; {told}"
    )
    # Made before there are workers, which would each make their own.
    Cursors.of(shop.keys)
    # Compiled, or read from where they were kept, once for all workers.
    kernels.warm()
    numbers = Path(mkdtemp(prefix="dapei-metrics-"))
    share(numbers)
    Workers(
        sock=sock,
        n=workers,
        settings=settings,
        app=lambda: _app(Service.of(shop, settings, Metrics(numbers)), simulated_clock),
    ).run()
    # Only the parent comes here: the workers' numbers end with the last of them.
    shutil.rmtree(numbers, ignore_errors=True)


def _check_may_simulate(n_keys: int | None, host: str) -> None:
    if n_keys is not None or not _is_loopback(host):
        raise typer.BadParameter(
            "whoever sets the time decides what is on sale and which tokens hold; allowed: on "
            "loopback, for a home that never had keys",
            param_hint="--simulated-clock",
        )


def _app(service: Service, simulated_clock: bool) -> FastAPI:
    if not simulated_clock:
        return create_app(service)
    app = create_app(replace(service, now=simulated_now))
    app.add_middleware(SimulatedClock)
    return app


def _keys_that_hold(shop: Home, host: str) -> int | None:
    """How many keys open something; None if there never was one, which loopback alone may have.

    Asked once before there are workers, so that a record that cannot be used stops the start.
    """
    record = Record.of(shop)
    try:
        kept = record.server_keys.all()
    finally:
        record.close()
    if not kept and not _is_loopback(host):
        raise typer.BadParameter(
            f"no keys are configured, so the service listens on loopback only; got {host!r}, "
            "allowed: 127.0.0.1, ::1, localhost, or any after `dapei keys new`",
            param_hint="--host",
        )
    return sum(one.revoked_at is None for one in kept) if kept else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
