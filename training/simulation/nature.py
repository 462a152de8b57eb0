"""What the people of one world are like on the whole: numbers drawn once a world."""

from dataclasses import dataclass, fields
from typing import Self

from numpy.random import Generator

# Between which values each number is drawn, evenly. They are not fitted to any shop: a story is
# asked to hold over all of them.
RANGES: dict[str, tuple[float, float]] = {
    "persistence": (0.86, 0.94),
    "taste_weight": (0.8, 1.2),
    "quality_weight": (0.25, 0.5),
    "trust_weight": (0.6, 1.2),
    "price_weight": (0.5, 1.1),
    "need_weight": (0.8, 1.4),
    "card_base": (-3.6, -2.8),
    "feed_base": (-3.6, -2.8),
    "order_base": (-1.6, -0.8),
    "watch_shape": (0.6, 0.9),
    "watch_growth": (0.35, 0.6),
    "drift": (0.02, 0.08),
    "patience": (0.15, 0.35),
    "annoyance": (1.0, 2.0),
    "mood_rate": (0.1, 0.25),
    "search": (0.04, 0.1),
    "refunds": (0.02, 0.06),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Nature:
    """One draw of `RANGES`.

    Parameters
    ----------
    persistence
        Chance to look at the next place of a list, before it tires.
    taste_weight, quality_weight, trust_weight, price_weight, need_weight
        What each adds to a utility, in logits for a unit of it.
    card_base, feed_base, order_base
        Utility of opening a product on a card, of opening one in a list, of buying what one opened,
        against doing nothing; in logits.
    watch_shape
        Of the Weibull law of the seconds watched; below 1: who stayed, stays.
    watch_growth
        Usual seconds watched grow as the length of the video to this power.
    drift
        How far tastes walk in a day, in logits.
    patience
        The share of commerce that people bear on average.
    annoyance
        What commerce beyond that costs in mood.
    mood_rate
        How fast mood follows what visits were like.
    search
        Chance that a visit looks for something itself, beside the list.
    refunds
        Share of order lines given back.
    """

    persistence: float
    taste_weight: float
    quality_weight: float
    trust_weight: float
    price_weight: float
    need_weight: float
    card_base: float
    feed_base: float
    order_base: float
    watch_shape: float
    watch_growth: float
    drift: float
    patience: float
    annoyance: float
    mood_rate: float
    search: float
    refunds: float

    @classmethod
    def drawn(cls, rng: Generator) -> Self:
        """The numbers of one world."""
        return cls(**{f.name: float(rng.uniform(*RANGES[f.name])) for f in fields(cls)})
