"""`dapei bundles`: what bundles there are, and which one is in use."""

from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from data.home import Home
from recsys.errors import BundleError
from recsys.pointer import bundle_ids, pointed, publish, rollback
from recsys.seals import read_manifest
from recsys.signing import SigningKey, VerifyKey
from training.card import card
from training.report import bundle_row, bundles_table
from training.terminal import HomeOption

app = typer.Typer(no_args_is_help=True)
bundles = typer.Typer(
    no_args_is_help=True, help="List, show, describe, publish or roll back bundles."
)
app.add_typer(bundles, name="bundles")


@bundles.command("list")
def list_bundles(home: HomeOption) -> None:
    """Every bundle there is, oldest first, and which one is in use."""
    folder, public = Home(home).bundles, VerifyKey.load(Home(home).keys)
    used = pointed(folder, public)
    rows = []
    for one in bundle_ids(folder):
        try:
            row = bundle_row(one, read_manifest(folder / one, public))
        except BundleError as error:
            row = {"bundle": one, "gate": str(error)}
        rows.append(row | {"in use": "yes" if one == used else ""})
    Console().print(bundles_table(rows))


@bundles.command("show")
def show_bundle(
    home: HomeOption,
    bundle_id: Annotated[str | None, typer.Argument(help="Without: the one in use.")] = None,
    files: Annotated[bool, typer.Option(help="Every file's size and SHA-256, too.")] = False,
) -> None:
    """What a bundle says of itself, as JSON: data, models, pipelines, figures."""
    manifest = manifest_of(Home(home), bundle_id)
    if not files:
        del manifest["files"]
    typer.echo(orjson.dumps(manifest, option=orjson.OPT_INDENT_2).decode())


@bundles.command("card")
def show_card(
    home: HomeOption,
    bundle_id: Annotated[str | None, typer.Argument(help="Without: the one in use.")] = None,
) -> None:
    """A bundle's card, as Markdown: data, models, figures, known limits, how to make it again."""
    typer.echo(card(manifest_of(Home(home), bundle_id)), nl=False)


def manifest_of(home: Home, bundle_id: str | None) -> dict[str, Any]:
    """What a bundle says of itself; without an id, the one in use."""
    public = VerifyKey.load(home.keys)
    one = bundle_id or pointed(home.bundles, public)
    if one is None:
        raise BundleError("no bundle is in use yet; allowed: `dapei train --publish` first")
    return read_manifest(home.bundles / one, public)


@bundles.command("publish")
def publish_bundle(home: HomeOption, bundle_id: str) -> None:
    """Use a bundle, whatever its figures are; running services notice by themselves."""
    where = Home(home)
    pointer = publish(where.bundles, bundle_id, SigningKey.load_or_make(where.keys))
    typer.echo(f"bundle {pointer.bundle_id} is in use, counter {pointer.counter}")


@bundles.command("rollback")
def rollback_bundle(home: HomeOption) -> None:
    """Use the bundle that was in use before; again goes further back."""
    where = Home(home)
    pointer = rollback(where.bundles, SigningKey.load_or_make(where.keys))
    typer.echo(f"bundle {pointer.bundle_id} is in use again, counter {pointer.counter}")
