"""The command: joins the groups of sub-commands, each loaded only when it is called.

A serving process must not load what only jobs need, so the table names modules and imports none.
"""

import sys
from importlib import import_module

import click
import typer
from rich.console import Console
from typer.core import TyperGroup

from recsys.errors import RecsysError, TooManyBadRows

# Sub-command → where its typer app is, and the line that `dapei --help` shows for it.
COMMANDS: dict[str, tuple[str, str]] = {
    "import": ("data.cli", "Bring a catalogue or events in; bad lines go to a quarantine file."),
    "train": ("training.cli", "Learn a bundle from the lake, evaluate it, publish it."),
    "evaluate": ("training.cli", "Measure lists on a time split or on held-out events."),
    "cycle": ("training.cli", "Record to lake to histories to bundle, once or every so often."),
    "bundles": ("training.cli", "List, show, publish or roll back bundles."),
    "serve": ("serving.cli", "Answer lists and take events in over HTTP."),
    "bench": ("serving.cli", "Measure what the README claims."),
}


class LazyGroup(TyperGroup):
    """The sub-commands of `COMMANDS`, imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The sub-command, or for the help page of the whole only its name and line."""
        if cmd_name not in COMMANDS:
            return None
        module, line = COMMANDS[cmd_name]
        if ctx.invoked_subcommand is None and not _is_asked_for(cmd_name):
            return click.Command(cmd_name, help=line)
        group = typer.main.get_command(import_module(module).app)
        if not isinstance(group, click.Group):
            raise TypeError(f"{module}.app must be a group of commands")
        return group.commands[cmd_name]


def _is_asked_for(name: str) -> bool:
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    return bool(words) and words[0] == name


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, add_completion=False)


@app.callback()
def dapei() -> None:
    """Lists of products and videos that belong together.

    One home folder holds a shop: --home DIR, or DAPEI_HOME in the environment.
    """


def main() -> None:
    """Run the command; an error of ours is one line and an exit code, not a traceback."""
    try:
        app()
    except RecsysError as error:
        Console(stderr=True).print(f"[red]{error.code}[/red] {error}", highlight=False)
        sys.exit(3 if isinstance(error, TooManyBadRows) else 1)


if __name__ == "__main__":
    main()
