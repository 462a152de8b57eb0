"""The contract every model keeps, and what follows from it: parameters and learned arrays."""

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple, Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray

from recsys.catalog import Catalog, Idxs, Kind
from recsys.errors import NotFitted
from recsys.interactions import Row, Rows

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Items with scores, best first; both of shape (n,), n at most what was asked for."""

    items: Idxs
    scores: Scores

    @classmethod
    def none(cls) -> "Ranking":
        """No opinion."""
        return cls(np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32))

    @classmethod
    def best(cls, items: NDArray[Any], scores: NDArray[Any], k: int) -> "Ranking":
        """The k items of highest score; ties go to the lower position, so order is stable."""
        if len(items) > k:
            # Everything tied with the last kept score competes, or the cut would be arbitrary.
            kept = np.flatnonzero(scores >= np.partition(scores, -k)[-k])
            items, scores = items[kept], scores[kept]
        order = np.lexsort((items, -scores))[:k]
        return cls(items[order].astype(np.int32), scores[order].astype(np.float32))


class Because(NamedTuple):
    """Why a model gave an item: the person's own item, or a tag of theirs, that spoke most for it.

    Both None means it is true of everybody (popular), not of this person.
    """

    item_idx: int | None = None
    tag_idx: int | None = None


class Model(Protocol):
    """Learns items from interactions; answers for any weighted row of items.

    Hyperparameters are keyword fields of a dataclass with defaults; what `fit` learns are fields
    ending in `_`, declared with `field(init=False, repr=False)`: arrays, or frozen dataclasses of
    arrays. From these two facts the bundle saves and restores any model.

    Attributes
    ----------
    is_personal
        Whether the answer depends on the row; a personal model has no opinion on an empty row.
    """

    is_personal: ClassVar[bool]

    def fit(self, interactions: Rows, catalog: Catalog) -> Self:
        """Learn from persons' rows; forgets what was learned before; same seed, same result."""

    def score(self, rows: Rows) -> Scores:
        """Score every item for each row, higher is better; for offline work.

        Returns
        -------
        Shape (n_rows, n_items), no unit. NaN means no opinion.

        Raises
        ------
        NotFitted
            Before `fit`.
        """

    def candidates(self, row: Row, k: int, within: Kind | None) -> Ranking:
        """The best k items of one kind (None: of all) for one row, without a pass over all items.

        Items of the row itself may be among them: whether they may be shown again is a stage's
        decision. Only items with an opinion are returned, so there may be fewer than k.
        """

    def score_of(self, row: Row, items: Idxs) -> Scores:
        """Score of each of some items, any items, by the same means and scale as `candidates`.

        Returns
        -------
        Shape (n items,). NaN means no opinion; where answers come from prepared lists, that is so
        for every item in none of the row's lists.
        """

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """What in the row spoke most for each of the items; None where nothing did."""


def largest_parts(row: Row, parts: NDArray[Any]) -> list[Because | None]:
    """For each item the row's item of largest part in its score; None where no part is above 0.

    Parameters
    ----------
    parts
        Shape (n of the row, n items).
    """
    return [
        Because(item_idx=int(row.items[best])) if part > 0 else None
        for best, part in zip(parts.argmax(axis=0), parts.max(axis=0), strict=True)
    ]


def learned_names(model: object) -> list[str]:
    """Names of the fields that `fit` fills."""
    if not is_dataclass(model):
        raise TypeError(f"a model is a dataclass, got {type(model).__name__}")
    return _learned_by(cast(Any, type(model)))


def parameters(model: object) -> dict[str, Any]:
    """The hyperparameters, by name."""
    if not is_dataclass(model):
        raise TypeError(f"a model is a dataclass, got {type(model).__name__}")
    return {f.name: getattr(model, f.name) for f in fields(model) if not f.name.endswith("_")}


def check_fitted(model: object) -> None:
    """Raise NotFitted unless every learned field is there."""
    try:
        _all_of(cast(Any, type(model)))(model)
    except AttributeError as cause:
        told = f"{type(model).__name__} has not learned yet: no {cause.name}; call fit"
        raise NotFitted(told) from None


@cache
def _all_of(cls: type) -> Callable[[Any], object]:
    """Asks for every learned field at once, as every question to a model asks first."""
    names = _learned_by(cls)
    return attrgetter(*names) if names else bool


@cache
def _learned_by(cls: Any) -> list[str]:
    return [f.name for f in fields(cls) if f.name.endswith("_")]
