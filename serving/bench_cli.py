"""`dapei bench serving`."""

from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from serving.bench import bench_serving
from serving.bench_world import CLUSTER

app = typer.Typer(no_args_is_help=True)


@app.command("serving")
def measure_serving(
    items: Annotated[int, typer.Option(min=1_000, help="Items, in thousands.")] = 100_000,
    seconds: Annotated[float, typer.Option(min=0.5, help="Length of each kind of load.")] = 10,
    json: Annotated[Path | None, typer.Option(help="Write the figures here too.")] = None,
) -> None:
    """Lists, alone and with Redis, next to a bare endpoint; events, a start, changes, memory."""
    console = Console()
    with console.status("starting") as status:
        figures = bench_serving(items - items % CLUSTER, seconds, status.update)
    table = Table("figure", "value", title="serving")
    for name, value in figures.items():
        table.add_row(name, "" if value is None else f"{value:,}")
    console.print(table)
    if figures["redis_lists_rps"] is None:
        console.print("NOT MEASURED: lists with Redis; there is no redis-server here, install it")
    if json is not None:
        json.write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2))
