"""What rules do to one list: what they add to the race, and who sits where."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys import kernels_place
from recsys.bars import Bars
from recsys.bundle import Bundle
from recsys.candidates import Candidates, among
from recsys.catalog import Idxs, Kind
from recsys.events import EventType
from recsys.ids import Mask, hash64
from recsys.interactions import DAY_MS, Row
from recsys.ladder import filled
from recsys.limits import Limit
from recsys.models.base import Because
from recsys.pipeline import MAX_SCORED, SOURCE_MS, Context, Course, Placed, Source
from recsys.ruled import Capping, Exposing, Orders
from recsys.stages import barring

PIN, EXPOSURE, EXPLORATION = "pin", "exposure", "exploration"
ADDING = (PIN, EXPOSURE, EXPLORATION)
# Stages about what the person has already: a pin is for everybody.
ABOUT_THE_PERSON = frozenset({"bought", "seen", "same_need"})
# Chance looks at so many items that stand side by side in one shuffled order of the catalogue.
BLOCK = 64
# So many are drawn for each place, as some may not be shown to this person.
DRAWN = 4
# Multiplied by it, modulo the number of items, positions are shuffled; golden ratio of 2^32.
STEP = 2_654_435_769
IMPRESSION, VIDEO = int(EventType.IMPRESSION), int(Kind.VIDEO)
# What notes call items that come although they were to come less often.
CAPPED = "cap"


class Unheard:
    """What a rule adds says nothing of anybody's history."""

    is_personal: ClassVar[bool] = False

    def because(self, _row: Row, items: Idxs) -> list[Because | None]:
        """Nothing of the row."""
        return [None] * len(items)


# Who speaks for what rules add.
SPEAKING = dict.fromkeys(ADDING, Unheard())


@dataclass(frozen=True, slots=True)
class Added:
    """An item that a rule brings, and its seat from 0."""

    item_idx: int
    seat: int
    source: str
    probability: float | None = None


class Steered(NamedTuple):
    """A list as rules want it.

    Attributes
    ----------
    course
        The course with what rules add as sources.
    chances
        By item, with what chance it was drawn.
    relaxed
        Limits that candidates did not allow to keep.
    """

    placed: Placed
    course: Course
    chances: dict[int, float]
    relaxed: tuple[str, ...]


def under_rules(bundle: Bundle, context: Context) -> Context:
    """The context as the shop's rules change it: they choose among everybody who raced."""
    orders = orders_for(bundle, context)
    if orders is None:
        return context
    return replace(context, k=max(MAX_SCORED, context.k), blocked=orders.blocked)


def orders_for(bundle: Bundle, context: Context) -> Orders | None:
    """What rules, and the scene's own mix, ask of a list; None where nothing is asked."""
    orders = None
    if bundle.rules is not None:
        tier = context.standing.tier.value
        orders = bundle.rules.orders(context.scene, tier, context.at_ms)
    mix = bundle.mix_for(context)
    if mix is None or not mix.in_row:
        return orders
    row = Limit(name="commercial", by="commercial", in_a_row=mix.in_row)
    orders = orders or Orders()
    return replace(orders, limits=(*orders.limits, row))


def steered(race: Placed, course: Course, bundle: Bundle, *, k: int, draw: str) -> Steered:
    """The list of k, full, and as rules want it where there are any.

    Parameters
    ----------
    race
        What is left of the race, made in a context of `under_rules`.
    draw
        What chance is drawn from: the list's id, so that the same list comes out the same.
    """
    orders = orders_for(bundle, course.context)
    if orders is None:
        return Steered(filled(race, course, bundle), course, {}, ())
    steering = Steering(orders=orders, course=course, bundle=bundle, k=k, draw=draw)
    return steering.steered(race)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Steering:
    """The rules of one list at work; parameters as of `steered`."""

    orders: Orders
    course: Course
    bundle: Bundle
    k: int
    draw: str

    def steered(self, race: Placed) -> Steered:
        """The list, out of everything that is left of the race, best first of each kind."""
        added = self._added(race.candidates)
        course = self._course_with(added)
        placed, fixed = self._with(race, added)
        n_race = len(placed.candidates)
        order, relaxed = self._seated(placed.candidates, fixed)
        has_time = course.remaining_ms() >= SOURCE_MS
        if len(order) < self.k or (relaxed and has_time):
            # What is popular may be what limits ask for; it comes behind all that raced. A page is
            # not left empty for want of time.
            context = replace(course.context, k=n_race + 2 * self.k)
            placed = filled(placed, replace(course, context=context), self.bundle)
            order, relaxed = self._seated(placed.candidates, fixed)
        rung = placed.rung if (order >= n_race).any() else race.rung
        found = replace(placed, candidates=placed.candidates.take(order), rung=rung)
        chances = {one.item_idx: one.probability for one in added if one.probability is not None}
        return Steered(found, course, chances, relaxed)

    def _course_with(self, added: list[Added]) -> Course:
        if not added:
            return self.course
        pipeline = self.course.pipeline
        more = tuple(Source(name=name, model=name) for name in ADDING)
        pipeline = replace(pipeline, sources=(*pipeline.sources, *more))
        return replace(self.course, pipeline=pipeline)

    def _with(self, race: Placed, added: list[Added]) -> tuple[Placed, NDArray[np.int32]]:
        """Everybody who races, those that rules bring among them, and whose seats are fixed."""
        fixed = np.full(self.k, -1, dtype=np.int32)
        if not added:
            return race, fixed
        old = race.candidates
        places = {item_idx: place for place, item_idx in enumerate(old.items.tolist())}
        new = [one.item_idx for one in added if one.item_idx not in places]
        places |= {item_idx: len(old) + number for number, item_idx in enumerate(new)}
        lowest = min(0.0, float(old.scores.min(initial=0.0)))
        parts = np.zeros((len(old.parts) + len(ADDING), len(old) + len(new)))
        parts[: len(old.parts), : len(old)] = old.parts
        strongest = 1.0 + float(old.parts.max(initial=0.0))
        for one in added:
            fixed[one.seat] = places[one.item_idx]
            parts[len(old.parts) + ADDING.index(one.source), places[one.item_idx]] = strongest
        candidates = Candidates(
            np.concatenate([old.items, np.array(new, dtype=np.int32)]),
            np.concatenate([old.scores, np.full(len(new), lowest)]),
            parts,
        )
        return replace(race, candidates=candidates), fixed

    def _seated(
        self, candidates: Candidates, fixed: NDArray[np.int32]
    ) -> tuple[NDArray[np.int32], tuple[str, ...]]:
        """Candidates by seat, and the limits that do not hold."""
        items, catalog, limits = candidates.items, self.course.catalog, self.orders.limits
        labels = np.zeros((len(items), len(limits)), dtype=np.int32)
        table = np.zeros((kernels_place.N_LIMITS, len(limits)), dtype=np.int32)
        for number, limit in enumerate(limits):
            labels[:, number] = limit.labels(items, catalog)
            table[:, number] = limit.column(self.k)
        moves, no_moves = self.orders.moves, np.zeros(len(items), dtype=np.int32)
        order, broken = kernels_place.seated(
            (catalog.kind[items] == VIDEO).view(np.int8),
            no_moves if moves is None else moves[items],
            fixed,
            labels,
            table,
            self._is_late(items),
            self._video_share(),
        )
        names = (*(limit.name for limit in limits), CAPPED)
        return order, tuple(name for name, is_so in zip(names, broken, strict=True) if is_so)

    def _video_share(self) -> float:
        return self.course.pipeline.video_share

    def _is_late(self, items: Idxs) -> Mask:
        late = np.zeros(len(items), dtype=np.bool_)
        for cap in self.orders.caps:
            late |= self._is_capped(items, cap)
        return late

    def _is_capped(self, items: Idxs, cap: Capping) -> Mask:
        """Which items were on this person's screen as often as they may be."""
        history, at_ms = self.course.context.history, self.course.context.at_ms
        is_recent = (history.type == IMPRESSION) & (history.at_ms > at_ms - cap.days * DAY_MS)
        shown, counts = np.unique(history.item[is_recent], return_counts=True)
        found = among(items, shown[counts >= cap.times])
        return found if cap.is_member is None else found & cap.is_member[items]

    def _added(self, race: Candidates) -> list[Added]:
        """What rules bring, each at its seat; a seat and an item are given once."""
        if not (self.orders.pins or self.orders.exposing or self.orders.explored):
            return []
        added: dict[int, Added] = {}
        for seat, item_idx in self._pins():
            added[seat] = Added(item_idx, seat, PIN)
        # What stands in the list without help needs none.
        known = {*race.items[: self.k].tolist(), *(one.item_idx for one in added.values())}
        drawn = [*self._exposed(known), *self._explored(race)]
        known = {one.item_idx for one in added.values()}
        drawn = [one for one in drawn if one[0] not in known][: self.k - len(added)]
        for number, (item_idx, source, probability) in enumerate(drawn):
            seat = self._free_seat(number, len(drawn), added)
            added[seat] = Added(item_idx, seat, source, probability)
        return list(added.values())

    def _pins(self) -> Iterator[tuple[int, int]]:
        pins = [(seat, item_idx) for seat, item_idx in self.orders.pins if seat < self.k]
        if not pins:
            return
        items = np.array([item_idx for _, item_idx in pins], dtype=np.int32)
        asked = [name for name in self.course.pipeline.stages if name not in ABOUT_THE_PERSON]
        bars = barring(asked, self.course.context, self.course.catalog)
        allowed = set(self._allowed(items, bars).tolist())
        yield from ((seat, item_idx) for seat, item_idx in pins if item_idx in allowed)

    def _exposed(self, known: set[int]) -> Iterator[tuple[int, str, None]]:
        """Items that impressions are owed to, as many as are due."""
        for number, one in enumerate(self.orders.exposing):
            n = self._times(
                one.promise.share(one.owed[-1], one.opportunities, self.course.context.at_ms),
                f"exposing {number}",
            )
            for item_idx in self._owed(one, n, number):
                if n > 0 and item_idx not in known:
                    known.add(item_idx)
                    n -= 1
                    yield item_idx, EXPOSURE, None

    def _owed(self, one: Exposing, n: int, number: int) -> list[int]:
        if n == 0:
            return []
        drawn = one.drawn(self._chance(f"owed {number} {turn}") for turn in range(n * DRAWN))
        published_ms = self.course.catalog.published_ms[drawn]
        if one.new_ms:
            drawn = drawn[published_ms > self.course.context.at_ms - one.new_ms]
        found = self._allowed(drawn, self.course.bars)
        owed: list[int] = found[~self._is_late(found)].tolist()
        return owed

    def _explored(self, race: Candidates) -> Iterator[tuple[int, str, float]]:
        """Items drawn from one block of a shuffled catalogue, each of those allowed as likely.

        Blocks are as likely as each other, so the chance of each item is known.
        """
        n = self._times(self.orders.explored, "exploring")
        n_items = len(self.course.catalog)
        if n == 0 or self.course.remaining_ms() < SOURCE_MS:
            return
        n_blocks = -(-n_items // BLOCK)
        block = int(self._chance("block") * n_blocks)
        at = np.arange(block * BLOCK, min((block + 1) * BLOCK, n_items), dtype=np.int64)
        items = (at * _coprime(n_items) % n_items).astype(np.int32)
        items = items[~(self.course.catalog.ad[items] | among(items, race.items))]
        items = self._allowed(items, self.course.bars)
        items = items[~self._is_late(items)]
        probability = self.k * self.orders.explored / (n_blocks * max(len(items), 1))
        left = items.tolist()
        for turn in range(min(n, len(left))):
            item_idx = left.pop(int(self._chance(f"explored {turn}") * len(left)))
            yield item_idx, EXPLORATION, min(probability, 1 / n_blocks)

    def _allowed(self, items: Idxs, bars: Bars) -> Idxs:
        """Those of the items that are of a kind shown and not barred, each once."""
        if len(items) == 0:
            return items
        items = np.array(list(dict.fromkeys(items.tolist())), dtype=np.int32)
        if len(self.course.context.kinds) < len(Kind):
            items = items[np.isin(self.course.catalog.kind[items], self.course.context.kinds)]
        return items[~bars.removed(items)]

    def _free_seat(self, number: int, n: int, taken: dict[int, Added]) -> int:
        """A seat in the second half of the number-th of n equal stretches, or the next free one.

        What chance or a promise brings is spread over the list and does not open it.
        """
        start, end = self.k * number / n, self.k * (number + 1) / n
        seat = int(start + (end - start) * (1 + self._chance(f"seat {number}")) / 2)
        while seat in taken:
            seat = (seat + 1) % self.k
        return seat

    def _times(self, share: float, what: str) -> int:
        """A share of the list as a whole number that is right on average."""
        return int(share * self.k + self._chance(what))

    def _chance(self, what: str) -> float:
        """A number from 0 to 1, the same for the same list and question."""
        return hash64(f"{self.draw} {what}") / 2**64


def _coprime(n: int) -> int:
    """A factor that shuffles the positions 0 … n − 1 without meeting one twice."""
    step = STEP % n or 1
    while np.gcd(step, n) != 1:
        step += 1
    return step
