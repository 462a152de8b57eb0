"""People of a simulated world: tastes that drift, budgets, rhythms, trust, patience and mood."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.random import Generator

from training.sample_goods import PLATFORMS, TASTES, Ints
from training.sample_people import CARES
from training.sample_text import WARES
from training.simulation.market import CYCLE_DAYS, NOTHING, TASTE_OF, Floats, Market, complements
from training.simulation.nature import Nature

NEVER = -np.inf
# Liking of a sort of product, in logits: what nobody taught stands low, the dearest high.
COLD, WARM = -2.0, 2.5
# How much of a day's walk of taste is left the next day: tastes come back to what they were.
COMES_BACK = 0.97
# Trust that following a creator, or buying from their video, adds; it never goes beyond 1.
TRUST_FOLLOW, TRUST_BOUGHT = 0.6, 0.4
# What is used up is needed so much, in logits, and that within so much of its interval.
DUE, DUE_WITHIN = 5.0, 0.05
# For so many days after a purchase what belongs to it is wanted.
BELONGS_DAYS = 20.0
# Share of the sorts one likes most that one has from elsewhere on the first day.
OWNED = 0.6
MOOD_MIN, MOOD_MAX = 0.03, 1.25


@dataclass(slots=True, eq=False, kw_only=True)
class People:
    """Everybody of a world; what changes as days pass is changed in place.

    Attributes
    ----------
    user_ids
        By person.
    steady, walk
        Shape (n people, n tastes), logits. How dear a taste is in the long run, and how far it has
        walked from there.
    within
        Shape (n people, n wares), logits. How dear a sort is within its taste.
    platform
        Shape (n people,). Where they watch, positions in `PLATFORMS`.
    budget, rhythm
        Shape (n people,). Logarithm of what they pay against the usual price; their own speed of
        using things up, 1 for the usual.
    patience
        Shape (n people,). Share of commerce they bear.
    pace, mood
        Shape (n people,). Chance to visit on a day in an ordinary mood, and the mood, about 1.
    bought_day
        Shape (n people, n wares). When they bought a sort last, in days since 1970, or `NEVER`.
    trust
        Shape (n people, n creators), 0 to 1.
    """

    user_ids: tuple[str, ...]
    steady: Floats
    walk: Floats
    within: Floats
    platform: Ints
    budget: Floats
    rhythm: Floats
    patience: Floats
    pace: Floats
    mood: Floats
    bought_day: Floats
    trust: Floats

    @classmethod
    def drawn(cls, rng: Generator, n: int, nature: Nature, market: Market, *, day: float) -> Self:
        """People of one to three tastes each, as they are on a day."""
        steady = np.full((n, len(TASTES)), COLD) + rng.normal(0, 0.3, (n, len(TASTES)))
        order = np.argsort(rng.random((n, len(TASTES))), axis=1)
        for place, share in enumerate((1.0, 0.55, 0.25)):
            has = rng.random(n) < share
            steady[np.flatnonzero(has), order[has, place]] = (
                WARM - place + rng.normal(0, 0.3, int(has.sum()))
            )
        return cls(
            user_ids=tuple(f"user-{50_001 + number}" for number in range(n)),
            steady=steady,
            walk=np.zeros((n, len(TASTES))),
            within=_within(rng, n),
            platform=rng.integers(len(PLATFORMS), size=n),
            budget=rng.normal(0, 0.5, n),
            rhythm=np.exp(rng.normal(0, 0.12, n)),
            patience=np.clip(rng.normal(nature.patience, 0.08, n), 0.02, 0.9),
            pace=rng.beta(2.0, 2.6, n),
            mood=np.ones(n),
            bought_day=day + _owned(rng, steady),
            trust=np.zeros((n, max(1, len(market.creators)))),
        )

    def __len__(self) -> int:
        """How many people there are."""
        return len(self.user_ids)

    def drift(self, rng: Generator, nature: Nature) -> None:
        """A day passes over everybody's tastes."""
        self.walk *= COMES_BACK
        self.walk += rng.normal(0, nature.drift, self.walk.shape)

    def likings(self, who: Ints, wares: Ints) -> Floats:
        """How dear sorts of products are to people now, in logits; shapes are broadcast."""
        tastes = TASTE_OF[wares]
        return self.steady[who, tastes] + self.walk[who, tastes] + self.within[who, wares]

    def needs(self, who: Ints, wares: Ints, day: float) -> Floats:
        """How much people need sorts of products now, in logits; shapes are broadcast.

        What one has is not needed until it is used up, at its own time and the person's rhythm;
        what belongs to a recent purchase is.
        """
        used = (day - self.bought_day[who, wares]) / (CYCLE_DAYS[wares] * self.rhythm[who])
        due = DUE / (1.0 + np.exp(-np.clip((used - 1.0) / DUE_WITHIN, -50, 50)))
        needs = np.where(
            np.isinf(self.bought_day[who, wares]), 0.0, np.where(used < 0.7, -4.0, due)
        )
        recent = (day - self.bought_day) < BELONGS_DAYS
        belongs = (recent.astype(np.float64) @ COMPLEMENTS.astype(np.float64)) > 0
        return needs + np.where(belongs[who, wares] & (needs >= 0), 2.0, 0.0)

    def trusted(self, who: Ints, creators: Ints) -> Floats:
        """How much people trust creators; 0 where there is none. Shapes are broadcast."""
        found: Floats = np.where(creators == NOTHING, 0.0, self.trust[who, creators])
        return found

    def gain_trust(self, who: Ints, creators: Ints, much: float) -> None:
        """People trust creators more than before."""
        known = creators != NOTHING
        np.add.at(self.trust, (who[known], creators[known]), much)
        np.minimum(self.trust, 1.0, out=self.trust)

    def feel(self, who: Ints, felt: Floats, nature: Nature) -> None:
        """Mood follows what a visit was like, 0 for bad to 1 and more for good."""
        moved = self.mood[who] + nature.mood_rate * (felt - self.mood[who])
        self.mood[who] = np.clip(moved, MOOD_MIN, MOOD_MAX)


COMPLEMENTS = complements()


def _within(rng: Generator, n: int) -> Floats:
    """Of the sorts of a taste some are dearer than others, as in the sample shop."""
    found = np.empty((n, len(WARES)))
    logs = np.log(CARES) - np.log(CARES).mean()
    for taste in range(len(TASTES)):
        own = np.flatnonzero(taste == TASTE_OF)
        order = np.argsort(rng.random((n, len(own))), axis=1)
        found[:, own] = 0.5 * logs[order]
    return found


def _owned(rng: Generator, steady: Floats) -> Floats:
    """What people like they mostly have already, somewhere between new and used up."""
    likes = OWNED / (1.0 + np.exp(-steady[:, TASTE_OF]))
    has = rng.random(likes.shape) < likes
    since = np.minimum(CYCLE_DAYS, 200.0) * rng.random(likes.shape)
    return np.where(has, -since, NEVER)
