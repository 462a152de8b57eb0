"""Features of candidates for one person at one moment: one function for training and for serving.

Everything is worked out over the candidates and the person's own items; nothing passes over the
catalogue. NaN means not known, which a tree treats as a case of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.catalog import Catalog, Idxs, Kind
from recsys.events import EventType
from recsys.facts import COLUMNS, LIKES, SILENT, Facts
from recsys.histories import UNDATED, History
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
    items = racing.items
    person = _Person.of(asked)
    parts: list[NDArray[Any]] = [
        facts.values[items].T,
        _of_item(items, catalog, asked.at_ms),
        _own(items, person, asked.at_ms),
        _affinities(items, person, catalog),
        _price_gap(items, person, facts),
        _cards(items, person, catalog),
        _of_basket(items, asked.basket, catalog),
        np.broadcast_to(_of_person(person, asked.at_ms)[:, None], (7, len(items))),
        _of_sources(racing, catalog.kind[items]),
        *(column[None] for column in racing.extra.values()),
    ]
    table = np.empty((len(items), sum(map(len, parts))), dtype=np.float32)
    start = 0
    for part in parts:
        table[:, start : start + len(part)] = part.T
        start += len(part)
    return table


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
        events, weights = row.acts.events, np.maximum(row.acts.weights, 0)
        kept = np.flatnonzero(_KIND_OF_ACT[events.type] >= 0)[-MAX_ACTS:]
        events, weights = events.take(kept), weights[kept]
        items, where = np.unique(events.item, return_inverse=True)
        interest = _INTEREST_OF[events.type]
        sums = _by_cell(interest, where, len(INTERESTS), len(items), weights)
        last_ms = np.full(len(items), UNDATED)
        # Events are in the order of time, so the last of an item is written last.
        last_ms[where] = events.at_ms
        return cls(
            items=items,
            interests=sums / np.maximum(sums.sum(axis=1, keepdims=True), 1e-12),
            acts=_by_cell(_OWN_OF[events.type], where, len(OWN), len(items), None),
            last_ms=last_ms,
            mix=_shares_of_acts(events, interest),
            n_acts=len(events),
        )

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


def _by_cell(
    rows: Ints, columns: Ints, n_rows: int, n_columns: int, weights: NDArray[Any] | None
) -> Floats:
    """Shape (n_rows, n_columns). Sums, or counts, of each cell; a row of −1 is left out."""
    cells = (rows + 1) * n_columns + columns
    sums = np.bincount(cells, weights=weights, minlength=(n_rows + 1) * n_columns)
    return sums.reshape(n_rows + 1, n_columns)[1:].astype(np.float64)


def _shares_of_acts(events: History, interest: Ints) -> Floats:
    counts = np.bincount(interest + 1, minlength=len(INTERESTS) + 1)[1:]
    return counts / max(len(events), 1)


def _of_item(items: Idxs, catalog: Catalog, at_ms: int) -> Floats:
    published_ms = catalog.published_ms[items]
    age_days = np.where(published_ms != 0, (at_ms - published_ms) / DAY_MS, np.nan)
    return np.stack([age_days, catalog.kind[items] == Kind.VIDEO])


def _found(known: NDArray[Any], asked: NDArray[Any]) -> tuple[Ints, NDArray[np.bool_]]:
    """Where each asked value stands among ascending known ones, and whether it is there."""
    if len(known) == 0:
        return np.zeros(len(asked), dtype=np.int64), np.zeros(len(asked), dtype=np.bool_)
    at = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    return at, known[at] == asked


def _own(items: Idxs, person: _Person, at_ms: int) -> Floats:
    """What the person did with the very items, and days since."""
    found = np.zeros((len(OWN) + 1, len(items)))
    found[-1] = np.nan
    at, is_own = _found(person.items, items)
    at = at[is_own]
    found[:-1, is_own] = person.acts[:, at]
    found[-1, is_own] = _days_since(person.last_ms[at], at_ms)
    return found


def _days_since(moment_ms: Ints, at_ms: int) -> Floats:
    dated = moment_ms != UNDATED
    return np.where(dated, (at_ms - np.where(dated, moment_ms, at_ms)) / DAY_MS, np.nan)


def _affinities(items: Idxs, person: _Person, catalog: Catalog) -> Floats:
    """Share of each interest in items of the same creator, category, and with the same tags."""
    found = np.empty((len(_AFFINITIES), len(INTERESTS), len(items)))
    for place, column in enumerate((catalog.creator, catalog.category)):
        keys = column[items]
        found[place] = _same(column[person.items], person.interests, keys)
        found[place][:, keys == 0] = np.nan
    found[-1] = _same_tags(items, person.items, person.interests, catalog)
    return found.reshape(-1, len(items))


def _same(own_keys: NDArray[Any], weights: Floats, keys: NDArray[Any]) -> Floats:
    """Shape (n weights, n keys). The weight of what has the same key."""
    distinct, where = np.unique(own_keys, return_inverse=True)
    cells = np.stack([np.bincount(where, one, len(distinct)) for one in weights])
    at, is_known = _found(distinct, keys)
    sums = np.zeros((len(weights), len(keys)))
    sums[:, is_known] = cells[:, at[is_known]]
    return sums


def _same_tags(items: Idxs, own: Idxs, weights: Floats, catalog: Catalog) -> Floats:
    """The mean over an item's tags of the weight of own items with the tag; NaN without tags."""
    own_owners, own_tags = catalog.tags.rows(own)
    owners, tags = catalog.tags.rows(items)
    shares = _same(own_tags, weights[:, own_owners], tags)
    counts = np.bincount(owners, minlength=len(items))
    sums = np.stack([np.bincount(owners, one, len(items)) for one in shares])
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _price_gap(items: Idxs, person: _Person, facts: Facts) -> Floats:
    """How far the price is from the usual one of what the person buys, else of what they view.

    Prices are logarithms, so the gap is one of proportion.
    """
    gap = np.full((1, len(items)), np.nan)
    own = facts.values[person.items, _PRICE]
    known = ~np.isnan(own)
    for interest in (person.interests[2], person.interests[0]):
        weight = interest[known].sum()
        if weight > 0:
            usual = (interest[known] * own[known]).sum() / weight
            gap[0] = facts.values[items, _PRICE] - usual
            break
    return gap


def _cards(items: Idxs, person: _Person, catalog: Catalog) -> Floats:
    """Share of interest in videos that sell the item, and in products that the item shows."""
    weights = person.interests.sum(axis=0)[None] / len(INTERESTS)
    owners, products = catalog.cards.rows(person.items)
    on_own = _same(products, weights[:, owners], items)
    return np.concatenate([on_own, _shown(items, person.items, weights[0], catalog)[None]])


def _shown(items: Idxs, own: Idxs, weights: Floats, catalog: Catalog) -> Floats:
    """The weight of the own products that each item has on its cards; `own` is ascending."""
    owners, products = catalog.cards.rows(items)
    at, is_own = _found(own, products)
    return np.bincount(owners[is_own], weights[at[is_own]], len(items)).astype(np.float64)


def _of_basket(items: Idxs, basket: Idxs, catalog: Catalog) -> Floats:
    """Links by card, same category and same tags as the basket's items; NaN without a basket."""
    if len(basket) == 0:
        return np.full((3, len(items)), np.nan)
    own = np.unique(basket)
    even = np.full((1, len(own)), 1 / len(own))
    keys = catalog.category[items]
    category = _same(catalog.category[own], even, keys)[0]
    return np.stack(
        [
            _shown(items, own, even[0], catalog),
            np.where(keys == 0, np.nan, category),
            _same_tags(items, own, even, catalog)[0],
        ]
    )


def _of_person(person: _Person, at_ms: int) -> Floats:
    """The same for every candidate: how much is known of the person, and the hour."""
    idle = np.full(1, np.nan)
    if len(person.items):
        idle = _days_since(person.last_ms.max(keepdims=True), at_ms)
    hours = at_ms // 3_600_000
    # The first of January 1970 was a Thursday.
    weekday = (hours // 24 + 3) % 7
    return np.concatenate([[np.log1p(person.n_acts)], person.mix, idle, [hours % 24, weekday]])


def _of_sources(racing: Racing, kinds: NDArray[np.int8]) -> Floats:
    """Every opinion, and its share of the best opinion of the same source on the same kind."""
    told = np.concatenate([racing.fused[None], racing.opinions])
    shares = np.full(told.shape, np.nan)
    for kind in Kind:
        of_kind = kinds == kind
        if of_kind.any():
            best = np.fmax.reduce(told[:, of_kind], axis=1, keepdims=True)
            shares[:, of_kind] = told[:, of_kind] / np.where(best > 0, best, np.nan)
    return np.stack([told, shares], axis=1).reshape(-1, len(kinds))
