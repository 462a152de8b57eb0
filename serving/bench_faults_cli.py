"""`dapei bench faults`."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from recsys.errors import ConfigError
from serving.bench_faults_shop import furnish
from serving.bench_faults_table import SCENARIOS, SHOWN, Row, page, row_of, shown

app = typer.Typer(no_args_is_help=True)


@app.command("faults")
def measure_faults(
    only: Annotated[str, typer.Option(help="Tests like R03,R35; all if empty.")] = "",
    json: Annotated[Path | None, typer.Option(help="Write the figures here too.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write them as a page, too.")] = None,
) -> None:
    """What people notice while something breaks: latency, and the share of valid lists."""
    wanted = [name for name in only.split(",") if name] or list(SCENARIOS)
    if unknown := set(wanted) - set(SCENARIOS):
        raise ConfigError(f"{sorted(unknown)} are no scenarios; allowed: {', '.join(SCENARIOS)}")
    console = Console()
    rows: list[Row] = []
    with TemporaryDirectory(prefix="dapei-faults-") as folder, console.status("a shop") as status:
        sound = furnish(Path(folder) / "sound")
        for name in wanted:
            status.update(f"{name}: {SCENARIOS[name].says}")
            home = Path(folder) / name
            shutil.copytree(sound.root, home, copy_function=shutil.copy)
            rows.append(row_of(name, home))
            shutil.rmtree(home)
    _show(console, rows)
    if json is not None:
        json.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
    if markdown is not None:
        markdown.write_text(page(rows), encoding="utf-8")


def _show(console: Console, rows: list[Row]) -> None:
    table = Table("test", "what breaks", *SHOWN.values(), "more")
    for row in rows:
        figures = [shown(row[key]) for key in SHOWN]
        more = ", ".join(f"{name} {value:g}" for name, value in row["more"].items())
        table.add_row(row["test"], row["says"], *figures, more)
    console.print(table)
