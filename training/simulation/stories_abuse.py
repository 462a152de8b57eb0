"""The story of bought votes: accounts that are paid to lift a product beside the best seller."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.home import Home
from recsys.events import Event, EventType, Platform, moment
from recsys.histories import History
from recsys.interactions import DAY_MS
from training.sample_goods import Ints
from training.simulation.ground import Figures, in_lived
from training.simulation.lived import Lived
from training.simulation.planted import LIFTED
from training.simulation.shopfront import Near
from training.simulation.stories import Story

# One account in a hundred, each of the last seven days, with looks at anything to hide among.
SHARE, DAYS, HIDING = 0.01, 7, 3
# How many times its usual votes of a day a pair may get, as the guide on abuse says it.
PAIR_CAP = 3.0
TOP_K, PEOPLE = 50, 60
SEED = 14


def abuse(lived: Lived) -> Figures:
    """Lists of fifty that the bought product is not in, with the cap on pairs and without."""
    return Figures(_clean(lived, PAIR_CAP), _clean(lived, 0.0))


def _clean(lived: Lived, pair_cap: float) -> float:
    """Share of people's lists, at home and beside the best seller, that the product is not in."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "home"
        shutil.copytree(lived.shop.home.root, root, ignore=shutil.ignore_patterns("bundles"))
        config = replace(lived.shop.config, pair_cap=pair_cap)
        shop = Near(Home(root), lived.world.item_ids, config, histories=lived.shop.histories)
        shop.take(_bought(lived), {}, moment(lived.now_ms))
        shop.learn(moment(lived.world.start_ms))
        attacked = replace(lived, shop=shop)
        found = [LIFTED in _items(attacked, past) for past in _pasts(lived)]
        shop.close()
    return 1.0 - float(np.mean(found))


def _items(lived: Lived, past: History) -> set[str]:
    """What is in the first fifty of either list, chance and promises left out."""
    bundle = lived.bundle.ruled(())
    listed = [
        lived.listed(past, bundle=bundle, k=TOP_K),
        lived.listed(past, bundle=bundle, k=TOP_K, scene="product", beside=best_seller(lived)),
    ]
    return {lived.world.item_ids[idx] for idx in np.concatenate(listed).tolist()}


def _pasts(lived: Lived) -> list[History]:
    """People of all tastes who just looked at the best seller."""
    looked = lived.did(EventType.VIEW, [best_seller(lived)])
    return [lived.past(person).merged(looked) for person in range(PEOPLE)]


def best_seller(lived: Lived) -> int:
    """The product that most people ordered."""
    orders = [one.item[one.type == EventType.ORDER] for one in lived.shop.histories.values()]
    counts = np.bincount(np.concatenate([np.unique(one) for one in orders]))
    return int(np.argmax(counts))


def _bought(lived: Lived) -> list[Event]:
    """What the accounts do: look at both, order the one, and look at anything else."""
    rng, events = np.random.default_rng(SEED), list[Event]()
    target, best = lived.world.market.positions[LIFTED], best_seller(lived)
    for account in range(round(SHARE * len(lived.world.people))):
        for day in range(1, DAYS + 1):
            at_ms = lived.world.start_ms - day * DAY_MS + 60_000 * account
            others: Ints = rng.integers(len(lived.world.market), size=HIDING)
            views = [(EventType.VIEW, item_idx) for item_idx in (target, best, *others.tolist())]
            for step, (kind, item_idx) in enumerate([*views, (EventType.ORDER, target)]):
                events.append(_event(lived, account, kind, item_idx, at_ms + 10_000 * step))
    return events


def _event(lived: Lived, account: int, kind: EventType, item_idx: int, at_ms: int) -> Event:
    is_order = kind is EventType.ORDER
    return Event(
        event_id=f"bought-{account}-{at_ms}",
        user_id=f"account-{account}",
        item_id=lived.world.item_ids[item_idx],
        type=kind,
        at=moment(at_ms),
        platform=Platform.MINIPROGRAM,
        quantity=1 if is_order else None,
        amount_minor=9_900 if is_order else None,
        order_id=f"bought-{account}-{at_ms}" if is_order else None,
    )


ABUSE = Story(
    number=14,
    name="Abuse",
    measures="share of people in whose lists of fifty a product is not that 1 % of accounts, paid "
    "for seven days, lift beside the best seller",
    least=0.98,
    off="pairs may be as fast as they like",
    tell=in_lived(abuse),
)
