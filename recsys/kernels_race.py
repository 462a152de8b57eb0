"""Compiled loops over candidates: fused, among others, the best of each kind."""

import numpy as np
from numpy.typing import NDArray

from recsys.kernels import (
    B1,
    F8,
    F8_2D,
    I1,
    I4,
    I8,
    INT,
    REAL,
    kernel,
    place_of,
    put_first,
    slots_for,
)


@kernel(I4, I4)
def among(items: NDArray[np.int32], chosen: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which of the items are among the chosen."""
    slots = slots_for(len(chosen))
    for number in range(len(chosen)):
        slots[place_of(slots, chosen, chosen[number])] = number
    found = np.empty(len(items), dtype=np.bool_)
    for number in range(len(items)):
        found[number] = slots[place_of(slots, chosen, items[number])] >= 0
    return found


@kernel(I4, I8, I4, F8, REAL)
def fused(
    listed: NDArray[np.int32],
    ends: NDArray[np.int64],
    source_of: NDArray[np.int32],
    weights: NDArray[np.float64],
    fusion_k: float,
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """Reciprocal-rank fusion of rankings that stand one behind the other.

    Returns
    -------
    Distinct items, their scores, and what each source gave, shape (n_sources, n).
    """
    slots, items, n = slots_for(len(listed)), np.empty_like(listed), 0
    added = np.zeros((len(weights), len(listed)))
    start = 0
    for ranking in range(len(ends)):
        source = source_of[ranking]
        for at in range(start, ends[ranking]):
            slot = place_of(slots, items, listed[at])
            if slots[slot] < 0:
                slots[slot], items[n] = n, listed[at]
                n += 1
            added[source, slots[slot]] = weights[source] / (fusion_k + 1 + at - start)
        start = ends[ranking]
    parts, scores = added[:, :n].copy(), np.zeros(n)
    for source in range(len(weights)):
        for place in range(n):
            scores[place] += parts[source, place]
    return items[:n].copy(), scores, parts


@kernel(I4, F8, I1, I4, INT)
def best_of_kind(
    items: NDArray[np.int32],
    scores: NDArray[np.float64],
    kind_of: NDArray[np.int8],
    kinds: NDArray[np.int32],
    n: int,
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Places of the n best candidates of each kind, kind by kind, and how many each kind has."""
    found, counts = np.empty(len(items), dtype=np.int32), np.zeros(len(kinds), dtype=np.int64)
    end = 0
    for number in range(len(kinds)):
        order, m = np.empty(len(items), dtype=np.int32), 0
        for at in range(len(items)):
            if kind_of[items[at]] == kinds[number]:
                order[m] = at
                m += 1
        order, kept = order[:m], min(m, n)
        put_first(order, kept, scores, items)
        found[end : end + kept] = order[:kept]
        counts[number] = kept
        end += kept
    return found[:end], counts


@kernel(I4, F8, F8_2D, I4)
def taken(
    items: NDArray[np.int32],
    scores: NDArray[np.float64],
    parts: NDArray[np.float64],
    order: NDArray[np.int32],
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """Chosen candidates, in the order chosen."""
    n = len(order)
    chosen = np.empty((len(parts), n))
    for source in range(len(parts)):
        for place in range(n):
            chosen[source, place] = parts[source, order[place]]
    return items[order], scores[order], chosen


@kernel(I4, F8, F8_2D, B1)
def left_over(
    items: NDArray[np.int32],
    scores: NDArray[np.float64],
    parts: NDArray[np.float64],
    removed: NDArray[np.bool_],
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """The candidates that are not removed, in their order."""
    n = 0
    for place in range(len(items)):
        n += not removed[place]
    left, left_scores = np.empty(n, dtype=np.int32), np.empty(n)
    left_parts, n = np.empty((len(parts), n)), 0
    for place in range(len(items)):
        if not removed[place]:
            left[n], left_scores[n] = items[place], scores[place]
            for source in range(len(parts)):
                left_parts[source, n] = parts[source, place]
            n += 1
    return left, left_scores, left_parts
