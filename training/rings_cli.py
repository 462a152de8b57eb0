"""`dapei rings`: accounts that lift a product together, for a person to look at."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import orjson
import typer
from rich.console import Console
from rich.table import Table

from data.home import Home
from recsys.events import moment
from recsys.interactions import DAY_MS
from recsys.trust import OFFSET_MS, PairCap, Ring, rings, trusted
from training.shop import Shop, load
from training.terminal import REFUSED, HomeOption, configured

app = typer.Typer(no_args_is_help=True)
# What an account does in its first days, at so few items, is what hired accounts look like.
NEW_DAYS, NARROW_ITEMS = 14, 10


@app.command(
    name="rings",
    help="Report products that gained by pairs faster than they ever were, with the accounts that "
    "made them: how many of all the product's people these are, how many are new and how many "
    "narrow. Nothing is changed; the exit code is 3 if there are any, for a nightly job to see.",
)
def rings_(
    home: HomeOption,
    json: Annotated[Path | None, typer.Option(dir_okay=False, help="With every account.")] = None,
) -> None:
    """A table on stdout; the help above says of what."""
    shop = load(Home(home))
    factor = configured(home, None).pair_cap or PairCap().factor
    found = trusted(shop.histories, PairCap(factor=factor), shop.risk)
    told = [about(ring, shop) for ring in rings(shop.histories, found)]
    table = Table("product", "accounts", "of all its people", "new", "narrow", "days", "with")
    for one in told:
        shares = (f"{one[name]:.0%}" for name in ("share", "new", "narrow"))
        days = f"{one['days'][0]} … {one['days'][-1]}"
        table.add_row(one["item_id"], str(len(one["accounts"])), *shares, days, one["with"][0])
    Console().print(table)
    lost = sum(len(one.persons) for one in found.excesses)
    typer.echo(
        f"{len(told)} rings; {lost:,} votes for pairs were beyond {factor:g} times the usual"
    )
    if json is not None:
        json.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    if told:
        raise typer.Exit(REFUSED)


def about(ring: Ring, shop: Shop) -> dict[str, Any]:
    """A ring as JSON values."""
    ids, own = shop.catalog.ids, [shop.histories.of_person(int(one)) for one in ring.persons]
    firsts = np.array([history.at_ms.min() for history in own])
    begins_ms = ring.days[0] * DAY_MS - OFFSET_MS
    is_narrow = [len(np.unique(history.item)) <= NARROW_ITEMS for history in own]
    return {
        "item_id": ids[ring.item_idx],
        "share": ring.share,
        "new": float((firsts > begins_ms - NEW_DAYS * DAY_MS).mean()),
        "narrow": float(np.mean(is_narrow)),
        "days": [moment(day * DAY_MS).date().isoformat() for day in ring.days],
        "with": [ids[one] for one in ring.others[:10]],
        "accounts": [shop.user_ids[int(one)] for one in ring.persons],
    }
