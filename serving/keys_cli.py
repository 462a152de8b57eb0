"""`dapei keys`: keys for the shop's servers, and the secrets and tokens of its users."""

from datetime import UTC, datetime, timedelta
from getpass import getuser
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from data.home import Home
from data.record import Record
from data.record_audit import Deed
from recsys.errors import ConfigError
from serving.identity import Scope
from serving.settings import Settings
from serving.token_secrets import newest, rotate
from serving.tokens import mint

app = typer.Typer(no_args_is_help=True)
group = typer.Typer(no_args_is_help=True, help="Keys of servers, and what user tokens are made of.")
token = typer.Typer(no_args_is_help=True, help="What user tokens are made of, and one by hand.")
group.add_typer(token, name="token")
app.add_typer(group, name="keys")

HomeOption = Annotated[Path, typer.Option(envvar="DAPEI_HOME", help="The shop's home folder.")]
ByOption = Annotated[str | None, typer.Option("--by", help="Who does this, for the audit.")]
ScopesOption = Annotated[
    list[Scope], typer.Option("--scope", help="What the key is for; may be said several times.")
]


@group.command()
def new(
    name: Annotated[str, typer.Argument(help="What the key is called, such as its server.")],
    home: HomeOption,
    scope: ScopesOption,
    by: ByOption = None,
) -> None:
    """Make a key and show it, this once; running services know it within two seconds."""
    record = Record.of(Home(home))
    try:
        key = record.server_keys.new(name, scope, at=datetime.now(UTC), who=by or getuser())
    finally:
        record.close()
    # Plain and alone on its line, so that a script can take it.
    typer.echo(key)
    Console(stderr=True).print("keep it now: only its hash stays here", highlight=False)


@group.command("list")
def list_keys(home: HomeOption) -> None:
    """Every key there ever was, without the keys."""
    record = Record.of(Home(home))
    try:
        kept = record.server_keys.all()
    finally:
        record.close()
    table = Table("id", "name", "scopes", "made", "revoked")
    for one in kept:
        revoked = "" if one.revoked_at is None else f"{one.revoked_at:%Y-%m-%d %H:%M}"
        made = f"{one.made_at:%Y-%m-%d %H:%M}"
        table.add_row(one.key_id, one.name, " ".join(sorted(one.scopes)), made, revoked)
    Console().print(table, highlight=False)


@group.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="As `dapei keys list` shows it.")],
    home: HomeOption,
    why: Annotated[str, typer.Option(help="For the audit.")] = "",
    by: ByOption = None,
) -> None:
    """Let a key open nothing any more, within five seconds on every worker."""
    record, at = Record.of(Home(home)), datetime.now(UTC)
    try:
        held = record.server_keys.revoke(key_id, at=at, who=by or getuser(), why=why)
    finally:
        record.close()
    typer.echo(f"{key_id} opens nothing any more" if held else f"{key_id} was revoked before")


@token.command("rotate")
def rotate_secret(
    home: HomeOption,
    grace_s: Annotated[
        int | None, typer.Option(help="Seconds that older tokens stay good; the longest life.")
    ] = None,
    by: ByOption = None,
) -> None:
    """Make a new secret for user tokens and show it; tokens of the one before stay good a while."""
    shop, at = Home(home), datetime.now(UTC)
    longest_s = Settings.of(shop.config()).tokens.longest_s if grace_s is None else grace_s
    if longest_s < 0:
        raise ConfigError(f"--grace-s is negative, got {longest_s}; allowed: 0 or more")
    record = Record.of(shop)
    try:
        made = rotate(shop.keys, at=at, grace=timedelta(seconds=longest_s))
        record.audit.add(
            Deed(by or getuser(), "token_rotate", made.kid, f"grace {longest_s} s"), at=at
        )
    finally:
        record.close()
    typer.echo(f"{made.kid} {made.secret.hex()}")
    note = "the backend needs both, to make tokens; they stay in the home's keys/ as well"
    Console(stderr=True).print(note, highlight=False)


@token.command("new")
def new_token(
    sub: Annotated[str, typer.Argument(help="The person's pseudonym.")],
    home: HomeOption,
    life_s: Annotated[int, typer.Option(min=1, help="Seconds that it is good for.")] = 900,
    by: ByOption = None,
) -> None:
    """Make a user token by hand, to try something out."""
    shop, at = Home(home), datetime.now(UTC)
    said, secret = Settings.of(shop.config()).tokens, newest(shop.keys)
    if life_s > said.longest_s:
        raise ConfigError(f"--life-s is too long, got {life_s}; allowed: up to {said.longest_s}")
    life = timedelta(seconds=life_s)
    made = mint(secret.secret, secret.kid, sub, audience=said.audience, at=at, life=life)
    record = Record.of(shop)
    try:
        record.audit.add(
            Deed(
                by or getuser(),
                "token_new",
                record.choices.privacy.name_of(sub),
                f"good for {life_s} s",
            ),
            at=at,
        )
    finally:
        record.close()
    typer.echo(made)
