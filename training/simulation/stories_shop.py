"""Stories about what the shop decides: whom an item is meant for, and sales that end."""

from dataclasses import replace

import numpy as np

from recsys.events import EventType, millis
from recsys.histories import History
from recsys.interactions import DAY_MS
from training.sample_goods import Ints
from training.simulation.ground import Figures, in_lived
from training.simulation.lived import Lived
from training.simulation.planted import FLASH_ENDS
from training.simulation.stories import Story

PEOPLE = 10
# One order makes a returning customer, three a member.
ORDERS = {"new": 0, "returning": 1, "member": 3}
MEANT = {"for-new": "new", "for-members": "member"}
SECOND_DAYS = 1_000 / DAY_MS


def tiers(lived: Lived) -> Figures:
    """New customers see what is for them, members theirs, and nobody else either."""
    lived.open_today()
    places = lived.world.market.positions
    everybody = replace(
        lived.bundle,
        catalog=replace(
            lived.bundle.catalog, audience=np.zeros_like(lived.bundle.catalog.audience)
        ),
    ).ready()
    found = []
    for person in range(PEOPLE):
        for tier, n_orders in ORDERS.items():
            past = _with_orders(lived, person, n_orders)
            found.append(
                [
                    all(
                        (places[item_id] in listed) == (meant == tier)
                        for item_id, meant in MEANT.items()
                    )
                    for listed in (
                        lived.listed(past, bundle=one) for one in (lived.bundle, everybody)
                    )
                ]
            )
    return Figures(*np.mean(found, axis=0).tolist())


def flash_sale(lived: Lived) -> Figures:
    """Shown while stock and time last, gone a second after, and to nobody who had their piece."""
    lived.open_today()
    return Figures(_kept(lived, "flash"), _kept(lived, "flash-plain"))


def _kept(lived: Lived, item_id: str) -> float:
    """The smallest share of people for whom one of the promises was kept."""
    idx = lived.world.market.positions[item_id]
    item = lived.world.market.placed[idx].item
    people = [lived.past(person) for person in range(PEOPLE)]
    ended = (millis(FLASH_ENDS) - lived.now_ms) / DAY_MS + SECOND_DAYS
    had = [one.merged(lived.did(EventType.ORDER, [idx], order=904)) for one in people]
    shown = _sees(lived, people, idx)
    over = 1 - _sees(lived, people, idx, days_on=ended)
    limited = 1 - _sees(lived, had, idx)
    lived.put([replace(item, stock=0)])
    sold_out = 1 - _sees(lived, people, idx)
    lived.put([item])
    return min(shown, over, limited, sold_out)


def _sees(lived: Lived, people: list[History], idx: int, days_on: float = 0.0) -> float:
    """Share of people who find an item in their home list."""
    return float(np.mean([idx in lived.listed(one, days_on=days_on) for one in people]))


def _with_orders(lived: Lived, person: int, n: int) -> History:
    """What somebody did lately, with so many orders of cheap goods and no others."""
    past = lived.past(person)
    past = past.take(past.type != EventType.ORDER)
    for number, product in enumerate(_cheap(lived)[:n].tolist()):
        past = past.merged(
            lived.did(EventType.ORDER, [product], days_ago=2.0 + number, order=910 + number)
        )
    return past


def _cheap(lived: Lived) -> Ints:
    market = lived.world.market
    products = np.flatnonzero(market.is_product)
    return products[np.argsort(market.price_minor[products], kind="stable")]


SHOP = (
    Story(
        number=4,
        name="Tiers",
        measures="share of people, new, returning and members, who see exactly what is for them",
        least=0.95,
        off="items are meant for everybody",
        tell=in_lived(tiers),
        is_last=True,
    ),
    Story(
        number=10,
        name="Flash sale",
        measures="least share of people for whom it is shown in time, gone after it, gone when "
        "sold out, and gone for who had a piece",
        least=0.95,
        off="the item has no campaign",
        tell=in_lived(flash_sale),
        is_last=True,
    ),
)
