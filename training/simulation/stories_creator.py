"""The story of a creator on Channels: who bought and followed comes back for what is new there."""

from copy import deepcopy
from dataclasses import replace

import numpy as np

from recsys.events import PLATFORM_NUMBERS, EventType, Platform
from recsys.histories import History
from training.sample_goods import TASTES, Ints
from training.simulation.acts import IN_SHOP
from training.simulation.behaviour import Behaviour, Pages
from training.simulation.ground import Figures, in_lived
from training.simulation.lived import Lived, padded
from training.simulation.luck import Luck
from training.simulation.people import WARM
from training.simulation.planted import TRUSTED
from training.simulation.stories import Story
from training.simulation.wants import Wants

PEOPLE, TASTE = 20, "咖啡"
# Each list is looked at so often, as buying is rare and only its rate counts; and as if so many
# more had bought in each group: rates of nearly nothing have no ratio.
TIMES, MORE = 400, 20
# Seeds of how lists are looked at: of both groups, and of the control group once more.
SEED, AGAIN = 11, 12


def channels(lived: Lived) -> Figures:
    """Orders of a new arrival among who ordered and followed, against the same people unheard.

    Both groups trust the creator and like coffee alike; the shop heard of it from the first only.
    For the control it heard of neither, and the same lists are looked at twice.
    """
    lived.open_today()
    people = lived.cold(TASTE, PEOPLE)
    heard, unheard = [], []
    for person in people.tolist():
        before = lived.past(person)
        heard.append(lived.listed(before.merged(_followed(lived))))
        unheard.append(lived.listed(before))
    told, control, again = (
        _orders(lived, people, lists, seed) + MORE
        for lists, seed in ((heard, SEED), (unheard, SEED), (unheard, AGAIN))
    )
    return Figures(told / control, again / control)


def _followed(lived: Lived) -> History:
    """An order from a creator's video on Channels, a follow, three days ago."""
    market = lived.world.market
    clips = np.flatnonzero(
        (market.creator == market.creators.index(TRUSTED)) & (market.published_ms < lived.now_ms)
    )
    clips = clips[~market.is_product[clips]]
    watched = lived.watched(clips[:2], days_ago=3)
    channel = np.full(len(watched), PLATFORM_NUMBERS[Platform.CHANNELS], dtype=np.int8)
    watched = replace(watched, platform=channel)
    order = lived.did(EventType.ORDER, [market.positions["old-trusted"]], days_ago=2.9, order=920)
    return watched.merged(order).merged(lived.did(EventType.FOLLOW, clips[:1], days_ago=2.8))


def _orders(lived: Lived, people: Ints, lists: list[Ints], seed: int) -> int:
    """Orders of the creator's new product in all looks at the lists."""
    market, nature = lived.world.market, lived.world.behaviour.wants.nature
    at_ms = np.full(len(people), lived.now_ms)
    pages = Pages(
        people, at_ms, np.arange(len(people)), padded(lists), np.full(len(people), IN_SHOP)
    )
    product, n_orders = market.positions["new-trusted"], 0
    for time in range(TIMES):
        trusting = deepcopy(lived.world.people)
        trusting.trust[:, market.creators.index(TRUSTED)] = 1.0
        trusting.steady[:, TASTES.index(TASTE)] = WARM
        stocked = replace(market, stock=market.stock + len(people))
        acts = (
            Behaviour(Wants(trusting, stocked, nature), Luck(TIMES * seed + time)).live(pages).acts
        )
        n_orders += int(((acts.type == EventType.ORDER) & (acts.item == product)).sum())
    return n_orders


CREATOR = (
    Story(
        number=6,
        name="Channels",
        measures="orders of a creator's new arrival among who ordered and followed, as times of "
        "those of the control group",
        least=1.5,
        off="the shop heard nothing of the order and the follow",
        tell=in_lived(channels),
        is_last=True,
    ),
)
