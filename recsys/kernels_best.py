"""Compiled selection: the best of scored items, best first."""

import numpy as np
from numpy.typing import NDArray

from recsys.kernels import F4, I4, INT, inside, kernel

LAST_ITEM = 2**31 - 1
BUCKETS = 512


@inside
def _part(found: NDArray[np.int64], n: int, k: int) -> None:
    """Bring the k largest of the first n numbers, each there once, to the front, in any order.

    Buckets of equal width, and then the bucket that the k-th is in by itself, and so on.
    """
    start, end = 0, n
    counts, other = np.empty(BUCKETS, dtype=np.int64), np.empty(n, dtype=np.int64)
    while start < k < end:
        low, high = found[start], found[start]
        for at in range(start, end):
            low, high = min(low, found[at]), max(high, found[at])
        shift = 0
        while (high - low) >> shift >= BUCKETS:
            shift += 1
        counts[:] = 0
        for at in range(start, end):
            counts[(found[at] - low) >> shift] += 1
        bucket, above = BUCKETS - 1, start
        while above + counts[bucket] < k:
            above += counts[bucket]
            bucket -= 1
        to, last = start, above
        for at in range(start, end):
            its = (found[at] - low) >> shift
            if its > bucket:
                other[to] = found[at]
                to += 1
            elif its == bucket:
                other[last] = found[at]
                last += 1
        found[start:last] = other[start:last]
        start, end = above, last


@inside
def best_between(
    items: NDArray[np.int32], scores: NDArray[np.float32], start: int, end: int, k: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The k items of highest score between two places, only above 0; ties: the lower item."""
    found, bits, n = np.empty(end - start, dtype=np.int64), scores.view(np.int32), 0
    for at in range(start, end):
        if scores[at] > 0:
            # The bits of floats above 0 are in the order of the floats; the rest falls with the
            # item, so that one number is one place in the order.
            found[n] = (np.int64(bits[at]) << 32) | (LAST_ITEM - items[at])
            n += 1
    if n > k:
        _part(found, n, k)
        n = k
    ordered = np.sort(found[:n])
    best, told = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32)
    for at in range(n):
        one = ordered[n - 1 - at]
        best[at], told[at] = LAST_ITEM - (one & LAST_ITEM), one >> 32
    return best, told.view(np.float32)


@kernel(I4, F4, INT, INT, INT)
def best(
    items: NDArray[np.int32], scores: NDArray[np.float32], start: int, end: int, k: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The k items of highest score between two places, only above 0; ties: the lower item."""
    found: tuple[NDArray[np.int32], NDArray[np.float32]] = best_between(
        items, scores, start, end, k
    )
    return found
