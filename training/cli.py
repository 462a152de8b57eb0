"""`dapei train` and `dapei cycle`."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from data.home import Home
from recsys.errors import RecsysError
from training.cycle import Trained, collect, is_up_to_date, seconds, tidy
from training.cycle import train as train_home
from training.release import GATE_RULE
from training.report import split_line, summary_table
from training.terminal import (
    REFUSED,
    ConfigOption,
    HomeOption,
    bars,
    complain,
    configured,
    stoppable,
)

app = typer.Typer(no_args_is_help=True)


@app.command(help=f"Learn a bundle from the lake, evaluated on a split by time. Gate: {GATE_RULE}.")
def train(
    home: HomeOption,
    config: ConfigOption = None,
    publish: Annotated[
        bool, typer.Option(help="Use the bundle if it passes the gate; else the exit code is 3.")
    ] = False,
    evaluate: Annotated[
        bool, typer.Option(help="Evaluate first, which takes a second fit.")
    ] = True,
) -> None:
    """Learn a bundle; the help above says when it is published."""
    with stoppable(), bars() as progress:
        trained = train_home(
            Home(home),
            configured(home, config),
            now=datetime.now(UTC),
            wants_publish=publish,
            is_evaluated=evaluate,
            progress=progress,
        )
    tell(trained)
    if publish and not trained.is_published:
        raise typer.Exit(REFUSED)


@app.command(
    help="Record to lake to histories, then learn, evaluate, and publish if the gate lets it: "
    f"{GATE_RULE}. Nothing is learned while nothing changed."
)
def cycle(
    home: HomeOption,
    config: ConfigOption = None,
    every: Annotated[
        str | None, typer.Option(help="Again after so long, like 30m or 1h, until stopped.")
    ] = None,
) -> None:
    """One turn, or one after the other."""
    pause_s = None if every is None else seconds(every)
    with stoppable():
        while True:
            started = time.monotonic()
            code = turn(Home(home), config, goes_on=pause_s is not None)
            if pause_s is None:
                raise typer.Exit(code)
            time.sleep(max(0.0, pause_s - (time.monotonic() - started)))


def turn(home: Home, config: Path | None, *, goes_on: bool) -> int:
    """One turn; returns its exit code. If turns go on, an error of one is told, not raised."""
    try:
        said = configured(home.root, config)
        if gone := tidy(home, datetime.now(UTC)):
            Console().print(f"deleted: {gone}", highlight=False)
        n_events = collect(home)
        Console().print(f"{n_events:,} new events", highlight=False)
        if is_up_to_date(home, said):
            Console().print("nothing changed; the bundle in use stays")
            return 0
        with bars() as progress:
            trained = train_home(
                home, said, now=datetime.now(UTC), wants_publish=True, progress=progress
            )
    except RecsysError as error:
        if not goes_on:
            raise
        complain(f"{error.code} {error}")
        return 1
    tell(trained)
    return 0 if trained.is_published else REFUSED


def tell(trained: Trained) -> None:
    """What came of training, for a terminal."""
    out = Console()
    evaluation = trained.release.evaluation
    if evaluation is None:
        out.print(f"not evaluated: {trained.release.bundle.figures['evaluation']['skipped']}")
    else:
        out.print(split_line(evaluation), highlight=False)
        out.print(summary_table(evaluation))
    bundle_id = trained.release.bundle.bundle_id
    for refusal in trained.release.refusals:
        complain(f"gate: {refusal}")
    is_used = "in use" if trained.is_published else "written, not in use"
    out.print(f"bundle {bundle_id}: {is_used}", highlight=False)
