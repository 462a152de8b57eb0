"""Compiled loops over candidates: fused, among others, the best of each kind."""

from typing import Any

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
    U1,
    inside,
    kernel,
    place_of,
    put_first,
    slots_for,
    together,
)

# What is barred of an item that is named: it, it as a durable product, it as a video.
ANYWHERE, AS_DURABLE, AS_VIDEO = 1, 2, 4
PRODUCT, VIDEO = 0, 1


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


@inside
def _named(
    named: NDArray[np.int32], n_anywhere: int, n_durables: int
) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
    """A table of the items that are named, and what is barred of each."""
    slots, bits = slots_for(len(named)), np.zeros(len(named), dtype=np.int8)
    for number in range(len(named)):
        slot = place_of(slots, named, named[number])
        if slots[slot] < 0:
            slots[slot] = number
        if number < n_anywhere:
            bits[slots[slot]] |= ANYWHERE
        else:
            bits[slots[slot]] |= AS_DURABLE if number < n_anywhere + n_durables else AS_VIDEO
    return slots, bits


@kernel(I4, together(I4, INT, INT), I4, together(I1, B1, I4, U1), together(B1, I8, I8, INT), INT)
def barred(
    items: NDArray[np.int32],
    naming: tuple[NDArray[np.int32], int, int],
    needs: NDArray[np.int32],
    columns: tuple[Any, ...],
    timing: tuple[Any, ...],
    meant: int,
) -> NDArray[np.bool_]:
    """Which of the items may not be in a list; parameters as `recsys.bars.Bars` has them.

    Parameters
    ----------
    naming
        The items that are named, how many of them may not come at all, how many as durables.
    columns
        Of the catalogue: kinds, durables, categories, whom items are meant for.
    timing
        What may come, when items come out and when they expire, empty where it does not matter; and
        the time.
    """
    named, n_anywhere, n_durables = naming
    kind, durable, category, audience = columns
    may_come, published_ms, expires_ms, at_ms = timing
    slots, bits = _named(named, n_anywhere, n_durables)
    removed = np.zeros(len(items), dtype=np.bool_)
    for place in range(len(items)):
        item = items[place]
        is_out = len(may_come) > 0 and not may_come[item]
        if len(published_ms) > 0:
            is_out |= published_ms[item] > at_ms
        if len(expires_ms) > 0:
            is_out |= expires_ms[item] != 0 and expires_ms[item] <= at_ms
        if meant >= 0:
            is_out |= audience[item] != 0 and (audience[item] & meant) == 0
        known = slots[place_of(slots, named, item)]
        if known >= 0:
            bit = bits[known]
            is_out |= (bit & ANYWHERE) != 0
            is_out |= (bit & AS_DURABLE) != 0 and kind[item] == PRODUCT and durable[item]
            is_out |= (bit & AS_VIDEO) != 0 and kind[item] == VIDEO
        if len(needs) > 0 and durable[item]:
            for need in range(len(needs)):
                is_out |= category[item] == needs[need]
        removed[place] = is_out
    return removed


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
