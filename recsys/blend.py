"""Several models' scores as one: divided by how far each one's best lie apart, weighed, summed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.catalog import Idxs, Kind
from recsys.ids import Ints, Mask
from recsys.interactions import Row, Rows
from recsys.models.base import Because, Model, Ranking, Scores

# A source's scale is told by so many of its best, which every source sends at least.
N_BEST = 100


def spreads(parts: Scores, counted: Mask | None = None) -> Scores:
    """Shape (n_sources,). How far the best scores of each source lie apart; 0 if they do not.

    Sources have no unit in common. Dividing by the largest score or by the mean would do for two
    that are both 0 for an item of no interest; this does for any, and counts a source more where
    it tells its best apart.

    Parameters
    ----------
    parts
        Shape (n_sources, n). Scores; NaN is no opinion.
    counted
        Shape (n,). Items that tell the scale. Those of the row itself do not: what a model says of
        them is no guess.
    """
    is_told = ~np.isnan(parts) if counted is None else ~np.isnan(parts) & counted
    known = np.where(is_told, parts, np.float32(-np.inf))
    if known.shape[1] > N_BEST:
        known = np.partition(known, -N_BEST, axis=1)[:, -N_BEST:]
    has_opinion = np.isfinite(known)
    n = np.maximum(1, has_opinion.sum(axis=1, keepdims=True))
    mean = np.where(has_opinion, known, 0).sum(axis=1, keepdims=True) / n
    squares = (np.where(has_opinion, known - mean, 0) ** 2).sum(axis=1) / n[:, 0]
    return np.asarray(np.sqrt(squares), dtype=np.float32)


def unitless(parts: Scores, counted: Mask | None = None) -> Scores:
    """Each source's scores by its spread; 0 where it has no opinion or all are the same."""
    scale = spreads(parts, counted)[:, None]
    told = np.where(np.isnan(parts), 0, parts)
    return np.divide(told, scale, out=np.zeros_like(told), where=scale > 0)


@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """A learned weighted sum of sources; the same for all items and for a request's candidates.

    Attributes
    ----------
    weights
        Shape (n_sources,). 0 for a source that brings nothing the others do not; below 0 for one
        that tells what the others overrate.
    """

    weights: Scores

    def scores(self, parts: Scores, counted: Mask | None = None) -> Scores:
        """Shape (n,). The blend of sources' scores, (n_sources, n); NaN if none has an opinion."""
        blended = self.weights @ unitless(parts, counted)
        # What only speaks against is no opinion.
        blended[np.isnan(parts[self.weights >= 0]).all(axis=0)] = np.nan
        return np.asarray(blended, dtype=np.float32)

    @property
    def is_used(self) -> Mask:
        """Shape (n_sources,). Which of the sources have a weight."""
        return np.asarray(self.weights != 0)

    def of(self, _n_items: int) -> "Blend":
        """The blend for somebody with so many items: itself."""
        return self

    def among(self, kept: NDArray[np.integer]) -> "Blend":
        """The blend of some of the sources."""
        return Blend(self.weights[kept])


@dataclass(frozen=True, slots=True, eq=False)
class ByLength:
    """Blends for who has few items, more, and many: sources differ in what they make of little.

    Attributes
    ----------
    bounds
        Shape (n blends - 1,), ascending. Who has as many items or more takes a later blend.
    blends
        Of the same sources.
    """

    bounds: Ints
    blends: tuple[Blend, ...]

    @property
    def is_used(self) -> Mask:
        """Shape (n_sources,). Which of the sources have a weight in any of the blends."""
        return np.asarray(np.any([blend.is_used for blend in self.blends], axis=0))

    def of(self, n_items: int) -> Blend:
        """The blend for somebody with so many items."""
        return self.blends[int(np.searchsorted(self.bounds, n_items, side="right"))]

    def among(self, kept: NDArray[np.integer]) -> "ByLength":
        """The same of some of the sources."""
        return ByLength(self.bounds, tuple(blend.among(kept) for blend in self.blends))


@dataclass(frozen=True, slots=True, eq=False)
class Blended:
    """Models that have learned, answering as one.

    Parameters
    ----------
    models
        As many as the blend has weights.
    """

    models: Sequence[Model]
    blend: Blend | ByLength

    def score(self, rows: Rows) -> Scores:
        """The blend of all items' scores, shape (n_rows, n_items); NaN means no opinion."""
        owner = np.repeat(np.arange(len(rows)), np.diff(rows.offsets))
        scores = np.zeros((len(rows), rows.n_items), dtype=np.float32)
        is_unknown = np.ones_like(scores, dtype=np.bool_)
        of_rows = [self.blend.of(n).weights for n in np.diff(rows.offsets).tolist()]
        weights = np.array(of_rows, np.float32).reshape(len(rows), len(self.models), 1)
        # One model after the other for all rows: parts of all at once would take their memory.
        for place, model in enumerate(self.models):
            part = model.score(rows)
            told = part.copy()
            told[owner, rows.items] = np.nan
            scale = spreads(told)[:, None]
            weight = weights[:, place]
            is_unknown &= np.isnan(part) | (weight < 0)
            np.nan_to_num(part, copy=False, nan=0)
            scores += part * np.divide(weight, scale, out=np.zeros_like(scale), where=scale > 0)
        scores[is_unknown] = np.nan
        return scores

    def brought(self, row: Row, k: int, within: Kind | None) -> Idxs:
        """The distinct items that the models would send, ascending."""
        # Own items are often the best scored and never tell a scale.
        wanted = max(k, N_BEST) + len(row)
        sent = [model.candidates(row, wanted, within).items for model in self.models]
        return np.unique(np.concatenate([np.empty(0, dtype=np.int32), *sent]))

    def parts(self, row: Row, items: Idxs) -> Scores:
        """Shape (n models, n items). What each model says of some items."""
        return np.stack([model.score_of(row, items) for model in self.models])

    def candidates(self, row: Row, k: int, within: Kind | None) -> Ranking:
        """The k best of what the models send; whatever any of them knows above 0."""
        items = self.brought(row, k, within)
        parts, blend = self.parts(row, items), self.blend.of(len(row))
        scores = blend.scores(parts, _is_new(row, items))
        is_known = (parts[blend.weights > 0] > 0).any(axis=0)
        return Ranking.best(items[is_known], scores[is_known], k)

    def score_of(self, row: Row, items: Idxs) -> Scores:
        """The blend for some items, on the scale that `candidates` has for them and its own."""
        every = np.union1d(items, self.brought(row, N_BEST, None))
        scores = self.blend.of(len(row)).scores(self.parts(row, every), _is_new(row, every))
        return np.asarray(scores[np.searchsorted(every, items)])

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """The reason of the model that adds most to each score."""
        every = np.union1d(items, self.brought(row, N_BEST, None))
        parts = unitless(self.parts(row, every), _is_new(row, every))
        weighed = self.blend.of(len(row)).weights[:, None] * parts[:, np.searchsorted(every, items)]
        reasons = [model.because(row, items) for model in self.models]
        return [
            reasons[best][place] if weighed[best, place] > 0 else None
            for place, best in enumerate(weighed.argmax(axis=0))
        ]


def _is_new(row: Row, items: NDArray[np.integer]) -> Mask:
    """Which of the items the row does not hold."""
    return np.isin(items, row.items, invert=True)
