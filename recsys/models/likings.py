"""What people like, read as traits of items: the counts that tags are aligned and judged by."""

import numpy as np
from scipy.sparse import csr_array, diags_array

from recsys.catalog import Idxs
from recsys.ids import Mask
from recsys.interactions import Rows
from recsys.models.lists import Sparse, liked_only

# More persons would make counts of tags no better, only dearer.
MAX_PERSONS = 20_000


def liked_items(rows: Rows) -> Sparse:
    """What persons like, of at most `MAX_PERSONS` spread evenly; shape (n_persons, n_items)."""
    liked = liked_only(rows)
    n_persons = liked.shape[0]
    if n_persons > MAX_PERSONS:
        liked = liked[np.linspace(0, n_persons - 1, MAX_PERSONS).astype(np.int64)]
    return csr_array(liked)


def halves(liked: Sparse) -> tuple[Sparse, Sparse]:
    """Every other item of each person, and the rest: what is in both was liked twice over."""
    place = np.arange(liked.nnz) - np.repeat(liked.indptr[:-1], np.diff(liked.indptr))
    return _kept(liked, place % 2 == 0), _kept(liked, place % 2 == 1)


def of_items(liked: Sparse, items: Idxs) -> Sparse:
    """The same without what is not among some items."""
    wanted = np.zeros(liked.shape[1], dtype=np.bool_)
    wanted[items] = True
    return _kept(liked, wanted[liked.indices])


def _kept(liked: Sparse, kept: Mask) -> Sparse:
    before = np.concatenate([[0], np.cumsum(kept)])
    parts = (liked.data[kept], liked.indices[kept], before[liked.indptr])
    return csr_array(parts, shape=liked.shape)


def shares(liked: Sparse) -> Sparse:
    """Each person's weights as parts of one, so that who does much does not speak for all."""
    sums = np.asarray(liked.sum(axis=1), dtype=np.float64)
    return csr_array(diags_array(1 / np.where(sums > 0, sums, 1)) @ liked)


def both(one: Sparse, other: Sparse) -> tuple[Sparse, Sparse]:
    """Only persons who have something in both."""
    known = np.flatnonzero((np.diff(one.indptr) > 0) & (np.diff(other.indptr) > 0))
    return csr_array(one[known]), csr_array(other[known])


def strongest(persons_traits: Sparse, n: int) -> Sparse:
    """The n largest entries of each row; ties go to the earlier one."""
    lengths = np.diff(persons_traits.indptr)
    row = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((-persons_traits.data, row))
    place = np.arange(len(order)) - np.repeat(persons_traits.indptr[:-1], lengths)
    kept = np.zeros(len(order), dtype=np.bool_)
    kept[order[place < n]] = True
    return _kept(persons_traits, kept)
