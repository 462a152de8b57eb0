"""`dapei privacy`: forget a person, copy what is known of one, and see how far that is."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console

from data.erasing import finish_erasures
from data.erasures import Erasures
from data.export import exported
from data.home import Home
from data.record import Record
from data.record_audit import Deed
from data.retention import trim as trim_home
from recsys.errors import InvalidInput

app = typer.Typer(no_args_is_help=True)
group = typer.Typer(
    no_args_is_help=True, help="Forget a person, copy what is known of one, keep to the limits."
)
app.add_typer(group, name="privacy")

HomeOption = Annotated[Path, typer.Option(envvar="DAPEI_HOME", help="The shop's home folder.")]
UserArgument = Annotated[str, typer.Argument(help="The person's id; - reads it from the input.")]
WhyOption = Annotated[str, typer.Option(help="Why, for the audit.")]
OPERATOR = "operator"


@group.command()
def erase(user: UserArgument, home: HomeOption, why: WhyOption = "asked for") -> None:
    """Forget a person: record, lake, histories, quarantine; late events do not bring them back."""
    shop = Home(home)
    record, user_id = Record.of(shop), _said(user)
    try:
        Erasures(shop, record).ask(user_id, Deed(OPERATOR, "erase", "", why), at=datetime.now(UTC))
        finish_erasures(shop, now=datetime.now(UTC), record=record)
        _tell(Erasures(shop, record).status(user_id))
    finally:
        record.close()


@group.command()
def status(user: UserArgument, home: HomeOption) -> None:
    """How far the erasure of a person is, and what is left to others."""
    shop = Home(home)
    record = Record.of(shop)
    try:
        _tell(Erasures(shop, record).status(_said(user)))
    finally:
        record.close()


@group.command()
def export(user: UserArgument, home: HomeOption, why: WhyOption = "asked for") -> None:
    """Write everything that is kept of a person, as JSON lines, to the output."""
    shop = Home(home)
    record, user_id = Record.of(shop), _said(user)
    try:
        if user != "-":
            # Who sends the id through the input has noted by itself who asked.
            about = record.choices.privacy.name_of(user_id)
            record.audit.add(Deed(OPERATOR, "export", about, why), at=datetime.now(UTC))
        else:
            # And lists are more urgent than this.
            os.nice(10)
        for line in exported(shop, record, user_id):
            sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    finally:
        record.close()


@group.command()
def finish(home: HomeOption) -> None:
    """Bring erasures to their end that somebody asked for; `cycle` and the service do it too."""
    n = finish_erasures(Home(home), now=datetime.now(UTC))
    Console().print(f"{n:,} erasures are done", highlight=False)


@group.command()
def trim(home: HomeOption) -> None:
    """Delete what is past the limits of [privacy]; `cycle` does it too."""
    gone = trim_home(Home(home), now=datetime.now(UTC))
    Console().print(
        f"deleted: {gone.events:,} events of the record, {gone.lake:,} of the lake, "
        f"{gone.lists:,} served lists, {gone.refused:,} refused, {gone.deeds:,} deeds",
        highlight=False,
    )


def _said(user: str) -> str:
    user_id = sys.stdin.readline().rstrip("\n") if user == "-" else user
    if not user_id:
        raise InvalidInput("there is no id, got nothing; allowed: a person's id")
    return user_id


def _tell(told: dict[str, object] | None) -> None:
    said = {"state": "never asked for"} if told is None else told
    typer.echo(orjson.dumps(said, option=orjson.OPT_INDENT_2).decode())
