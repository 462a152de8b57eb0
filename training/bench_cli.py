"""`dapei bench models`."""

import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperCommand

from recsys.errors import ConfigError
from recsys.files import write_section
from recsys.models.table import MODELS
from training.bench_contenders import ALWAYS, contenders
from training.bench_figures import DENSE, SERVED
from training.bench_models import Plan, Report, Row, run
from training.bench_page import page
from training.bench_plot import check_drawable, plot
from training.bench_sets import protocol_of
from training.config import ALL_TYPES, train_config
from training.terminal import bars, complain, stoppable

app = typer.Typer(no_args_is_help=True)


class Spreading(TyperCommand):
    """A command whose options of many names take them in one go, too: `--sets A B`."""

    many = ("--sets", "--models")

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Write the option again before each of its names."""
        spread: list[str] = []
        option = None
        for word in args:
            if word.startswith("-"):
                option = word if word in self.many else None
            elif option and spread[-1] != option:
                spread.append(option)
            spread.append(word)
        return super().parse_args(ctx, spread)


DataOption = Annotated[
    Path, typer.Option(metavar="DIR", exists=True, file_okay=False, help="Folder of sets.")
]
SetsOption = Annotated[
    list[str] | None, typer.Option(metavar="NAME…", help="Only these folders of it.")
]
ModelsOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME…", help=f"Only these, and {ALWAYS}: {', '.join(contenders())}."),
]
ParametersOption = Annotated[
    Path | None,
    typer.Option(
        exists=True, dir_okay=False, help="Hyperparameters: a TOML file with tables models.NAME."
    ),
]
JsonOption = Annotated[
    Path | None,
    typer.Option(dir_okay=False, help="Rows go here, too; those it holds are not run again."),
]
PlotOption = Annotated[
    Path | None, typer.Option("--plot", dir_okay=False, help="Bars as .png or .svg.")
]
PageOption = Annotated[
    Path | None,
    typer.Option(
        "--page",
        dir_okay=False,
        help="Section 'models' of this page of Markdown: tables, machine and commit.",
    ),
]
PeopleOption = Annotated[
    int, typer.Option(min=0, help="Served lists are made for so many people a set; 0: all.")
]
LimitOption = Annotated[
    float, typer.Option(min=1, help="Seconds after which a model on a set is given up.")
]


@app.command(
    "models",
    cls=Spreading,
    help="Every model on every public data set, next to the best figure known. Each folder of DIR "
    "is a set and the prefix of its name is its protocol: cf_, mb_, sv_, xd_, nbr_, session_, "
    "retail_; any set of such a name runs. Dense means that every item is scored, served that "
    "lists are made as for a request, for people drawn by the seed if a set has many: what these "
    "lose is taken from the dense figure. Intervals are of 95 % over persons. Each model runs in a "
    "process of its own, which gives its seconds of learning and its peak of memory. The exit "
    "code is 1 if a set is broken or a model failed; the others run all the same.",
)
def measure_models(
    data: DataOption,
    sets: SetsOption = None,
    models: ModelsOption = None,
    config: ParametersOption = None,
    seed: Annotated[int, typer.Option(help="Of learners and of folds.")] = 1,
    json: JsonOption = None,
    plot_file: PlotOption = None,
    page_file: PageOption = None,
    people: PeopleOption = 4_000,
    folds: Annotated[
        bool, typer.Option(help="Ask sets of two domains in ten folds, too, which learns anew.")
    ] = True,
    limit_s: LimitOption = 3_600,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run again what is in the file.")] = False,
) -> None:
    """Tables on stdout, progress on stderr; the help above says of what."""
    if plot_file is not None:
        check_drawable(plot_file)
    plan = Plan(
        folders=_folders(data, sets),
        models=_chosen(models),
        parameters=_parameters(config),
        seed=seed,
        people=people,
        has_folds=folds,
        limit_s=limit_s,
    )
    if fresh and json is not None:
        json.unlink(missing_ok=True)
    with stoppable(), bars() as progress:
        report = run(plan, json, progress=progress)
    show(report)
    if plot_file is not None:
        plot(report.rows, plot_file)
    if page_file is not None:
        write_section(page_file, "models", page(report.rows, command_of(plan, data, config)))
    if report.failures:
        raise typer.Exit(1)


def command_of(plan: Plan, data: Path, config: Path | None) -> str:
    """The line that measures the same again."""
    words = ["dapei bench models --data", data.name, "--seed", str(plan.seed)]
    words += ["--people", str(plan.people)]
    words += [] if plan.has_folds else ["--no-folds"]
    words += [] if config is None else ["--config", config.name]
    names = [folder.name for folder in plan.folders if protocol_of(folder)]
    return " ".join([*words, "--sets", *names, "--models", *plan.models])


def _folders(data: Path, sets: list[str] | None) -> list[Path]:
    there = {path.name: path for path in sorted(data.iterdir()) if path.is_dir()}
    unknown = [name for name in sets or () if name not in there]
    if unknown:
        raise typer.BadParameter(
            f"got {unknown[0]!r}; allowed: {', '.join(there)}", param_hint="--sets"
        )
    return [there[name] for name in sets or there]


def _chosen(names: list[str] | None) -> list[str]:
    unknown = [name for name in names or () if name not in contenders()]
    if unknown:
        raise typer.BadParameter(
            f"got {unknown[0]!r}; allowed: {', '.join(contenders())}", param_hint="--models"
        )
    return list(dict.fromkeys([ALWAYS, *(names or contenders())]))


def _parameters(file: Path | None) -> dict[str, dict[str, Any]]:
    """By model of the table: what a configuration says of it, checked as for training."""
    if file is None:
        return {}
    try:
        said = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise ConfigError(f"{file} is no valid TOML: {cause}") from cause
    # A table that is named like a model is that model's, whatever else its name says.
    tables = {
        name: {"model": name, **table} if name in MODELS else table
        for name, table in said.get("models", {}).items()
    }
    known = train_config({**said, "models": tables}).models
    found: dict[str, dict[str, Any]] = {}
    for name in MODELS:
        mine = known.get(name) or next(
            (m for m in known.values() if m.model == name and m.learns_from == ALL_TYPES), None
        )
        if mine is not None and mine.parameters:
            found[name] = dict(mine.parameters)
    return found


def show(report: Report) -> None:
    """A table a set and metric on stdout; what was left out or went wrong on stderr."""
    out = Console()
    by_metric: dict[tuple[str, str], list[Row]] = {}
    for row in report.rows:
        if not row["failed"]:
            by_metric.setdefault((row["set"], row["metric"]), []).append(row)
    for (name, metric), rows in by_metric.items():
        out.print(_table(f"{name}, {metric}", rows))
    for line in report.skipped:
        Console(stderr=True).print(line, style="yellow", highlight=False, markup=False)
    for line in report.failures:
        complain(line)


def _table(title: str, rows: list[Row]) -> Table:
    """A line a model, the best first."""
    if rows[0]["published"] is not None:
        title += f"; best known {rows[0]['published']:.4f} by {rows[0]['published_by']}"
    shown = Table("model", title=title, title_justify="left")
    for head in ("dense", "served", "± 95 %", "fit s", "ms a list", "MB"):
        shown.add_column(head, justify="right")
    forms: dict[str, dict[str, Row]] = {}
    for row in rows:
        forms.setdefault(row["model"], {})[row["form"]] = row
    for model, mine in sorted(forms.items(), key=lambda pair: -_value(pair[1], DENSE)):
        one = mine[DENSE]
        values = [f"{_value(mine, form):.4f}" if form in mine else "" for form in (DENSE, SERVED)]
        costs = (f"{one['seconds']:.1f}", f"{one['list_ms']:.2f}", str(one["peak_mb"]))
        shown.add_row(model, *values, _half(one), *costs)
    return shown


def _value(forms: dict[str, Row], form: str) -> float:
    value = forms[form]["value"]
    return float("nan") if value is None else float(value)


def _half(row: Row) -> str:
    is_known = row["low"] is not None and row["high"] is not None
    return f"{(row['high'] - row['low']) / 2:.4f}" if is_known else ""
