"""What lists full of products do to coming back: told by people whose share chance moved.

Whoever sees much commerce differs from who sees little of it in many ways, and so does one person
today from the same person a month ago; comparing what people happened to see can tell the wrong
sign. So chance moves some people's shares a little for a whole spell. A. Goli, J. Huang, D. Reiley
and N. Riabov ("Measuring Consumer Sensitivity to Audio Advertising: A Long-Run Field Experiment on
Pandora Internet Radio", Quantitative Marketing and Economics 23, 2025) found the same: demand falls
linearly with the load of advertising, loads have to be kept for long for all of it to show, and
what was observed without an experiment can mislead.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from recsys.catalog import Catalog, Kind
from recsys.events import PLATFORM_NUMBERS, VIDEO_PLATFORMS, EventType
from recsys.histories import Histories, History
from recsys.ids import Ints, hash64
from recsys.interactions import DAY_MS

Floats = NDArray[np.float64]

# Who was drawn keeps a share for so long, and then all are drawn anew.
SPELL_DAYS = 28
SPELL_MS = SPELL_DAYS * DAY_MS
# So many spells tell, the newest one included.
SPELLS = 4
N_CODES = SPELLS + 2
# What a share does takes weeks to show: who came first fewer days ago tells nothing yet. And from
# fewer people nothing is learned.
LEAST_DAYS, LEAST_PEOPLE = 14, 20
# The same study: what a month shows is a third of what years do.
LASTING = 3.0
# What is believed before anything was measured, give or take: what a list of products only costs,
# in visits for each visit. It kept people in the first worlds of the simulated shop.
USUAL, SPREAD = -1.5, 0.7
# The shop is wherever videos are not watched.
PLATFORMS = [PLATFORM_NUMBERS[one] for one in VIDEO_PLATFORMS]
FINEST = 2.0**-64


def chance(user_id: str, spell: int) -> float:
    """One person's lot for one spell, between 0 and 1; the same in every scene and process."""
    return (hash64(f"mix {spell} {user_id}") + 0.5) * FINEST


class Staying(NamedTuple):
    """What a list of products only does to visits, against one of videos only.

    Attributes
    ----------
    slope
        Visits lost (below 0) or won, as a part of all visits.
    error
        Its standard error.
    """

    slope: float = USUAL
    error: float = SPREAD

    @property
    def careful(self) -> float:
        """What to act on: one standard error on the side of who leaves, who is hard to win back."""
        return self.slope - self.error

    @property
    def lasting(self) -> "Staying":
        """What comes in the long run of what some weeks showed."""
        return Staying(LASTING * self.slope, LASTING * self.error)

    def after(self, measured: "Staying | None") -> "Staying":
        """What is believed after somebody measured it."""
        if measured is None or not 0 < measured.error < np.inf:
            return self
        before, later = self.error**-2.0, measured.error**-2.0
        both = before + later
        return Staying((before * self.slope + later * measured.slope) / both, both**-0.5)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Trials:
    """People whose share was drawn, one entry a person and spell; all of shape (n,).

    Attributes
    ----------
    drawn, seen
        What chance added to their share of products; the share of what was on their screens, and
        for who saw nothing what the others saw on average.
    n_days, visits
        Days of the spell, for who did not come in the one before those after their first visit; and
        on how many of them they came.
    before
        On how many days of the spell before they came.
    """

    drawn: Floats
    seen: Floats
    n_days: Floats
    visits: Floats
    before: Floats

    @classmethod
    def of(
        cls,
        histories: Histories,
        user_ids: Callable[[int], str],
        catalog: Catalog,
        at_ms: int,
        drawn: Callable[[float], float],
    ) -> Self:
        """Those of some histories up to a moment.

        Parameters
        ----------
        user_ids
            By position in the histories.
        drawn
            What a lot adds to the share.
        """
        first = at_ms // SPELL_MS - SPELLS
        in_shop = ~np.isin(histories.events.platform, PLATFORMS)
        in_shop &= histories.events.at_ms >= first * SPELL_MS
        in_shop &= histories.events.at_ms <= at_ms
        person, events = histories.persons()[in_shop], histories.events.take(in_shop)
        came = _Days.of(person, events.at_ms // DAY_MS)
        # Who came in one spell is asked about in the next as well, whether they come or not.
        codes = came.person * N_CODES + came.day // SPELL_DAYS - first
        codes = np.unique(np.concatenate([codes, codes + 1]))
        codes = codes[(codes % N_CODES > 0) & (codes % N_CODES <= SPELLS)]
        start = (codes % N_CODES + first) * SPELL_DAYS
        before = came.between(codes // N_CODES, start - SPELL_DAYS, start)
        since = np.where(before > 0, start, came.first(codes // N_CODES, start) + 1)
        until = np.minimum(start + SPELL_DAYS, at_ms // DAY_MS)
        told = until - since >= LEAST_DAYS
        codes, since, until = codes[told], since[told], until[told]
        lots = [
            drawn(chance(user_ids(code // N_CODES), first + code % N_CODES))
            for code in codes.tolist()
        ]
        return cls(
            drawn=np.array(lots, dtype=np.float64),
            seen=_seen(person * N_CODES + events.at_ms // SPELL_MS - first, events, catalog, codes),
            n_days=(until - since).astype(np.float64),
            visits=came.between(codes // N_CODES, since, until),
            before=before[told],
        )

    def __len__(self) -> int:
        """How many there are."""
        return len(self.drawn)

    def measured(self) -> Staying | None:
        """What they tell alone; None where they are too few, or all had the same share.

        The lot is an instrument for the share that was seen, how often people came before takes off
        what they differed in anyway (A. Deng, Y. Xu, R. Kohavi, T. Walker, "Improving the
        Sensitivity of Online Controlled Experiments by Utilizing Pre-Experiment Data", WSDM 2013),
        and the error holds for people who differ in how much chance is in their coming.
        """
        often = float(self.visits.sum() / max(self.n_days.sum(), 1.0))
        if len(self) < LEAST_PEOPLE or often == 0:
            return None
        rate, lot, seen, before = (
            self._centred(one)
            for one in (self.visits / self.n_days, self.drawn, self.seen, self.before)
        )
        if before.any():
            rate = rate - before * float(self.n_days @ (before * rate) / (self.n_days @ before**2))
        moved = float(self.n_days @ (lot * seen))
        if moved <= 0:
            return None
        slope = float(self.n_days @ (lot * rate)) / moved
        left = self.n_days * lot * (rate - slope * seen)
        return Staying(slope / often, float(np.sqrt(left @ left)) / moved / often)

    def _centred(self, values: Floats) -> Floats:
        """Values about their mean over days, of who came before and of who is new each alone."""
        centred = values.copy()
        for group in (self.before > 0, self.before == 0):
            if group.any():
                centred[group] -= np.average(values[group], weights=self.n_days[group])
        return centred


class _Days(NamedTuple):
    """Days on which people came, each once, in order of person and day."""

    keys: Ints
    base: int
    span: int

    @classmethod
    def of(cls, person: Ints, day: Ints) -> Self:
        """Those of events."""
        base = int(day.min()) if len(day) else 0
        span = int(day.max(initial=base)) - base + 1
        return cls(np.unique(person * span + day - base), base, span)

    @property
    def person(self) -> Ints:
        """Whose day each is."""
        return self.keys // self.span

    @property
    def day(self) -> Ints:
        """In days since 1970."""
        return self.keys % self.span + self.base

    def between(self, who: Ints, start: Ints, end: Ints) -> Floats:
        """On how many days from one to before another each of some people came."""
        first, last = (self._place(who, at) for at in (start, end))
        return (last - first).astype(np.float64)

    def first(self, who: Ints, start: Ints) -> Ints:
        """The first day from one on; something later than all where there is none."""
        place = self._place(who, start)
        is_own = place < self._place(who, np.full(len(who), self.base + self.span))
        day = np.append(self.day, 0)[place]
        return np.where(is_own, day, self.base + self.span + SPELL_DAYS)

    def _place(self, who: Ints, day: Ints) -> Ints:
        key = who * self.span + np.clip(day - self.base, 0, self.span)
        return np.searchsorted(self.keys, key)


def _seen(code: Ints, events: History, catalog: Catalog, codes: Ints) -> Floats:
    """Which share of what each saw is products; of who saw nothing, the mean of the others."""
    is_shown = events.type == EventType.IMPRESSION
    code, items = code[is_shown], events.item[is_shown]
    is_meant = np.isin(code, codes)
    place = np.searchsorted(codes, code[is_meant])
    is_product = catalog.kind[items[is_meant]] == Kind.PRODUCT
    n_seen = np.bincount(place, minlength=len(codes))
    n_products = np.bincount(place, weights=is_product, minlength=len(codes))
    shares = n_products / np.maximum(n_seen, 1)
    shares[n_seen == 0] = shares[n_seen > 0].mean() if n_seen.any() else 0.0
    return shares
