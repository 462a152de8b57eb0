"""A world that was lived in for a while, and people put into it to see what their lists are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from data.home import Home
from recsys.bundle import Bundle
from recsys.catalog import Item
from recsys.events import EventType, ServedList, moment
from recsys.histories import History
from recsys.interactions import DAY_MS
from recsys.mix import Mix
from recsys.recommend import Request, recommend
from training.config import TrainConfig
from training.sample_goods import TASTES, Ints
from training.simulation.acts import IN_SHOP, NUMBERS
from training.simulation.market import NOTHING
from training.simulation.people import COLD
from training.simulation.planted import of_old, of_today
from training.simulation.shopfront import Near
from training.simulation.world import Size, World, lived

# Days that go by before anybody asks, so that what is used up was bought again.
DAYS = 60
PEOPLE = 300
LIST_K = 20
# Whoever stands so little above a taste that nobody taught does not care for it.
COLD_MOST = COLD + 0.9
PAGE_S = 40.0
BETWEEN_MS = 60_000
# How much is for sale is the matter of one story; the lists of all others are half and half.
HALF = Mix(floor=0.5, ceiling=0.5)


@dataclass(slots=True, eq=False)
class Lived:
    """A world on the evening of its last day, its shop with a bundle of everything so far.

    Attributes
    ----------
    now_ms
        The moment that lists are asked at.
    """

    world: World
    shop: Near
    now_ms: int

    @classmethod
    def made(cls, seed: int, folder: Path) -> Self:
        """The world of a seed; nothing is evaluated and reciprocal ranks order its lists."""
        more = [*of_old(), *of_today()]
        world = World.drawn(seed, Size(n_people=PEOPLE, is_small=True), more)
        config = TrainConfig().unscored
        config = replace(config, mixes={**config.mixes, "home": HALF})
        shop = Near(Home(folder), world.item_ids, config)
        lived(world, shop, DAYS, learn_every=DAYS)
        return cls(world, shop, world.start_ms + DAY_MS // 2)

    @property
    def bundle(self) -> Bundle:
        """The bundle in use."""
        assert self.shop.bundle is not None
        return self.shop.bundle

    def cold(self, taste: str, n: int) -> Ints:
        """Up to so many people who never cared for a taste, but did something here."""
        level = self.world.people.steady[:, TASTES.index(taste)]
        acted = np.array([len(self.shop.history(one)) > 0 for one in range(len(level))])
        return np.flatnonzero((level < COLD_MOST) & acted)[:n]

    def past(self, person: int) -> History:
        """What somebody did on a platform on their last day there: who is new in this shop."""
        history = self.shop.history(person)
        history = history.take(history.platform != NUMBERS[IN_SHOP])
        return history.take(history.at_ms >= history.at_ms[-1:].sum() - DAY_MS)

    def did(
        self,
        kind: EventType,
        items: Sequence[int] | Ints,
        *,
        days_ago: float = 0.01,
        order: int = 0,
    ) -> History:
        """One act on each item, a minute apart, as long ago as said; a play goes to the end."""
        chosen, market = np.asarray(items, dtype=np.int32), self.world.market
        n, start = len(chosen), self.now_ms - round(days_ago * DAY_MS)
        length_s = market.duration_s[chosen]
        value = {EventType.PLAY: length_s, EventType.VIEW: np.full(n, PAGE_S)}.get(kind, np.ones(n))
        return History(
            item=chosen,
            type=np.full(n, int(kind), dtype=np.int8),
            at_ms=start - BETWEEN_MS * np.arange(n, 0, -1, dtype=np.int64),
            value=np.asarray(value, dtype=np.float32),
            duration_s=np.where(kind is EventType.PLAY, length_s, np.nan).astype(np.float32),
            order=np.full(n, order, dtype=np.int64),
            platform=NUMBERS[np.where(market.is_product[chosen], IN_SHOP, market.platform[chosen])],
        )

    def watched(self, videos: Sequence[int] | Ints, *, days_ago: float = 0.01) -> History:
        """Videos watched to the end, and notes read."""
        chosen = np.asarray(videos)
        is_note = self.world.market.duration_s[chosen] == 0
        plays = self.did(EventType.PLAY, chosen[~is_note], days_ago=days_ago)
        return plays.merged(self.did(EventType.VIEW, chosen[is_note], days_ago=days_ago))

    def listed(
        self,
        history: History,
        *,
        scene: str = "home",
        k: int = LIST_K,
        beside: int | None = None,
        bundle: Bundle | None = None,
        days_on: float = 0.0,
    ) -> Ints:
        """Positions of a list for who has this history, days from now; beside one item or none."""
        basket = () if beside is None else (self.world.item_ids[beside],)
        request = Request(scene=scene, user_id="user-1", k=k, basket=basket)
        asked, places = self.bundle if bundle is None else bundle, self.world.market.positions
        served = self.served(request, history, asked, days_on)
        return np.array([places[one.item_id] for one in served.items], dtype=np.int64)

    def served(
        self, request: Request, history: History, bundle: Bundle, days_on: float = 0.0
    ) -> ServedList:
        """A list as it is served to who has this history, days from now."""
        at = moment(self.now_ms + round(days_on * DAY_MS))
        placed = self.shop.placed(history)
        return recommend(request, placed, bundle, at=at, list_id="story").served

    def hearing(self, *kinds: EventType) -> Bundle:
        """The bundle, deaf to all acts but these."""
        taste = self.bundle.taste
        return replace(
            self.bundle, taste=replace(taste, weighting=taste.weighting.only(frozenset(kinds)))
        )

    def without(self, *models: str) -> Bundle:
        """The bundle without some models, and without the sources that ask them."""
        pipelines = {
            scene: replace(one, sources=tuple(s for s in one.sources if s.model not in models))
            for scene, one in self.bundle.pipelines.items()
        }
        kept = {name: one for name, one in self.bundle.models.items() if name not in models}
        return replace(self.bundle, pipelines=pipelines, models=kept)

    def open_today(self) -> None:
        """The shop gets what comes in on this day."""
        self.put([one.item for one in of_today()])

    def put(self, items: Sequence[Item]) -> None:
        """Items as they are from now on, or new ones."""
        self.shop.put_items(items, moment(self.now_ms))


def share(listed: Ints, wanted: Ints) -> float:
    """What part of a list is among the wanted."""
    return float(np.isin(listed, wanted).mean()) if len(listed) else 0.0


def padded(lists: Sequence[Ints]) -> Ints:
    """Shape (n lists, LIST_K). Lists one under the other, with nothing behind a shorter one."""
    found = np.full((len(lists), LIST_K), NOTHING)
    for row, one in enumerate(lists):
        found[row, : len(one)] = one
    return found
