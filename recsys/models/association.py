"""Which items go with which: co-occurrence that is more than chance, and linear filters.

Both give, block by block of source items, what each says for some target items.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, lapack
from scipy.sparse import csr_array, diags_array

from recsys.catalog import Idxs
from recsys.models.base import Ranking
from recsys.models.lists import Sparse, best_of_rows

# A block of a source × target product holds at most so many entries, about 200 MB.
MAX_BLOCK_ENTRIES = 16_000_000
# Below this share of the largest, an entry of a filter is rounding.
ROUNDING = 1e-4
# So alike any two persons are held to be, whatever they did: what everybody likes is learned once.
ALIKE = 0.03

Doubles = NDArray[np.float64]


def log_likelihood_ratio(
    both: NDArray[Any], source: NDArray[Any], target: NDArray[Any], n_persons: int
) -> Doubles:
    """How surely two things go together more often than chance (Dunning 1993); 0 where less.

    Twice the log-likelihood ratio of a table of two by two, so under chance it is distributed like
    chi-squared with one degree of freedom: 3.84 is exceeded once in twenty.

    Parameters
    ----------
    both, source, target
        How many persons did both, the one, and the other.
    """
    k, a, b = (np.asarray(n, dtype=np.float64) for n in (both, source, target))
    inside = _x_log_x(k) + _x_log_x(a - k) + _x_log_x(b - k) + _x_log_x(n_persons - a - b + k)
    edges = _x_log_x(a) + _x_log_x(n_persons - a) + _x_log_x(b) + _x_log_x(n_persons - b)
    ratio = 2 * (inside - edges + _x_log_x(np.float64(n_persons)))
    return np.where(k * n_persons > a * b, np.maximum(ratio, 0), 0)


def _x_log_x(x: Any) -> Any:
    return x * np.log(np.where(x > 0, x, 1))


def crossing_lists(
    done: Sparse, aimed: Sparse, targets: Idxs, *, significance: float, k: int
) -> Iterator[Ranking]:
    """For each source item the target items that who did the one also did, surest first.

    Parameters
    ----------
    done, aimed
        Ones, shape (n_persons, n_items): the behaviour, and the one that is to come of it.
    significance
        Log-likelihood ratios below this are chance.
    """
    n_persons, n_items = done.shape
    n_source, n_target = done.sum(axis=0), aimed.sum(axis=0)[targets]
    item_persons, aimed = csr_array(done.T), csr_array(aimed[:, targets])
    for start, end in _blocks(item_persons, aimed):
        together = csr_array(item_persons[start:end] @ aimed)
        keys = np.repeat(np.arange(start, end), np.diff(together.indptr))
        ratio = log_likelihood_ratio(
            together.data, n_source[keys], n_target[together.indices], n_persons
        )
        is_chance = (ratio < significance) | (targets[together.indices] == keys)
        together.data = np.where(is_chance, 0, ratio).astype(np.float32)
        yield from best_of_rows(together, k, targets)


def _blocks(item_persons: Sparse, aimed: Sparse) -> Iterator[tuple[int, int]]:
    """Ranges of items whose product with the targets stays under the allowed number of entries."""
    reach = item_persons @ np.diff(aimed.indptr).astype(np.float64)
    upto = np.cumsum(np.minimum(reach, aimed.shape[1]))
    start, n_items = 0, item_persons.shape[0]
    while start < n_items:
        before = upto[start - 1] if start else 0.0
        # One item alone may be too much, but cannot be split.
        end = max(int(np.searchsorted(upto, before + MAX_BLOCK_ENTRIES, side="right")), start + 1)
        yield start, end
        start = end


def filter_within(persons_items: Sparse, ridge: float) -> NDArray[np.float32]:
    """The linear filter that predicts each item from all others (EASE; Steck 2019).

    Parameters
    ----------
    ridge
        Held against large entries, in mean diagonals of the product of the matrix with itself, so
        that it suits few people and many.

    Returns
    -------
    Shape (n_items, n_items), zeros on the diagonal.
    """
    gram = np.asarray((persons_items.T @ persons_items).todense(), dtype=np.float32)
    diagonal = np.diag_indices_from(gram)
    gram[diagonal] += ridge * float(gram[diagonal].mean())
    factor, failed = lapack.spotrf(gram.T, lower=1, overwrite_a=1)
    if failed:
        raise ValueError(f"the ridge must be positive, got {ridge}")
    inverse, _ = lapack.spotri(factor, lower=1, overwrite_c=1)
    inverse = _mirrored(inverse)
    inverse /= -inverse[diagonal].copy()
    inverse[diagonal] = 0
    return np.asarray(inverse)


def _mirrored(lower: NDArray[np.float32]) -> NDArray[np.float32]:
    """The symmetric matrix of a lower triangle, block by block in its own memory."""
    step = 2_000
    for start in range(0, len(lower), step):
        end = start + step
        block = np.tril(lower[start:end, start:end])
        lower[start:end, start:end] = block + np.tril(block, -1).T
        lower[start:end, end:] = lower[end:, start:end].T
    return lower


def filter_between(
    done: Sparse, aimed: Sparse, ridge: float
) -> tuple[Sparse, NDArray[np.float32], NDArray[np.float32]]:
    """The linear filter that predicts other items from each item: ridge regression over persons.

    What somebody has is brought to length 1, so that they speak for what they aim at whole,
    however much they had; who aimed at much taught much, and counts as much.

    Parameters
    ----------
    done, aimed
        Shape (n_persons, n_sources) and (n_persons, n_targets), of persons that have both.

    Returns
    -------
    Two factors of the filter, of shape (n_sources, n_persons) and (n_persons, n_targets), as the
    product may be large; and what everybody is given before anything is known, (n_targets,).
    """
    sources = _unit_rows(done)
    alike = np.asarray((sources @ sources.T).todense(), dtype=np.float32) + ALIKE
    alike[np.diag_indices_from(alike)] += ridge
    factor = cho_factor(alike, overwrite_a=True, check_finite=False)
    shared = cho_solve(factor, np.asarray(aimed.todense(), dtype=np.float32), overwrite_b=True)
    usual = ALIKE * shared.sum(axis=0, dtype=np.float64)
    return csr_array(sources.T), np.asarray(shared), usual.astype(np.float32)


def _unit_rows(matrix: Sparse) -> Sparse:
    lengths = np.sqrt(np.asarray(matrix.power(2).sum(axis=1), dtype=np.float64))
    return csr_array(diags_array(1 / np.where(lengths > 0, lengths, 1)) @ matrix)


def filter_lists(
    filtered: NDArray[np.float32], sources: Idxs, targets: Idxs, n_items: int, k: int
) -> list[Ranking]:
    """For each item of the catalogue the k best positive entries of its row of a filter."""
    lists = [Ranking.none()] * n_items
    least = ROUNDING * float(filtered.max(initial=0))
    for source, values in zip(sources.tolist(), filtered, strict=True):
        kept = np.flatnonzero(values > least)
        lists[source] = Ranking.best(targets[kept], values[kept], k)
    return lists
