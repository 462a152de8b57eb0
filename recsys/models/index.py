"""An index of vectors: the items likeliest to have a large product with a query, without a pass."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recsys import kernels_vectors
from recsys.catalog import Idxs, Kind
from recsys.links import Links
from recsys.models.base import Ranking, Scores

# The centres are learned from so many vectors each, in so many rounds; more changes little.
SAMPLE_PER_CELL = 64
ROUNDS = 8
# A cell larger than so many times the mean is cut, so that no query has to read a giant.
MAX_SHARE = 4
BLOCK = 8_192
LARGEST = np.float32(127)


@dataclass(frozen=True, slots=True, eq=False)
class VectorIndex:
    """An inverted file (Sivic and Zisserman 2003; Jégou, Douze and Schmid 2011) for products.

    Vectors are parted into about √n cells by k-means. For that they get one more dimension that
    makes all of them equally long, so that the nearest neighbour is the one of largest product
    (Bachrach et al. 2014); queries have 0 there. What it loses depends on the data and is
    measured when a bundle is built.

    Attributes
    ----------
    centres
        Shape (n_cells, n_factors).
    cells
        For each cell its items.
    codes
        Shape (n items, n_factors), in the order of the cells: vectors as whole numbers up to 127,
        which are read one behind the other where the vectors lie far apart.
    scales
        Shape (n items,). What 1 in each code stands for.
    """

    centres: Scores
    cells: Links
    codes: NDArray[np.int8]
    scales: Scores

    @classmethod
    def of(cls, vectors: Scores, items: Idxs, seed: int) -> Self:
        """Index some of the vectors, shape (n_items, n_factors); zeros are left out."""
        items = items[np.einsum("ij,ij->i", vectors[items], vectors[items]) > 0]
        if len(items) == 0:
            return cls(vectors[:0], Links.of([]), *_coded(vectors[:0]))
        equal = _equally_long(vectors[items])
        centres = _centres(equal, round(len(items) ** 0.5), np.random.default_rng(seed))
        cell = _nearest(equal, centres)
        order = np.argsort(cell, kind="stable")
        limit = MAX_SHARE * -(-len(items) // len(centres))
        owners, parts = [], []
        for owner, part in enumerate(np.split(order, np.cumsum(np.bincount(cell))[:-1])):
            cut = [part[start : start + limit] for start in range(0, len(part), limit)]
            owners += [owner] * len(cut)
            parts += [items[one] for one in cut]
        cells = Links.of(parts)
        return cls(
            np.ascontiguousarray(centres[owners, :-1]), cells, *_coded(vectors[cells.targets])
        )

    def looked_at(self, query: Scores, n: int) -> tuple[Idxs, Scores]:
        """The items of the nearest cells, and about their products with a query.

        Parameters
        ----------
        query
            Shape (n_factors,).
        n
            Cells are taken until they hold so many items.
        """
        found: tuple[Idxs, Scores] = kernels_vectors.near(*self._told(), query, n)
        return found

    def _told(self) -> tuple[NDArray[Any], ...]:
        cells = self.cells
        return self.centres, cells.offsets, cells.targets, self.codes, self.scales

    def best(self, query: Scores, n: int, vectors: Scores, n_exact: int, k: int) -> Ranking:
        """The k items of highest product above 0 of the n looked at.

        Parameters
        ----------
        vectors
            What was indexed; products with so many of it, those that seem best, are exact.
        """
        asked = (query, n, vectors, n_exact, k)
        return Ranking(*kernels_vectors.best_near(*self._told(), *asked))


@dataclass(frozen=True, slots=True, eq=False)
class IndexByKind:
    """One index of products and one of videos."""

    products: VectorIndex
    videos: VectorIndex

    @classmethod
    def of(cls, vectors: Scores, kind: NDArray[np.int8], seed: int) -> Self:
        """Index the items of each kind; `kind` has shape (n_items,)."""

        def of_kind(wanted: Kind) -> VectorIndex:
            return VectorIndex.of(vectors, np.flatnonzero(kind == wanted).astype(np.int32), seed)

        return cls(of_kind(Kind.PRODUCT), of_kind(Kind.VIDEO))

    def within(self, kind: Kind | None) -> tuple[VectorIndex, ...]:
        """The index of one kind; None: of each."""
        if kind is None:
            return self.products, self.videos
        return (self.products if kind is Kind.PRODUCT else self.videos,)


def _coded(vectors: Scores) -> tuple[NDArray[np.int8], Scores]:
    """Vectors as whole numbers up to 127, and what 1 in each of them stands for."""
    scales = np.abs(vectors).max(axis=1, initial=0) / LARGEST
    codes = np.rint(vectors / np.maximum(scales, np.float32(1e-30))[:, None])
    return codes.astype(np.int8), scales.astype(np.float32)


def _equally_long(vectors: Scores) -> Scores:
    """The vectors with one more dimension that makes all of them as long as the longest."""
    squares = np.einsum("ij,ij->i", vectors, vectors)
    return np.column_stack([vectors, np.sqrt(squares.max() - squares)]).astype(np.float32)


def _centres(vectors: Scores, n_cells: int, rng: np.random.Generator) -> Scores:
    """Lloyd's k-means on a sample."""
    n_sampled = min(len(vectors), SAMPLE_PER_CELL * n_cells)
    some = vectors[rng.choice(len(vectors), n_sampled, replace=False)]
    centres = some[:n_cells].copy()
    for _ in range(ROUNDS):
        cell = _nearest(some, centres)
        order, sizes = np.argsort(cell, kind="stable"), np.bincount(cell, minlength=n_cells)
        used = np.flatnonzero(sizes)
        sums = np.add.reduceat(some[order], (np.cumsum(sizes) - sizes)[used])
        centres[used] = sums / sizes[used, None]
    return centres


def _nearest(vectors: Scores, centres: Scores) -> NDArray[np.intp]:
    """For each vector its nearest centre."""
    half = 0.5 * np.einsum("ij,ij->i", centres, centres)
    return np.concatenate(
        [
            (vectors[start : start + BLOCK] @ centres.T - half).argmax(axis=1)
            for start in range(0, len(vectors), BLOCK)
        ]
    )
