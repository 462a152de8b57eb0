"""The command: joins the groups of sub-commands, each loaded only when it is called.

A serving process must not load what only jobs need, so the table names modules and imports none.
"""

import os
import sys
from importlib import import_module

import typer
from rich.console import Console
from rich.markup import escape

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
        "Look for a better configuration and write it.",
    ),
    "cycle": (
        "training.cli",
        "Record to lake to histories, then learn, evaluate, and publish if the gate lets it.",
    ),
    "rings": (
        "training.rings_cli",
        "Report products that gained by pairs faster than they ever were",
    ),
    "bundles": ("training.bundles_cli", "List, show, describe, publish or roll back bundles."),
    "serve": ("serving.cli", "Answer lists and take events in over HTTP, until SIGTERM or Ctrl-C."),
    "keys": ("serving.keys_cli", "Keys of servers, and what user tokens are made of."),
    "rules": ("serving.rules_cli", "List, try out, set and drop rules about lists."),
    "record": ("data.record_cli", "Copy the record while it is written to, put it back, check it."),
    "simulate": (
        "training.simulation.cli",
        "Let people of known tastes live in a new shop, or tell the stories a shop must hold.",
    ),
    "privacy": (
        "data.privacy_cli",
        "Forget a person, copy what is known of one, keep to the limits.",
    ),
    "bench": ("", "Measure what the README claims."),
}

# The group `dapei bench` joins two rooms, neither of which knows the other.
BENCH: dict[str, tuple[str, str]] = {
    "models": (
        "training.bench_cli",
        "Every model on every public data set, next to the best figure known.",
    ),
    "training": (
        "training.bench_training_cli",
        "Seconds to load, learn and recommend, next to other libraries, and how they grow.",
    ),
    "serving": (
        "serving.bench_cli",
        "Lists, alone and with Redis, next to a bare endpoint; events, a start, changes, memory.",
    ),
    "faults": (
        "serving.bench_faults_cli",
        "What people notice while something breaks: latency, and the share of valid lists.",
    ),
}


def describe() -> None:
    """Personalised products and videos for shops that sell through short videos.

    One home folder holds a shop: --home DIR, or DAPEI_HOME in the environment.
    """


def command_line(asked: str, inside: str = "") -> typer.Typer:
    """The whole command; only the module that holds the sub-command `asked` is imported.

    Parameters
    ----------
    inside
        What is asked of the group `bench`, if that is asked; as `asked`, empty for nothing.
    """
    root = _joined(COMMANDS, asked)
    root.callback()(describe)
    root.add_typer(_joined(BENCH, inside), name="bench", help=COMMANDS["bench"][1])
    return root


def _joined(commands: dict[str, tuple[str, str]], asked: str) -> typer.Typer:
    group = typer.Typer(no_args_is_help=True, add_completion=False)
    module = commands[asked][0] if asked in commands else ""
    if module:
        group.add_typer(import_module(module).app)
    for name, (place, line) in commands.items():
        if place and place != module:
            group.command(name, help=line)(describe)
    return group


def main() -> None:
    """Run the command; an error of ours is one line and an exit code, not a traceback."""
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    # Small equations are what lists and learners solve; several BLAS threads for one of them, next
    # to other workers and the learners' own threads, make it a hundred times slower. It must be
    # said before numpy is loaded.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        command_line(*(words + ["", ""])[:2])()
    except RecsysError as error:
        # Places like [models.als] are part of the message, no markup.
        said = f"[red]{error.code}[/red] {escape(str(error))}"
        Console(stderr=True).print(said, highlight=False)
        sys.exit(3 if isinstance(error, TooManyBadRows) else 1)


if __name__ == "__main__":
    main()
