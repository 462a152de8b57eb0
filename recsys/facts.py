"""What is known of each item besides models' opinions: how often, how well liked, at what price.

Learned from events up to one moment, so that a feature made of them knows nothing of later ones.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from recsys.catalog import Catalog, Kind
from recsys.events import EventType
from recsys.histories import UNDATED, Histories
from recsys.interactions import DAY_MS, Taste, Weighting
from recsys.links import Links

Floats = NDArray[np.float64]

LIKES = frozenset(
    {
        EventType.LIKE,
        EventType.COMMENT,
        EventType.SHARE,
        EventType.FAVOURITE,
        EventType.FOLLOW,
    }
)
# Acts that say nothing of an item's worth, or that take something back.
SILENT = (EventType.IMPRESSION, EventType.UNCART, EventType.REFUND)
RATES = ("watched", "liked", "bought")
COLUMNS = (
    "popularity",
    "popularity_now",
    "clicked",
    *(f"{of}{rate}" for of in ("", "creator_", "tag_") for rate in RATES),
    "duration_s",
    "price",
    "price_in_category",
)
# After so many days an act counts half for what is popular now.
NOW_DAYS = 7.0
# A rate counts as much from what surrounds the item as from so many acts on it: its creator's rate
# for an item, everybody's for a creator or a tag. Likes and orders are rarer than watching.
PRIOR_ACTS = {"watched": 10.0, "liked": 50.0, "bought": 50.0, "clicked": 20.0}


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """One row an item, one column a fact.

    Attributes
    ----------
    values
        Shape (n_items, n columns), in the order of `COLUMNS`; NaN where not known. Popularities are
        logarithms of counts, prices of fen; rates are shares of acts, drawn towards those of the
        item's creator, and these towards everybody's.
    """

    values: NDArray[np.float32]

    @classmethod
    def learned(cls, histories: Histories, taste: Taste, catalog: Catalog, as_of_ms: int) -> Self:
        """What events up to a moment say; later ones count nothing."""
        kept = (histories.events.at_ms <= as_of_ms) & ~histories.undone(as_of_ms)
        counts = _Counts.of(histories.keeping(kept), taste, as_of_ms)
        price = prices(catalog)
        columns = [
            np.log1p(counts.acts),
            np.log1p(counts.now),
            counts.clicked(),
            *_rates(counts, catalog),
            catalog.duration_s,
            price,
            price - _mean_by(catalog.category, price, len(catalog.categories))[catalog.category],
        ]
        return cls(np.column_stack(columns).astype(np.float32))

    @classmethod
    def none(cls, n_items: int) -> Self:
        """Nothing known of any item."""
        return cls(np.full((n_items, len(COLUMNS)), np.nan, dtype=np.float32))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Counts:
    """Sums over the events of each item, all of shape (n_items,)."""

    acts: Floats
    now: Floats
    looks: Floats
    impressions: Floats
    plays: Floats
    strengths: Floats
    likes: Floats
    orders: Floats

    @classmethod
    def of(cls, histories: Histories, taste: Taste, as_of_ms: int) -> "_Counts":
        events, n_items = histories.events, len(taste.video_s)
        plain = Weighting(
            by_type={EventType.PLAY: 1.0}, half_life_days=0, watch=taste.weighting.watch
        )
        strengths = plain.of_events(events, taste.video_s, as_of_ms)
        age_days = (as_of_ms - np.where(events.at_ms == UNDATED, as_of_ms, events.at_ms)) / DAY_MS
        is_act = ~np.isin(events.type, SILENT)
        is_play = events.type == EventType.PLAY

        def summed(values: NDArray[Any]) -> Floats:
            sums = np.bincount(events.item, weights=values, minlength=n_items)
            return sums.astype(np.float64)

        return cls(
            acts=summed(is_act),
            now=summed(is_act * np.exp2(-age_days / NOW_DAYS)),
            looks=summed(is_play | (events.type == EventType.VIEW)),
            impressions=summed(events.type == EventType.IMPRESSION),
            plays=summed(is_play),
            strengths=summed(strengths * is_play),
            likes=summed(np.isin(events.type, list(LIKES))),
            orders=summed(events.type == EventType.ORDER),
        )

    def clicked(self) -> Floats:
        """Looks an impression, as far as impressions are known at all."""
        if not self.impressions.any():
            return np.full(len(self.acts), np.nan)
        prior = PRIOR_ACTS["clicked"]
        usual = self.looks.sum() / self.impressions.sum()
        rate: Floats = (self.looks + prior * usual) / (self.impressions + prior)
        return np.minimum(rate, 1.0)

    def parts(self) -> list[tuple[str, Floats, Floats]]:
        """For each rate what counts for it, and out of how many."""
        return [
            ("watched", self.strengths, self.plays),
            ("liked", self.likes, self.acts),
            ("bought", self.orders, self.acts),
        ]


def prices(catalog: Catalog) -> Floats:
    """Shape (n_items,). The logarithm of each item's price in fen; NaN where it has none."""
    said = (orjson.loads(catalog.display.raw(idx))["price_minor"] for idx in range(len(catalog)))
    price = np.fromiter((np.nan if one is None else one for one in said), dtype=np.float64)
    return np.log1p(price)


def _rates(counts: _Counts, catalog: Catalog) -> list[Floats]:
    """The rates of items, then of their creators, then of their tags, each in the usual order."""
    of_items: list[Floats] = []
    of_creators: list[Floats] = []
    of_tags: list[Floats] = []
    for name, done, out_of in counts.parts():
        prior = PRIOR_ACTS[name]
        usual = done.sum() / max(out_of.sum(), 1e-9)
        creator = _creator_rate(done, out_of, catalog, prior * usual, prior)
        item = (done + prior * creator) / (out_of + prior)
        tag = _tag_rate(done, out_of, catalog.tags, prior * usual, prior)
        is_meant = np.full(len(item), True) if name != "watched" else catalog.kind == Kind.VIDEO
        for rates, rate in ((of_items, item), (of_creators, creator), (of_tags, tag)):
            rates.append(np.where(is_meant, rate, np.nan))
    return [*of_items, *of_creators, *of_tags]


def _creator_rate(
    done: Floats, out_of: Floats, catalog: Catalog, prior_done: float, prior: float
) -> Floats:
    n_creators = len(catalog.creators)
    known = catalog.creator != 0
    creators = catalog.creator[known]
    counts = [np.bincount(creators, weights=x[known], minlength=n_creators) for x in (done, out_of)]
    rate = (counts[0] + prior_done) / (counts[1] + prior)
    return np.asarray(rate[catalog.creator])


def _tag_rate(done: Floats, out_of: Floats, tags: Links, prior_done: float, prior: float) -> Floats:
    """The mean rate of an item's tags; NaN without tags."""
    lengths = np.diff(tags.offsets)
    owners = np.repeat(np.arange(len(lengths)), lengths)
    n_tags = 1 + int(tags.targets.max(initial=-1))
    counts = [
        np.bincount(tags.targets, weights=x[owners], minlength=n_tags) for x in (done, out_of)
    ]
    rate = (counts[0] + prior_done) / (counts[1] + prior)
    sums = np.bincount(owners, weights=rate[tags.targets], minlength=len(lengths))
    return np.where(lengths > 0, sums / np.maximum(lengths, 1), np.nan)


def _mean_by(keys: NDArray[np.int32], values: Floats, n_keys: int) -> Floats:
    """The mean of the known values of each key; NaN where there is none."""
    known = ~np.isnan(values)
    counts = np.bincount(keys[known], minlength=n_keys)
    sums = np.bincount(keys[known], weights=values[known], minlength=n_keys)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
