"""One simulated world: its market, its people, and the days they live in a shop."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Self

import numpy as np

from recsys.events import EventType, moment
from recsys.interactions import DAY_MS
from recsys.recommend import Request
from training.sample_goods import PLATFORMS, Ints
from training.sample_people import HOURS, SHANGHAI_HOURS, START_MS
from training.simulation.acts import IN_SHOP, Acts, Names
from training.simulation.behaviour import Behaviour, Outcome, Pages
from training.simulation.figures import Day
from training.simulation.luck import Lot, Luck
from training.simulation.market import NOTHING, Floats, Market, Placed
from training.simulation.nature import Nature
from training.simulation.people import People
from training.simulation.shopfront import Asked, Shopfront
from training.simulation.wants import Wants

# Places of a home list, and of the one after checkout.
HOME_K, CHECKOUT_K = 12, 6
# Videos of one visit to a platform, and the chance of such a visit on a day.
FEED_K, FEED_VISITS = 10, 0.35
# A platform shows what is much seen, and what its visitors like: this much of their likings.
FEED_LIKING = 0.8
# Who searches does so this long after coming.
SEARCHED_MS = 1_200_000
# Two sorts of visits, and tastes, each with luck of its own every day.
TO_SHOP, TO_PLATFORM, DRIFT = range(3)
# What is sold out comes in again after some days.
RESTOCK_EVERY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a world is."""

    n_people: int
    is_small: bool = False


@dataclass(slots=True, eq=False, kw_only=True)
class World:
    """Everything there is, and the day it is.

    Attributes
    ----------
    today
        Days that have passed.
    known
        Positions of items that the shop was told of.
    """

    behaviour: Behaviour
    seed: int
    today: int = 0
    known: set[int] = field(default_factory=set)
    _list_ids: dict[int, str] = field(default_factory=dict)
    _events: Iterator[int] = field(default_factory=count)

    @classmethod
    def drawn(cls, seed: int, size: Size, more: Sequence[Placed] = ()) -> Self:
        """The world of a seed; with `more` in its market."""
        rng = np.random.default_rng(seed)
        nature = Nature.drawn(rng)
        market = Market.drawn(rng, is_small=size.is_small, more=more)
        people = People.drawn(rng, size.n_people, nature, market, day=START_MS / DAY_MS)
        return cls(behaviour=Behaviour(Wants(people, market, nature), Luck(seed)), seed=seed)

    @property
    def people(self) -> People:
        """Who lives here."""
        return self.behaviour.wants.people

    @property
    def market(self) -> Market:
        """What there is."""
        return self.behaviour.wants.market

    @property
    def luck(self) -> Luck:
        """All chance of this world's days."""
        return self.behaviour.luck

    @property
    def start_ms(self) -> int:
        """When this day begins."""
        return START_MS + self.today * DAY_MS

    @property
    def names(self) -> Names:
        """What positions are called outside."""
        return Names(self.people.user_ids, self.item_ids, self._list_ids, self._new_id)

    @property
    def item_ids(self) -> tuple[str, ...]:
        """By position."""
        return tuple(one.item.item_id for one in self.market.placed)

    def live_day(self, shop: Shopfront) -> Day:
        """Everybody lives one day: in the shop, and on the platforms; then tastes drift.

        What was done on platforms comes to the shop at night, as their exports do: nothing may be
        in a history that happens later than the list.
        """
        self.tell_items(shop)
        self.record(shop, self.behaviour.due_refunds(self.start_ms))
        who, at_ms = self._visitors(self.people.pace * self.people.mood, TO_SHOP)
        # Before it has learned anything there is nothing to look at, but one can search.
        looking = who if shop.is_open else who[:0]
        visits = self.in_shop(shop, "home", looking, at_ms[: len(looking)])
        chance = self.behaviour.wants.nature.search if shop.is_open else 1.0
        searchers = self.luck.even(Lot.SEARCHES, self.today, who) < chance
        found = self.behaviour.search(who[searchers], at_ms[searchers] + SEARCHED_MS)
        self.record(shop, [visits.acts, found])
        checkouts = self._after_checkout(shop, Acts.joined([visits.acts, found]))
        outside = self.on_platforms()
        self.record(shop, [outside.acts])
        self.today += 1
        self.people.drift(self._luck_of_today(DRIFT), self.behaviour.wants.nature)
        return Day.of(self.today, who, [outside, visits, checkouts], found)

    def tell_items(self, shop: Shopfront) -> None:
        """The shop hears of what is new, sold out or in again today."""
        market = self.market
        if self.today % RESTOCK_EVERY == 0:
            first = np.array([one.item.stock or 0 for one in market.placed])
            market.stock[:] = np.where(market.is_product, np.maximum(market.stock, first), 0)
        out = np.flatnonzero(market.out(self.start_ms)).tolist()
        told = [idx for idx in out if idx not in self.known or market.has_turned(idx)]
        market.told(told)
        self.known.update(out)
        if told:
            shop.put_items([market.item(idx) for idx in told], moment(self.start_ms))

    def on_platforms(self) -> Outcome:
        """What people watch on the four platforms, of which the shop hears by their exports."""
        who, at_ms = self._visitors(np.full(len(self.people), FEED_VISITS), TO_PLATFORM)
        items = np.full((len(who), FEED_K), NOTHING)
        market = self.market
        for place in range(len(PLATFORMS)):
            rows = np.flatnonzero(self.people.platform[who] == place)
            there = np.flatnonzero((market.platform == place) & market.out(self.start_ms))
            likings = self.people.likings(who[rows, None], market.ware[there][None, :])
            pull = FEED_LIKING * likings + market.quality[there]
            noise = self.luck.gumbel(Lot.IS_SHOWN, self.today, who[rows, None], there[None, :])
            order = np.argsort(-(pull + noise), axis=1)[:, :FEED_K]
            items[rows, : order.shape[1]] = there[order]
        nothing = np.full(len(who), NOTHING)
        return self.behaviour.live(Pages(who, at_ms, nothing, items, self.people.platform[who]))

    def in_shop(
        self,
        shop: Shopfront,
        scene: str,
        who: Ints,
        at_ms: Ints,
        baskets: Sequence[tuple[str, ...]] = (),
    ) -> Outcome:
        """People look at a list each that the shop makes for them."""
        k = HOME_K if scene == "home" else CHECKOUT_K
        asked = [
            Asked(
                Request(
                    scene=scene,
                    user_id=self.people.user_ids[person],
                    k=k,
                    basket=baskets[row] if baskets else (),
                ),
                person,
                at,
            )
            for row, (person, at) in enumerate(zip(who.tolist(), at_ms.tolist(), strict=True))
        ]
        positions, first = self.market.positions, len(self._list_ids)
        items = np.full((len(asked), k), NOTHING)
        for row, shown in enumerate(shop.lists(asked)):
            items[row, : len(shown.items)] = [positions[item_id] for item_id in shown.items]
            self._list_ids[first + row] = shown.list_id
        numbers = first + np.arange(len(asked))
        return self.behaviour.live(Pages(who, at_ms, numbers, items, np.full(len(who), IN_SHOP)))

    def record(self, shop: Shopfront, parts: list[Acts]) -> None:
        """What was done, as events, to the shop."""
        if not parts:
            return
        acts = Acts.joined(parts)
        at = moment(max(self.start_ms + DAY_MS, int(acts.at_ms.max(initial=0))))
        shop.take(acts.events(self.names), acts.histories(), at)

    def _after_checkout(self, shop: Shopfront, acts: Acts) -> Outcome:
        """Who ordered sees one more list, beside the last order of the day."""
        orders = acts.take(acts.type == EventType.ORDER)
        who, firsts = np.unique(orders.who[::-1], return_index=True)
        last = orders.take(len(orders) - 1 - firsts)
        # Acts stand person by person in order of time: the checkout comes after all of them.
        ended_ms = acts.at_ms[np.searchsorted(acts.who, who, side="right") - 1]
        baskets = [(self.item_ids[item],) for item in last.item.tolist()]
        outcome = self.in_shop(shop, "post_checkout", who, ended_ms + 5_000, baskets)
        self.record(shop, [outcome.acts])
        return outcome

    def _visitors(self, chance: Floats, where: int) -> tuple[Ints, Ints]:
        """Who comes on this day, and when.

        The luck of it is the day's own, as all luck here is: see `training.simulation.luck`.
        """
        rng = self._luck_of_today(where)
        who = np.flatnonzero(rng.random(len(chance)) < chance)
        # Drawn for everybody, so that who comes does not change when another does.
        hours = rng.choice(24, p=HOURS / HOURS.sum(), size=len(chance))[who]
        seconds = (hours - SHANGHAI_HOURS) % 24 * 3_600 + rng.integers(3_600, size=len(chance))[who]
        return who, self.start_ms + 1_000 * seconds

    def _luck_of_today(self, what: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, self.today, what))

    def _new_id(self) -> str:
        return f"sim-{self.seed}-{next(self._events)}"


def unwatched(_day: Day) -> None:
    """A day that nobody is told of."""


def lived(
    world: World,
    shop: Shopfront,
    days: int,
    learn_every: int,
    tell: Callable[[Day], None] = unwatched,
) -> list[Day]:
    """Days one after the other; the shop learns every so many of them."""
    told = []
    for _ in range(days):
        told.append(world.live_day(shop))
        tell(told[-1])
        if world.today % learn_every == 0:
            shop.learn(moment(world.start_ms))
    return told
