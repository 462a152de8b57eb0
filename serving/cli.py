"""`dapei serve` and `dapei bench`."""

import ipaddress
import logging
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from data.home import Home
from data.record import Record
from serving.app import create_app
from serving.bench import bench_serving
from serving.bench_world import CLUSTER
from serving.service import Service
from serving.settings import Settings
from serving.workers import Workers, listening

app = typer.Typer(no_args_is_help=True)
bench = typer.Typer(no_args_is_help=True, help="Measure what the README claims.")
app.add_typer(bench, name="bench")

HomeOption = Annotated[Path, typer.Option(envvar="DAPEI_HOME", help="The shop's home folder.")]


@app.command()
def serve(
    home: HomeOption,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes.")] = 1,
) -> None:
    """Answer lists and take events in over HTTP, until SIGTERM or Ctrl-C."""
    if not _is_loopback(host):
        raise typer.BadParameter(
            f"no keys are configured, so the service listens on loopback only; got {host!r}, "
            "allowed: 127.0.0.1, ::1, localhost",
            param_hint="--host",
        )
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("uvicorn.error").setLevel("WARNING")
    shop = Home(home)
    settings = Settings.of(shop.config())
    # Made once before there are workers, so that a record that cannot be used stops the start.
    Record.open(shop.record_path).close()
    sock = listening(host, port)
    shown = f"[{host}]" if ":" in host else host
    typer.echo(
        f"serving {home} on http://{shown}:{sock.getsockname()[1]} with {workers} "
        f"worker{'s' * (workers > 1)}; no keys configured: loopback only"
    )
    Workers(
        sock=sock,
        n=workers,
        settings=settings,
        app=lambda: create_app(Service.of(shop, settings)),
    ).run()


@bench.callback()
def describe() -> None:
    """Measure what the README claims."""


@bench.command("serving")
def measure_serving(
    items: Annotated[int, typer.Option(min=1_000, help="Items, in thousands.")] = 100_000,
    seconds: Annotated[float, typer.Option(min=0.5, help="Length of each kind of load.")] = 10,
    json: Annotated[Path | None, typer.Option(help="Write the figures here too.")] = None,
) -> None:
    """Lists next to a bare endpoint in one run, events, a swap of the bundle, a start."""
    console = Console()
    with console.status("starting") as status:
        figures = bench_serving(items - items % CLUSTER, seconds, status.update)
    table = Table("figure", "value", title="serving")
    for name, value in figures.items():
        table.add_row(name, f"{value:,}")
    console.print(table)
    if json is not None:
        json.write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
