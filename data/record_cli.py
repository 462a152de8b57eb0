"""`dapei record`: a copy of the record while the shop runs, the way back, and a check."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from data.home import Home
from data.privacy import KEY_NAME
from data.record import Record
from recsys.errors import ConfigError

app = typer.Typer(no_args_is_help=True)
group = typer.Typer(
    no_args_is_help=True, help="Copy the record while it is written to, put it back, check it."
)
app.add_typer(group, name="record")

HomeOption = Annotated[Path, typer.Option(envvar="DAPEI_HOME", help="The shop's home folder.")]
CopyArgument = Annotated[Path, typer.Argument(help="The copy: one file.")]


@group.command()
def backup(copy: CopyArgument, home: HomeOption) -> None:
    """Copy a record in a file as it is at one moment; the service goes on meanwhile."""
    record = Record.of(Home(home))
    try:
        record.backup(copy)
    finally:
        record.close()
    Console().print(f"the record is copied to {copy}", highlight=False, soft_wrap=True)


@group.command()
def restore(copy: CopyArgument, home: HomeOption) -> None:
    """Put a copy into a home that has no record yet."""
    shop = Home(home)
    if not copy.exists():
        raise ConfigError(f"there is no copy, got {copy}; allowed: a file made by `record backup`")
    if shop.has_record:
        raise ConfigError(f"{home} has a record already; allowed: a home without one")
    shop.root.mkdir(parents=True, exist_ok=True)
    record = Record.open(copy)
    try:
        record.backup(shop.record_path)
        n_events = record.last_seq()
    finally:
        record.close()
    told = f"{home} has a record of {n_events:,} events"
    if not (shop.keys / KEY_NAME).exists():
        told += f"; copy {KEY_NAME} of the home it came from into {shop.keys} before anything else"
    Console().print(told, highlight=False, soft_wrap=True)


@group.command()
def check(home: HomeOption) -> None:
    """Read every event and every deed of the audit; the exit code is 3 if one is damaged."""
    record = Record.of(Home(home))
    try:
        n_events = sum(len(batch) for batch in record.events_between(0, record.last_seq()))
        broken_at, damaged = record.audit.broken_at(), len(record.damaged)
    finally:
        record.close()
    console = Console()
    console.print(f"{n_events:,} events are whole, {damaged:,} damaged", highlight=False)
    told = "whole" if broken_at is None else f"broken at row {broken_at}"
    console.print(f"the audit is {told}", highlight=False)
    if damaged or broken_at is not None:
        raise typer.Exit(3)
