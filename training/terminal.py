"""What the commands of this room share at a terminal: options, settings, bars, a clean end."""

import signal
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from data.home import Home
from recsys.errors import ConfigError
from training.config import TrainConfig, train_config
from training.fit import Progress

REFUSED = 3
# Cleaning up takes less; a supervisor waits for longer.
AGAIN_S = 5.0

HomeOption = Annotated[Path, typer.Option(envvar="DAPEI_HOME", help="The shop's home folder.")]
ConfigOption = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="Instead of the home's dapei.toml."),
]


def configured(home: Path, config: Path | None) -> TrainConfig:
    """What a configuration file, or the home's own, says of training.

    Raises
    ------
    ConfigError
        The file cannot be read, is no TOML, or says what is not allowed.
    """
    if config is None:
        return train_config(Home(home).config())
    try:
        said: dict[str, Any] = tomllib.loads(config.read_text(encoding="utf-8"))
    except OSError as cause:
        raise ConfigError(f"{config} cannot be read: {cause.strerror}") from cause
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise ConfigError(f"{config} is no valid TOML: {cause}") from cause
    return train_config(said)


def complain(text: str) -> None:
    """One line on stderr."""
    Console(stderr=True).print(text, style="red", highlight=False, markup=False)


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """End by SIGTERM as by Ctrl-C: what is half written is removed on the way out.

    What is given is for long loops: it ends them if a library swallowed the first attempt, as
    callbacks from compiled code do. Where no loop asks, it is tried again every `AGAIN_S`.
    """
    asked: list[int] = []

    def stop(number: int, _frame: object = None) -> None:
        asked.append(number)
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
        if asked[0] == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + signal.SIGTERM)

    numbers = signal.SIGTERM, signal.SIGINT, signal.SIGALRM
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield lambda: stop(asked[0]) if asked else None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def bars() -> Iterator[Progress]:
    """Progress on stderr, one bar a phase; the part behind the colon changes as it goes on."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as shown:
        tasks: dict[str, Any] = {}

        def progress(what: str, done: int, total: int) -> None:
            phase = what.partition(":")[0]
            if phase not in tasks or shown.tasks[tasks[phase]].finished:
                tasks[phase] = shown.add_task(what, total=total)
            shown.update(tasks[phase], description=what, completed=done, total=total)

        yield progress
