"""The story of the cocoon: a person of one interest, thirty days long, still sees other things."""

from copy import deepcopy
from dataclasses import replace

import numpy as np

from recsys.bundle import Bundle
from recsys.histories import History
from recsys.interactions import DAY_MS
from training.sample_goods import TASTES, Ints
from training.simulation.acts import IN_SHOP
from training.simulation.behaviour import Behaviour, Pages
from training.simulation.ground import Figures, in_lived
from training.simulation.lived import Lived, padded
from training.simulation.luck import Luck
from training.simulation.people import COLD, WARM
from training.simulation.stories import Story
from training.simulation.wants import Wants

DAYS, ENDS = 30, 3
# Seed of how people act; the same with what opens lists and without.
SEED = 13


def cocoon(lived: Lived) -> Figures:
    """Entropy of categories in the last lists against that of the list for a stranger."""
    return Figures(_kept(lived, lived.bundle), _kept(lived, _closed(lived.bundle)))


def _closed(bundle: Bundle) -> Bundle:
    """The bundle with no rules, that shows again what was watched."""
    pipelines = {
        scene: replace(one, stages=tuple(name for name in one.stages if name != "seen"))
        for scene, one in bundle.pipelines.items()
    }
    return replace(bundle, pipelines=pipelines).ruled(())


def _kept(lived: Lived, bundle: Bundle) -> float:
    """Mean over people of one taste each, one of every taste."""
    world = lived.world
    people = deepcopy(world.people)
    one_each = np.arange(len(TASTES))
    people.steady[one_each] = COLD
    people.steady[one_each, one_each] = WARM
    people.walk[one_each] = 0.0
    behaviour = Behaviour(Wants(people, world.market, world.behaviour.wants.nature), Luck(SEED))
    stock, pasts = world.market.stock.copy(), _pasts(lived)
    entropies = []
    first = _entropy(lived, lived.listed(History.empty(), bundle=bundle))
    for day in range(DAYS):
        lists = [lived.listed(past, bundle=bundle, days_on=day) for past in pasts]
        entropies.append(np.mean([_entropy(lived, one) for one in lists]))
        items = padded(lists)
        at_ms = np.full(len(pasts), lived.now_ms + day * DAY_MS + 1_000)
        pages = Pages(one_each, at_ms, one_each, items, np.full(len(pasts), IN_SHOP))
        done = behaviour.live(pages).acts.histories()
        pasts = [past.merged(done[person]) for person, past in enumerate(pasts)]
    world.market.stock[:] = stock
    return float(np.mean(entropies[-ENDS:]) / first)


def _pasts(lived: Lived) -> list[History]:
    """Each begins with two videos of their taste."""
    market = lived.world.market
    return [lived.watched(market.of_taste(taste, is_product=False)[:2]) for taste in TASTES]


def _entropy(lived: Lived, listed: Ints) -> float:
    """Of the leaf categories in a list, in nats."""
    counts = np.bincount(lived.world.market.ware[listed])
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


COCOON = Story(
    number=12,
    name="Cocoon",
    measures="entropy of leaf categories in the last lists of thirty days, as a part of the first",
    least=0.85,
    off="no rule asks for more than one interest, and what was watched comes again",
    tell=in_lived(cocoon),
)
