"""`dapei bench training`."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from recsys.files import write_atomic
from training.bench_plot import check_drawable, plot_growth
from training.bench_tables import BrokenSet
from training.bench_training import (
    N_SIZES,
    NotInstalled,
    Row,
    Sizes,
    compare,
    exponent,
    grow,
    pairs_of,
)
from training.terminal import bars, complain, stoppable

app = typer.Typer(no_args_is_help=True)
# Drawn pairs for the comparison are at most so many; the larger worlds are for the growth.
N_COMPARED = 1_000_000

JsonOption = Annotated[Path, typer.Option(dir_okay=False, help="The figures go here, too.")]
DataOption = Annotated[
    Path | None, typer.Option(metavar="DIR", exists=True, file_okay=False, help="Folder of sets.")
]
SetOption = Annotated[
    str | None, typer.Option("--set", metavar="NAME", help="Its pairs are compared on; else drawn.")
]
GrowthOption = Annotated[
    Path | None, typer.Option("--plot", dir_okay=False, help="The growth as .png or .svg.")
]


@app.command(
    "training",
    help="Seconds to load, learn and recommend, next to other libraries, and how they grow. "
    "implicit and RecTools do the same steps on the same pairs with the same kinds and sizes of "
    "model, in turns with ours, each in a process of its own; RecTools is installed into a "
    "throw-away environment, which takes a minute and a package index. Then every model that a "
    "shop serves with learns drawn worlds of several sizes, each twice as large as the last.",
)
def measure_training(
    json: JsonOption,
    data: DataOption = None,
    set_name: SetOption = None,
    up_to: Annotated[
        int, typer.Option(min=1_000, help="Acts of the largest drawn world.")
    ] = 8_000_000,
    items: Annotated[int, typer.Option(min=100, help="Items of the drawn worlds.")] = 50_000,
    rounds: Annotated[int, typer.Option(min=0, help="Turns of all libraries; 0: none.")] = 3,
    sizes: Annotated[
        int, typer.Option(min=1, help="Drawn worlds, each twice as large as the one before.")
    ] = N_SIZES,
    plot_file: GrowthOption = None,
) -> None:
    """Tables on stdout, progress on stderr; the help above says of what."""
    if plot_file is not None:
        check_drawable(plot_file)
    folder = _set_folder(data, set_name)
    with stoppable(), bars() as progress, TemporaryDirectory(prefix="dapei-bench-") as scratch:
        file = Path(scratch) / "pairs.parquet"
        n_pairs = pairs_of(folder, min(up_to, N_COMPARED), items, file)
        compared, problem = [], ""
        try:
            compared = compare(file, rounds, progress=progress) if rounds else []
        except NotInstalled as error:
            problem = str(error)
        grown = grow(Sizes(up_to=up_to, items=items, number=sizes), progress=progress)
    found = {
        "set": set_name,
        "pairs": n_pairs,
        "compared": compared,
        "growth": grown,
        "exponent": round(exponent(grown), 3),
    }
    write_atomic(json, orjson.dumps(found, option=orjson.OPT_INDENT_2))
    show(found)
    if plot_file is not None:
        plot_growth(grown, exponent(grown), plot_file)
    if problem:
        complain(problem)
        raise typer.Exit(1)


def _set_folder(data: Path | None, name: str | None) -> Path | None:
    if data is None or name is None:
        if data is not None or name is not None:
            raise typer.BadParameter("got one of --data and --set; allowed: both or neither")
        return None
    folder = data / name
    if not folder.is_dir():
        raise BrokenSet(f"{data} has no set {name!r}; allowed: the name of a folder in it")
    return folder


def show(found: dict[str, Any]) -> None:
    """Seconds next to other libraries, then how they grow."""
    out = Console()
    if found["compared"]:
        out.print(_compared(found["compared"], found["pairs"]))
    grown = Table("model", title="processor seconds to learn", title_justify="left")
    rows = found["growth"]
    for row in rows:
        grown.add_column(f"{row['events']:,} acts", justify="right")
    for name in rows[0]["seconds"]:
        grown.add_row(name, *(f"{row['seconds'][name]:.1f}" for row in rows))
    grown.add_row("all", *(f"{row['total_s']:.1f}" for row in rows))
    grown.add_row("on the wall", *(f"{row['wall_s']:.1f}" for row in rows))
    grown.add_row("peak MB", *(f"{row['peak_mb']:,}" for row in rows))
    out.print(grown)
    out.print(f"seconds grow with the power {found['exponent']:.2f} of the acts", highlight=False)


def _compared(rows: list[Row], n_pairs: int) -> Table:
    libraries = list(dict.fromkeys(row["library"] for row in rows))
    shown = Table("step", title=f"{n_pairs:,} pairs, medians", title_justify="left")
    for library in libraries:
        shown.add_column(f"{library} s", justify="right")
    for library in libraries[1:]:
        shown.add_column(f"{library} / ours", justify="right")
    for step in dict.fromkeys(row["step"] for row in rows):
        mine = {row["library"]: row for row in rows if row["step"] == step}
        seconds = [f"{mine[library]['seconds']:.2f}" for library in libraries]
        ratios = [f"{mine[library]['times_ours']:.2f}" for library in libraries[1:]]
        shown.add_row(step, *seconds, *ratios)
    return shown
