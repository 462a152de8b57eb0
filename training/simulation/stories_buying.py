"""Stories about buying: what belongs to an order, what is bought again, whom one buys from."""

from typing import NamedTuple

import numpy as np

from recsys.bundle import Bundle
from recsys.events import EventType
from recsys.histories import History
from training.sample_goods import PLATFORMS, Ints
from training.sample_text import COMPLEMENTS
from training.simulation.ground import Figures, in_lived
from training.simulation.lived import Lived
from training.simulation.market import CYCLE_DAYS
from training.simulation.planted import TRUSTED
from training.simulation.stories import Story

PEOPLE = 10
# Of what is used up and has something that belongs to it.
WITH_MORE = ("纸尿裤", "淡奶油")
USED_UP, LASTING = "纸尿裤", "电饭煲"
# How many places are looked at; and when, for what lasts.
FIRST, LOOKED_DAYS = 8, (6.0, 20.0, 28.0)
# Near its own time, and long before it, as shares of its interval.
DUE, EARLY = (0.8, 0.9, 1.0), 0.25
BUYING_MODELS = ("bought_together", "next_basket", "repurchase")


class Bought(NamedTuple):
    """Somebody who bought a product, and the list they get."""

    history: History
    product: int


def douyin(lived: Lived) -> Figures:
    """A video with a card, an order, what belongs to it after checkout, and again at its time."""
    found = [
        [_whole_way(lived, name, person, one) for one in (lived.bundle, _without_orders(lived))]
        for name in WITH_MORE
        for person in range(PEOPLE)
    ]
    return Figures(*np.mean(found, axis=0).tolist())


def repurchase(lived: Lived) -> Figures:
    """Diapers come back near their time and not before it; what lasts does not come back."""
    market = lived.world.market
    found = []
    for person in range(PEOPLE):
        past = lived.past(person)
        used, lasting = (
            int(market.of_ware(name, is_product=True)[0]) for name in (USED_UP, LASTING)
        )
        past = past.merged(lived.did(EventType.ORDER, [used], order=901))
        past = past.merged(lived.did(EventType.ORDER, [lasting], order=902))
        found.append(
            [
                _is_in_time(lived, Bought(past, used), one)
                and not any(_again(lived, Bought(past, lasting), one, days) for days in LOOKED_DAYS)
                for one in (lived.bundle, _without_orders(lived))
            ]
        )
    return Figures(*np.mean(found, axis=0).tolist())


def trusted(lived: Lived) -> Figures:
    """Who watched, followed and bought from a creator sees that creator's new product at once."""
    lived.open_today()
    market, places = lived.world.market, lived.world.market.positions
    clips = np.flatnonzero(
        (market.creator == market.creators.index(TRUSTED)) & (market.published_ms < lived.now_ms)
    )
    clips = clips[~market.is_product[clips]][:4]
    product, found = places["new-trusted"], []
    for person in lived.cold("咖啡", PEOPLE).tolist():
        before = lived.past(person)
        after = before.merged(lived.watched(clips, days_ago=3))
        after = after.merged(lived.did(EventType.FOLLOW, clips[:1], days_ago=2.9))
        after = after.merged(
            lived.did(EventType.ORDER, [places["old-trusted"]], days_ago=2.8, order=903)
        )
        found.append([product in lived.listed(one) for one in (after, before)])
    return Figures(*np.mean(found, axis=0).tolist())


def _whole_way(lived: Lived, name: str, person: int, bundle: Bundle) -> bool:
    market = lived.world.market
    product = int(market.of_ware(name, is_product=True)[0])
    past = lived.past(person).merged(lived.watched(_clips(lived, product), days_ago=0.02))
    past = past.merged(lived.did(EventType.VIEW, [product], days_ago=0.015))
    past = past.merged(lived.did(EventType.ORDER, [product], order=900))
    belonging = np.concatenate(
        [market.of_ware(other, is_product=True) for other in COMPLEMENTS[name]]
    )
    listed = lived.listed(past, scene="post_checkout", beside=product, bundle=bundle)
    has_more = bool(np.isin(listed[:FIRST], belonging).any())
    return has_more and _is_in_time(lived, Bought(past, product), bundle)


def _clips(lived: Lived, product: int) -> Ints:
    """Videos that sell a product, those on Douyin first."""
    market = lived.world.market
    selling = np.flatnonzero((market.cards == product).any(axis=1))
    there = market.platform[selling] != PLATFORMS.index(PLATFORMS[0])
    return selling[np.argsort(there, kind="stable")][:1]


def _is_in_time(lived: Lived, bought: Bought, bundle: Bundle) -> bool:
    """Whether it comes back near its time, and not long before."""
    days = float(CYCLE_DAYS[lived.world.market.ware[bought.product]])
    is_due = any(_again(lived, bought, bundle, share * days) for share in DUE)
    return is_due and not _again(lived, bought, bundle, EARLY * days)


def _again(lived: Lived, bought: Bought, bundle: Bundle, days_on: float) -> bool:
    """Whether what was bought is among the first of the home list, some days later."""
    home = lived.listed(bought.history, bundle=bundle, days_on=days_on)
    return bool(bought.product in home[:FIRST])


def _without_orders(lived: Lived) -> Bundle:
    return lived.without(*BUYING_MODELS)


BUYING = (
    Story(
        number=5,
        name="Douyin",
        measures="share of buyers from a video who see what belongs to it, and it again in time",
        least=0.8,
        off="no source knows baskets and times between orders",
        tell=in_lived(douyin),
    ),
    Story(
        number=7,
        name="Kuaishou",
        measures="share of a creator's buyers who see the creator's new product on its first day",
        least=0.9,
        off="nothing was watched, followed or bought from the creator",
        tell=in_lived(trusted),
        is_last=True,
    ),
    Story(
        number=11,
        name="Repurchase",
        measures="share of buyers who see diapers again at their time only, and no cooker again",
        least=0.8,
        off="no source knows baskets and times between orders",
        tell=in_lived(repurchase),
    ),
)
