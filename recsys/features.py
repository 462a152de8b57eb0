"""Features of candidates for one person at one moment: one function for training and for serving.

Everything is worked out over the candidates and the person's own items; nothing passes over the
catalogue. NaN means not known, which a tree treats as a case of its own.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys import kernels_features
from recsys.catalog import Catalog, Idxs
from recsys.events import EventType
from recsys.facts import COLUMNS, LIKES, SILENT, Facts
from recsys.histories import UNDATED
from recsys.ids import Ints
from recsys.interactions import DAY_MS, Row

Floats = NDArray[np.float64]
Values = NDArray[np.float32]

# What a person does with items falls into three interests, and into acts on one and the same item.
INTERESTS: dict[str, frozenset[EventType]] = {
    "watch": frozenset({EventType.PLAY, EventType.VIEW, EventType.CHOOSE}),
    "like": LIKES,
    "buy": frozenset({EventType.CART, EventType.TRY_ON, EventType.ORDER}),
}
OWN = {
    "looks": INTERESTS["watch"],
    "likes": LIKES,
    "carts": frozenset({EventType.CART}),
    "orders": frozenset({EventType.ORDER}),
}
# So many of the newest acts are looked at: a service reads no more of a person than it must, and
# what it does not read must count for nothing when a ranker learns.
MAX_ACTS = 300
_AFFINITIES = ("creator", "category", "tag")
_PRICE = COLUMNS.index("price")
NAMES: tuple[str, ...] = (
    *COLUMNS,
    "age_days",
    "is_video",
    *(f"own_{act}" for act in OWN),
    "own_days",
    *(f"{what}_{interest}" for what in _AFFINITIES for interest in INTERESTS),
    "price_gap",
    "card_of_own",
    "shows_own",
    "basket_cards",
    "basket_category",
    "basket_tags",
    "n_acts",
    *(f"mix_{interest}" for interest in INTERESTS),
    "idle_days",
    "hour",
    "weekday",
)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Asked:
    """Whom and when the features are for.

    Parameters
    ----------
    row
        The person's history as weighted items; its acts say when and how.
    basket
        Items of this request.
    """

    row: Row
    basket: Idxs
    at_ms: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Racing:
    """Candidates, and what sources say of each of them.

    Parameters
    ----------
    items
        Shape (n,), each once.
    fused
        Shape (n,). The score by reciprocal ranks.
    opinions
        Shape (n_sources, n). NaN where a source has none.
    sources
        Names of the sources.
    extra
        Further columns by name, shape (n,) each: of the place where an item was shown.
    """

    items: Idxs
    fused: Floats
    opinions: Values
    sources: Sequence[str]
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the features, in order."""
        return (*names_of(self.sources), *self.extra)


def names_of(sources: Sequence[str]) -> tuple[str, ...]:
    """The names of the features where these sources race, in order."""
    told = (f"{of}{source}" for source in sources for of in ("says_", "share_"))
    return (*NAMES, "fused", "fused_share", *told)


def features(racing: Racing, asked: Asked, catalog: Catalog, facts: Facts) -> Values:
    """Shape (n candidates, n features), in the order of `racing.names`.

    Parameters
    ----------
    facts
        Learned from events before the moment of asking.
    """
    person, basket = _Person.of(asked), asked.basket
    tags, cards = catalog.tags, catalog.cards
    columns: Values = kernels_features.features(
        racing.items,
        asked.at_ms,
        (facts.values, _PRICE),
        (
            *(catalog.published_ms, catalog.kind, catalog.creator, catalog.category),
            *(tags.offsets, tags.targets, cards.offsets, cards.targets),
        ),
        (
            *(person.items, person.interests, person.acts, person.last_ms),
            np.unique(basket) if len(basket) else basket,
            _of_person(person, asked.at_ms),
        ),
        (racing.fused, np.ascontiguousarray(racing.opinions), _extra(racing)),
    )
    return columns.T


def _extra(racing: Racing) -> Values:
    """Shape (n further columns, n candidates)."""
    extra = np.empty((len(racing.extra), len(racing.items)), dtype=np.float32)
    for row, column in enumerate(racing.extra.values()):
        extra[row] = column
    return extra


@dataclass(frozen=True, slots=True, eq=False)
class _Person:
    """What a person had to do with, each item once.

    Attributes
    ----------
    items
        Shape (n own items,), ascending.
    interests
        Shape (3, n own items). Share of each item in the weight of each interest; rows add up to 1,
        or are 0.
    acts
        Shape (4, n own items). How often each act of `OWN` was done.
    last_ms
        Shape (n own items,). When the person last turned to it; `UNDATED` if that is not known.
    mix
        Shape (3,). Share of each interest in all acts.
    """

    items: Idxs
    interests: Floats
    acts: Floats
    last_ms: Ints
    mix: Floats
    n_acts: int

    @classmethod
    def of(cls, asked: Asked) -> "_Person":
        row = asked.row
        if row.acts is None:
            return cls._of_row(row)
        events = row.acts.events
        kept = np.flatnonzero(_KIND_OF_ACT[events.type] >= 0)[-MAX_ACTS:]
        told = (events.item[kept], events.type[kept], events.at_ms[kept], row.acts.weights[kept])
        items, interests, acts, last_ms, mix = kernels_features.person_of(
            *told, _INTEREST_OF, _OWN_OF
        )
        return cls(items, interests, acts, last_ms, mix, len(kept))

    @classmethod
    def _of_row(cls, row: Row) -> "_Person":
        """Where only weights are known, they are taken for watching."""
        weights = np.maximum(row.weights, 0).astype(np.float64)
        interests = np.zeros((len(INTERESTS), len(row)))
        interests[0] = weights / max(float(weights.sum()), 1e-12)
        return cls(
            items=row.items,
            interests=interests,
            acts=np.zeros((len(OWN), len(row))),
            last_ms=np.full(len(row), UNDATED),
            mix=np.array([1.0, 0.0, 0.0]) if len(row) else np.zeros(3),
            n_acts=len(row),
        )


def _coded(groups: Mapping[str, frozenset[EventType]]) -> NDArray[np.int64]:
    """By event type the place of its group; −1 in none."""
    codes = np.full(len(EventType), -1, dtype=np.int64)
    for place, types in enumerate(groups.values()):
        codes[list(types)] = place
    return codes


_INTEREST_OF, _OWN_OF = _coded(INTERESTS), _coded(OWN)
_KIND_OF_ACT = np.zeros(len(EventType), dtype=np.int64)
_KIND_OF_ACT[list(SILENT)] = -1


def _of_person(person: _Person, at_ms: int) -> Floats:
    """The same for every candidate: how much is known of the person, and the hour."""
    last_ms = int(person.last_ms.max(initial=UNDATED))
    idle_days = math.nan if last_ms == UNDATED else (at_ms - last_ms) / DAY_MS
    hours = at_ms // 3_600_000
    # The first of January 1970 was a Thursday.
    weekday = (hours // 24 + 3) % 7
    return np.array([math.log1p(person.n_acts), *person.mix, idle_days, hours % 24, weekday])
