"""People of known tastes and what they did in the sample shop: the planted world."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from recsys.events import EventType, Platform, millis
from training.sample_goods import DAYS, END, PLATFORMS, START, TASTES, Goods, Weights
from training.sample_text import WARES

DAY_MS = 86_400_000
START_MS, END_MS = millis(START), millis(END)
# What people do, and how many of a hundred do it.
DOES = {"both": 0.58, "watches": 0.25, "buys": 0.17}
# Watching and shopping sessions in sixty days, for a person of ordinary pace.
SESSIONS = {"both": (3.3, 2.8), "watches": (4.0, 0.0), "buys": (0.0, 4.4)}
REACTIONS = {
    EventType.LIKE: 0.2,
    EventType.FAVOURITE: 0.07,
    EventType.COMMENT: 0.05,
    EventType.SHARE: 0.04,
    EventType.FOLLOW: 0.03,
}
REPURCHASED = 0.65
# How much a person cares for the ten wares of a taste, the dearest first.
CARES = np.array([6.0, 4.5, 3.0, 2.0, 1.4, 1.0, 0.7, 0.5, 0.3, 0.2])
OFF_TASTE = 0.06
# Shares of the hours of a day in Shanghai: lunch, and the evening most.
HOURS = np.array([2, 1, 0, 0, 0, 0, 1, 3, 4, 4, 4, 5, 8, 7, 4, 3, 3, 4, 6, 8, 11, 12, 10, 6])
SHANGHAI_HOURS = 8


class Act(NamedTuple):
    """One line of the sample's log."""

    at_ms: int
    user_id: str
    item_id: str
    type: EventType
    platform: Platform
    play_s: float | None = None
    duration_s: float | None = None
    dwell_s: float | None = None
    quantity: int | None = None
    amount_minor: int | None = None
    order_id: str | None = None
    position: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """Somebody of known taste.

    Attributes
    ----------
    tastes
        Weights that add up to one.
    does
        A key of `DOES`.
    cares
        Shape (n wares,), how much for each sort of product; adds up to one.
    """

    user_id: str
    tastes: dict[str, float]
    does: str
    platform: Platform
    cares: Weights


def make_people(rng: Generator, n_people: int) -> list[Person]:
    """People of one or two tastes each."""
    return [_person(rng, f"user-{5001 + number}") for number in range(n_people)]


def _person(rng: Generator, user_id: str) -> Person:
    first, second = (TASTES[int(idx)] for idx in rng.permutation(len(TASTES))[:2])
    share = 1.0 if rng.random() < 0.6 else round(float(rng.uniform(0.5, 0.8)), 2)
    tastes = {first: share} | ({second: round(1 - share, 2)} if share < 1 else {})
    cares = np.full(len(WARES), OFF_TASTE / len(WARES))
    for taste, weight in tastes.items():
        own = np.array([idx for idx, ware in enumerate(WARES) if ware.taste == taste])
        cares[rng.permutation(own)] += (1 - OFF_TASTE) * weight * CARES / CARES.sum()
    return Person(
        user_id=user_id,
        tastes=tastes,
        does=str(rng.choice(list(DOES), p=list(DOES.values()))),
        platform=PLATFORMS[int(rng.integers(len(PLATFORMS)))],
        cares=cares,
    )


class Diary:
    """One person's sixty days, written session by session."""

    def __init__(self, person: Person, goods: Goods, rng: Generator) -> None:
        self.person, self.goods, self.rng = person, goods, rng
        self.acts: list[Act] = []
        self._fresh = np.ones(len(goods.videos.items))
        self._owned: set[int] = set()
        self._n_orders = 0

    def live(self) -> list[Act]:
        """Everything the person did, in order of time."""
        first_day = 0 if self._is(0.8) else int(self.rng.integers(DAYS - 15))
        pace = float(self.rng.gamma(2.0, 0.5)) * (DAYS - first_day) / DAYS
        watches, shops = SESSIONS[self.person.does]
        sessions = [
            (self._moment(first_day), write)
            for mean, write in ((watches, self._watch), (shops, self._shop))
            for _ in range(int(self.rng.poisson(mean * pace)) + (mean > 0))
        ]
        for at_ms, write in sorted(sessions, key=lambda session: session[0]):
            write(at_ms)
        return sorted((act for act in self.acts if act.at_ms < END_MS), key=lambda act: act.at_ms)

    def _is(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def _ms(self, mean_s: float) -> int:
        return 1_000 * (1 + int(self.rng.exponential(mean_s)))

    def _moment(self, first_day: int) -> int:
        day = int(self.rng.integers(first_day, DAYS))
        hour = (int(self.rng.choice(24, p=HOURS / HOURS.sum())) - SHANGHAI_HOURS) % 24
        return START_MS + day * DAY_MS + (hour * 3_600 + int(self.rng.integers(3_600))) * 1_000

    def _draw(self, weights: Weights) -> int:
        steps = np.cumsum(weights)
        return int(np.searchsorted(steps, self.rng.random() * steps[-1], side="right"))

    def _cares_for(self, ware: int) -> bool:
        return WARES[ware].taste in self.person.tastes

    def _is_out(self, product: int, at_ms: int) -> bool:
        return bool(self.goods.products.published_ms[product] <= at_ms)

    def _watch(self, at_ms: int) -> None:
        """A feed: mostly what one cares for, and some of what everybody sees."""
        videos = self.goods.videos
        here = np.array([platform is self.person.platform for platform in self.goods.platforms])
        everybody = videos.pull * (videos.published_ms <= at_ms) * np.where(here, 1.0, 0.08)
        own = everybody * self.person.cares[videos.wares]
        is_logged = self._is(0.25)
        for position in range(3 + int(self.rng.poisson(3.2))):
            video = self._draw((own if self._is(0.85) else everybody) * self._fresh)
            shown = self._video_act(at_ms, video, EventType.IMPRESSION)
            if is_logged:
                self.acts.append(shown._replace(position=position))
            if self._is(0.9 if self._cares_for(int(videos.wares[video])) else 0.5):
                at_ms = self._play(at_ms + 1_000, video)
            at_ms += self._ms(4)

    def _video_act(self, at_ms: int, video: int, kind: EventType) -> Act:
        item_id = self.goods.videos.items[video].item_id
        return Act(at_ms, self.person.user_id, item_id, kind, self.goods.platforms[video])

    def _play(self, at_ms: int, video: int) -> int:
        """Watch or read, and what follows from it; gives the time it ended."""
        self._fresh[video] = 0.1
        videos = self.goods.videos
        cares = self._cares_for(int(videos.wares[video]))
        share = float(self.rng.beta(3.5, 1.6) if cares else self.rng.beta(1.1, 4.0))
        duration_s = videos.items[video].duration_s or 0.0
        if duration_s == 0:
            act = self._video_act(at_ms, video, EventType.VIEW)
            spent_s = round(2 + share * 25, 1)
            self.acts.append(act._replace(dwell_s=spent_s))
        else:
            # Of a long video less is watched, even by those who like it.
            spent_s = round(duration_s * share * min(1.0, (30 / duration_s) ** 0.3), 1)
            act = self._video_act(at_ms, video, EventType.PLAY)
            self.acts.append(act._replace(play_s=spent_s, duration_s=duration_s))
        at_ms += round(spent_s) * 1_000
        self._react(at_ms, video, share if cares else 0.0)
        if cares and share > 0.5 and self.person.does == "both" and self._is(0.2):
            self._follow_card(at_ms, video)
        return at_ms

    def _react(self, at_ms: int, video: int, share: float) -> None:
        if share == 0.0:
            if self._is(0.05):
                self.acts.append(self._video_act(at_ms, video, EventType.DISLIKE))
            return
        for kind, probability in REACTIONS.items():
            if share > 0.5 and self._is(probability):
                self.acts.append(self._video_act(at_ms, video, kind))

    def _follow_card(self, at_ms: int, video: int) -> None:
        """From a video to the first product it sells, and sometimes to an order."""
        cards = self.goods.videos.items[video].cards
        if not cards:
            return
        product = self.goods.product_positions[cards[0]]
        if not self._is_out(product, at_ms):
            return
        self._look(at_ms + 2_000, product)
        if self._is(0.4):
            self._order(at_ms + 2_000 + self._ms(120), product)

    def _shop(self, at_ms: int) -> None:
        """Look at some products of one sort, perhaps take one, perhaps order it."""
        ware = self._draw(self.person.cares)
        choices = self.goods.products.of_ware(ware)
        pull = self.goods.products.pull[choices]
        pull = pull * (self.goods.products.published_ms[choices] <= at_ms)
        if not pull.any():
            return
        looked = list(dict.fromkeys(self._draw(pull) for _ in range(3)))
        for choice in looked:
            self._look(at_ms, int(choices[choice]))
            at_ms += self._ms(40)
        if self._is(0.62):
            self._order(at_ms, int(choices[looked[0]]))

    def _product_act(self, at_ms: int, product: int, kind: EventType) -> Act:
        item_id = self.goods.products.items[product].item_id
        return Act(at_ms, self.person.user_id, item_id, kind, Platform.MINIPROGRAM)

    def _look(self, at_ms: int, product: int) -> None:
        dwell_s = round(3 + float(self.rng.exponential(25)), 1)
        act = self._product_act(at_ms, product, EventType.VIEW)
        self.acts.append(act._replace(dwell_s=dwell_s))

    def _order(self, at_ms: int, product: int) -> None:
        """Fill a cart with the product and what belongs to it; pay, or think better of it."""
        if int(self.goods.products.wares[product]) in self._owned:
            return
        together = self._together(at_ms, product)
        for one in together:
            if self._is(0.7):
                cart = self._product_act(at_ms, one, EventType.CART)
                self.acts.append(cart._replace(quantity=1))
        if self._is(0.12):
            self.acts.append(self._product_act(at_ms + 30_000, product, EventType.UNCART))
            return
        self._pay(at_ms + self._ms(90), together)

    def _together(self, at_ms: int, product: int) -> list[int]:
        """The product and what joins it at once; some of the rest is ordered days later."""
        together = [product]
        for other in self.goods.fitting.get(product, ()):
            if not self._is_out(other, at_ms):
                continue
            if self._is(0.5):
                together.append(other)
            elif self._is(0.4):
                self._pay(at_ms + self._ms(3 * 86_400), [other])
        return together

    def _pay(self, at_ms: int, products: list[int]) -> None:
        """One paid order; of what is used up, the next ones; of a few lines, the refund."""
        self._n_orders += 1
        order_id = f"order-{self.person.user_id.removeprefix('user-')}-{self._n_orders}"
        for product in products:
            item = self.goods.products.items[product]
            pieces = 1 if item.durable else 1 + int(self.rng.poisson(0.4))
            paid = self._product_act(at_ms, product, EventType.ORDER)._replace(
                quantity=pieces, amount_minor=pieces * (item.price_minor or 0), order_id=order_id
            )
            self.acts.append(paid)
            self._afterwards(paid, product)

    def _afterwards(self, paid: Act, product: int) -> None:
        ware = int(self.goods.products.wares[product])
        cycle_days = WARES[ware].cycle_days
        if self._is(0.04):
            refund_at_ms = paid.at_ms + 2 * 86_400_000 + self._ms(3 * 86_400)
            self.acts.append(paid._replace(at_ms=refund_at_ms, type=EventType.REFUND))
        elif cycle_days is None:
            self._owned.add(ware)
        elif self._is(REPURCHASED):
            spread = float(self.rng.normal(1.0, 0.12))
            again_ms = paid.at_ms + round(cycle_days * max(spread, 0.5) * 86_400) * 1_000
            if again_ms < END_MS:
                self._pay(again_ms, [product])
