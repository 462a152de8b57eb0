"""The command: joins the groups of sub-commands, each loaded only when it is called.

A serving process must not load what only jobs need, so the table names modules and imports none.
"""

import os
import sys
from importlib import import_module

import typer
from rich.console import Console

from recsys.errors import RecsysError, TooManyBadRows

# Sub-command → the module of its typer app, and the line that `dapei --help` shows for it.
COMMANDS: dict[str, tuple[str, str]] = {
    "import": ("data.cli", "Bring a catalogue or events in; bad lines go to a quarantine file."),
    "train": ("training.cli", "Learn a bundle from the lake, evaluated on a split by time."),
    "evaluate": (
        "training.evaluate_cli",
        "Measure lists against popularity and chance, on a split by time or on held-out events.",
    ),
    "tune": (
        "training.tune_cli",
        "Look for a better configuration on a split inside the past, and write it.",
    ),
    "cycle": (
        "training.cli",
        "Record to lake to histories, then learn, evaluate, and publish if the gate lets it.",
    ),
    "bundles": ("training.bundles_cli", "List, show, publish or roll back bundles."),
    "serve": ("serving.cli", "Answer lists and take events in over HTTP, until SIGTERM or Ctrl-C."),
    "bench": ("serving.cli", "Measure what the README claims."),
}


def describe() -> None:
    """Personalised products and videos for shops that sell through short videos.

    One home folder holds a shop: --home DIR, or DAPEI_HOME in the environment.
    """


def command_line(asked: str | None) -> typer.Typer:
    """The whole command; only the module that holds the sub-command `asked` is imported."""
    root = typer.Typer(no_args_is_help=True, add_completion=False)
    root.callback()(describe)
    module = COMMANDS[asked][0] if asked in COMMANDS else None
    if module is not None:
        root.add_typer(import_module(module).app)
    for name, (place, line) in COMMANDS.items():
        if place != module:
            root.command(name, help=line)(describe)
    return root


def main() -> None:
    """Run the command; an error of ours is one line and an exit code, not a traceback."""
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    # Small equations are what lists and learners solve; several BLAS threads for one of them, next
    # to other workers and the learners' own threads, make it a hundred times slower. It must be
    # said before numpy is loaded.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        command_line(words[0] if words else None)()
    except RecsysError as error:
        Console(stderr=True).print(f"[red]{error.code}[/red] {error}", highlight=False)
        sys.exit(3 if isinstance(error, TooManyBadRows) else 1)


if __name__ == "__main__":
    main()
