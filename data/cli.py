"""`dapei import`: files of other systems into the home."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Task as ProgressTask
from rich.text import Text

from data.home import Home
from data.importing import ImportReport, run_import

app = typer.Typer(no_args_is_help=True, add_completion=False)


class _Rate(ProgressColumn):
    """Rows a second so far."""

    def render(self, task: ProgressTask) -> Text:
        elapsed_s = task.finished_time or task.elapsed or 0.0
        return Text(f"{task.completed / elapsed_s:,.0f}/s" if elapsed_s else "")


@app.command("import")
def import_files(
    mapping: Annotated[Path, typer.Argument(help="What the columns mean: a TOML file.")],
    files: Annotated[
        list[Path], typer.Argument(help="CSV, JSON lines or Parquet; plain, .gz or .zst.")
    ],
    home: Annotated[Path, typer.Option(envvar="DAPEI_HOME", help="The shop's home folder.")],
    max_bad: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Largest share of lines that may be bad.")
    ] = 0.01,
) -> None:
    """Bring a catalogue or events in; bad lines go to a quarantine file.

    Above --max-bad nothing is published and the exit code is 3. A file that is in already is left
    alone.
    """
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), _Rate(), TimeElapsedColumn())
    with Progress(SpinnerColumn(), *columns, console=console) as bars:
        steps: dict[str, TaskID] = {}

        def show(step: str, done: int, total: int | None) -> None:
            if step not in steps:
                steps[step] = bars.add_task(step, total=total)
            bars.update(steps[step], completed=done, total=total)

        report = run_import(
            mapping, files, Home(home), max_bad=max_bad, now=datetime.now(UTC), progress=show
        )
    _tell(console, report)


def _tell(console: Console, report: ImportReport) -> None:
    for name in report.already:
        console.print(f"{name} is in already; nothing changed", highlight=False)
    console.print(
        f"read {report.read:,} lines: {report.loaded:,} loaded, {report.quarantined:,} bad, "
        f"{report.skipped:,} left out; {report.events:,} events, {report.items:,} items new or "
        "changed",
        highlight=False,
    )
    if report.unkept:
        console.print(f"{report.unkept:,} events not kept: their persons said no", highlight=False)
    if report.silent:
        console.print(f"no line says anything about: {', '.join(report.silent)}", highlight=False)
    for path in report.quarantines:
        console.print(f"bad lines: {path}", highlight=False, soft_wrap=True)
