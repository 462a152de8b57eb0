"""What `dapei serve` does: a socket, what all workers share, and the workers."""

import gc
import ipaddress
import shutil
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp

import typer
from fastapi import FastAPI

from data.home import Home
from data.record import Record
from recsys import kernels
from recsys.seals import Checked
from serving.app import create_app
from serving.cursors import Cursors
from serving.logs import to_stderr
from serving.metrics import Metrics, share
from serving.service import Service
from serving.settings import Settings
from serving.simulated import SimulatedClock, simulated_now
from serving.token_secrets import check_secrets
from serving.workers import Workers, listening


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the words of the command ask for; `serving.cli` says what they mean."""

    home: Home
    host: str
    port: int
    workers: int
    simulated_clock: bool


def run(asked: Asked, checking: "Future[Checked | None]") -> None:
    """Serve until SIGTERM or Ctrl-C.

    Parameters
    ----------
    checking
        Compares the files of the bundle in use with what was signed, meanwhile; nothing was
        collected since it began.
    """
    to_stderr("INFO")
    shop, host = asked.home, asked.host
    settings = Settings.of(shop.config())
    n_keys = _keys_that_hold(shop, host)
    if asked.simulated_clock:
        _check_may_simulate(n_keys, host)
    check_secrets(shop.keys)
    sock = listening(host, asked.port)
    shown = f"[{host}]" if ":" in host else host
    told = "no keys configured: loopback only" if n_keys is None else f"{n_keys} keys hold"
    typer.echo(
        f"serving {shop.root} on http://{shown}:{sock.getsockname()[1]} with {asked.workers} "
        f"worker{'s' * (asked.workers > 1)}; {told}"
    )
    # Made before there are workers, which would each make their own.
    Cursors.of(shop.keys)
    # Compiled, or read from where they were kept, once for all workers.
    kernels.warm()
    numbers = Path(mkdtemp(prefix="dapei-metrics-"))
    share(numbers)
    # No worker reads the bundle's files again that are whole; where they are not, each says so.
    checked = checking.result()
    gc.enable()
    Workers(
        sock=sock,
        n=asked.workers,
        settings=settings,
        app=lambda: _app(
            Service.of(shop, settings, Metrics(numbers), checked), asked.simulated_clock
        ),
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
