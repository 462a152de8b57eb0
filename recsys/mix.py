"""How much of a mixed list is for sale: learned of each person from watching, buying and staying.

What a kind of item brings a seat is drawn to what is usual as far as the person's own past is
short. Between the bounds an operator sets, the share is the best of: half of what products bring
times the logarithm of their share, the same of videos, and what the share changes about coming
back. The logarithms say that further seats bring less, so that neither kind takes all; without the
last term the shares are as what the kinds bring.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys import kernels_seen
from recsys.catalog import Catalog
from recsys.histories import UNDATED, Histories
from recsys.interactions import Acts, Row, Taste
from recsys.kernels_seen import ACTS, GAINS, N_SUMS, SEEN
from recsys.staying import SPELL_MS, Staying, Trials, chance

Floats = NDArray[np.float64]

# So many shares between floor and ceiling, both included, are told apart.
N_LEVELS = 9
# Acts nobody told an impression of stand for so many seats: a third of what is seen is acted on.
SEATS_AN_ACT = 3.0
# Fewer impressions say nothing of how much of what people see is for sale.
LEAST_SEEN = 10
# How many seats of what is usual a person's own may count against.
PRIORS = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0)
PERSONS_ASKED = 20_000


class Share(NamedTuple):
    """What became of one list: the share of products, and how likely it was to be that."""

    commerce: float
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """The share of products in one scene.

    Parameters
    ----------
    floor, ceiling
        The least and the largest share of products, 0 to 1.
    in_row
        So many commercial items (products, and what carries the 广告 mark) may follow each other;
        0 means any number.
    exploration
        The share of known persons whose lists are one step (an eighth of what lies between the
        bounds) beside the best share for a spell of 28 days, up or down as chance has it, so that
        it is learned what shares do to coming back; 0 to 1.
    half_life_days
        After this long what was seen counts half, as what was done does; 0 means no decay.
    video, product
        Learned: what one seat of a kind usually brings, in weights of events.
    prior_seats
        Learned: a person's own seats count as what is usual where there are so many.
    usual
        Learned: the usual share of products among what people see.
    staying
        Learned: which part of their visits people leave out (below 0), or come more often, where
        lists are of products only rather than of videos only; on the careful side of what is known.
    """

    floor: float = 0.05
    ceiling: float = 0.6
    in_row: int = 3
    exploration: float = 0.2
    half_life_days: float = 60.0
    video: float = 1.0
    product: float = 1.0
    prior_seats: float = 40.0
    usual: float = 0.5
    staying: float = Staying().careful

    def share(self, row: Row, catalog: Catalog, user_id: str | None) -> Share:
        """The share of products for one person's row; the same through a spell while it is."""
        acts = row.acts
        if user_id is None or acts is None or len(acts.events) == 0:
            # Nobody's list is tried out on: it is the same for all of whom nothing is known.
            return Share(self._level(self.best(NOTHING)), 1.0)
        levels, last = self.levels, len(self.levels) - 1
        best = levels.index(self._level(self.best(self.seen_by(acts, catalog)[0].tolist())))
        step = self.step(chance(user_id, acts.at_ms // SPELL_MS))
        level = min(max(best + step, 0), last)
        told = sum(
            chance for step, chance in self._steps() if min(max(best + step, 0), last) == level
        )
        return Share(levels[level], told)

    def step(self, lot: float) -> int:
        """By how many levels a lot between 0 and 1 moves somebody's share: −1, 0 or 1."""
        if lot >= self.exploration:
            return 0
        return 1 if lot < self.exploration / 2 else -1

    def drawn(self, lot: float) -> float:
        """The same as a share."""
        return self.step(lot) * (self.ceiling - self.floor) / (N_LEVELS - 1)

    def _steps(self) -> tuple[tuple[int, float], ...]:
        aside = self.exploration / 2
        return ((-1, aside), (0, 1 - self.exploration), (1, aside))

    def seen_by(self, acts: Acts, catalog: Catalog) -> Floats:
        """Shape (n_persons, N_SUMS). What each person saw and did.

        Of each kind, videos before products: gains, impressions, acts. An act on a product is what
        that product's seat brought if it was on a screen within a day before; what a video's cards
        sold, the video's brought; and what somebody looked for themselves, none.
        """
        events = acts.events
        found: Floats = kernels_seen.seen_and_done(
            events.item,
            events.type,
            events.at_ms,
            acts.weights,
            acts.histories.offsets,
            catalog.kind,
            (catalog.cards.offsets, catalog.cards.targets),
            self.half_life_days,
            acts.at_ms,
        )
        return found

    def best(self, sums: Sequence[float]) -> float:
        """The best share for a person's sums, as `seen_by` gives them, within the bounds."""
        video, product = self.rates(sums)
        # What a day more is worth, a seat: a visit has as many seats as this list.
        day = self.usual * product + (1 - self.usual) * video
        peak = _peak(product, video, 2 * self.staying * day)
        return min(max(peak, self.floor), self.ceiling)

    def rates(self, sums: Sequence[float]) -> tuple[float, float]:
        """What one seat of each kind brings the person: video, product."""
        video_seats, product_seats = seats_of(sums, self.usual)
        prior, gains = self.prior_seats, sums[GAINS : GAINS + 2]
        return (
            (max(gains[0], 0.0) + prior * self.video) / (video_seats + prior),
            (max(gains[1], 0.0) + prior * self.product) / (product_seats + prior),
        )

    @property
    def levels(self) -> tuple[float, ...]:
        """The shares that are told apart, ascending."""
        if self.floor == self.ceiling:
            return (self.floor,)
        step = (self.ceiling - self.floor) / (N_LEVELS - 1)
        return tuple(self.floor + step * level for level in range(N_LEVELS))

    def _level(self, share: float) -> float:
        return min(self.levels, key=lambda level: abs(level - share))

    def fitted(
        self,
        histories: Histories,
        user_ids: Callable[[int], str],
        taste: Taste,
        catalog: Catalog,
        at_ms: int,
    ) -> "Mix":
        """The same with what is usual learned from everybody's histories up to a moment.

        Parameters
        ----------
        user_ids
            By position in the histories: who was drawn follows from the id.
        """
        measured = Trials.of(histories, user_ids, catalog, at_ms, self.drawn).measured()
        staying = Staying().after(measured and measured.lasting)
        mix = replace(self, half_life_days=taste.weighting.half_life_days, staying=staying.careful)
        acts = taste.acts(histories, at_ms)
        sums = mix.seen_by(acts, catalog)
        seen = sums[(sums[:, SEEN : SEEN + 2] > 0).all(axis=1), SEEN : SEEN + 2].sum(axis=0)
        if seen.sum() >= LEAST_SEEN:
            mix = replace(mix, usual=float(seen[1] / seen.sum()))
        seats = np.array([seats_of(one, mix.usual) for one in sums.tolist()]).sum(axis=0)
        gains = sums[:, GAINS : GAINS + 2].sum(axis=0)
        if not (np.append(seats, gains) > 0).all():
            # Without both kinds in it the past says nothing of what to choose.
            return mix
        video, product = gains / seats
        mix = replace(mix, video=float(video), product=float(product))
        return replace(mix, prior_seats=mix._prior_seats(acts, catalog))

    def _prior_seats(self, acts: Acts, catalog: Catalog) -> float:
        """With how many seats of the usual the first half of the past foretells the second best."""
        at_ms = acts.events.at_ms
        dated = at_ms[at_ms != UNDATED]
        if len(dated) == 0:
            return self.prior_seats
        is_first = at_ms < np.median(dated)
        first, second = (
            self.seen_by(acts.chosen(chosen), catalog) for chosen in (is_first, ~is_first)
        )
        step = max(1, len(first) // PERSONS_ASKED)
        halves = first[::step], second[::step]
        errors = [_error(replace(self, prior_seats=n), *halves) for n in PRIORS]
        return PRIORS[int(np.argmin(errors))] if any(errors) else self.prior_seats


def _error(mix: Mix, first: Floats, second: Floats) -> float:
    """How far what both kinds bring later lies from what is foretold, squared, over all seats."""
    total = 0.0
    for before, later in zip(first.tolist(), second.tolist(), strict=True):
        if not any(before):
            continue
        foretold, gains = mix.rates(before), later[GAINS : GAINS + 2]
        for rate, gain, seats in zip(foretold, gains, seats_of(later, mix.usual), strict=True):
            if seats > 0:
                total += seats * (gain / seats - rate) ** 2
    return total


def seats_of(sums: Sequence[float], usual: float) -> tuple[float, float]:
    """On how many seats a person saw videos, and products; untold ones are split as is usual.

    Impressions of one kind alone are those of a log that tells of no others: they are not counted.
    """
    seen, acts = sums[SEEN : SEEN + 2], sums[ACTS : ACTS + 2]
    if min(seen) <= 0:
        seen = (0.0, 0.0)
    untold = SEATS_AN_ACT * max(0.0, sum(acts) - sum(seen))
    return seen[0] + (1 - usual) * untold, seen[1] + usual * untold


def _peak(product: float, video: float, staying: float) -> float:
    """Where product·log(s) + video·log(1 − s) + staying·s is largest, 0 to 1."""
    both = product + video
    if both <= 0:
        return 0.5
    if abs(staying) < 1e-9 * both:
        return product / both
    # Its derivative times s (1 − s) is a parabola with one root inside.
    straight = staying - both
    return (straight + sqrt(straight * straight + 4 * staying * product)) / (2 * staying)


NOTHING: tuple[float, ...] = (0.0,) * N_SUMS
