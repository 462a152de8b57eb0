"""Compiled loops over candidates: their features for one person, and trees that ask for these."""

import numpy as np
from numpy.typing import NDArray

from recsys.kernels import (
    B1_2D,
    F4,
    F4_2D,
    F8,
    F8_2D,
    I1,
    I4,
    I4_2D,
    I8,
    INT,
    inside,
    kernel,
    place_of,
    slots_for,
)

DAY_MS = 86_400_000.0
# The numbers of interests and of acts in `recsys.features`.
N_INTERESTS, N_OWN = 3, 4


@kernel(I4_2D, B1_2D, F4_2D, F8_2D, F4_2D)
def tree_scores(
    column: NDArray[np.int32],
    is_left_if_missing: NDArray[np.bool_],
    threshold: NDArray[np.float32],
    leaf: NDArray[np.float64],
    values: NDArray[np.float32],
) -> NDArray[np.float64]:
    """The sum over padded trees for each candidate; the arrays are those of `Trees`.

    Parameters
    ----------
    values
        Shape (n_features, n).
    """
    (n_features, n), (n_trees, n_nodes) = values.shape, column.shape
    # What is not known stands at both ends of the line: −∞ goes left of any threshold, ∞ right.
    both = np.empty(2 * n_features * n, dtype=np.float32)
    for feature in range(n_features):
        for row in range(n):
            value = values[feature, row]
            is_known = value == value
            both[feature * n + row] = value if is_known else -np.inf
            both[(n_features + feature) * n + row] = value if is_known else np.inf
    scores, at = np.zeros(n), np.empty(n, dtype=np.uint32)
    starts, asked = np.empty(n_nodes, dtype=np.uint32), np.empty(n_nodes, dtype=np.float32)
    for tree in range(n_trees):
        for node in range(n_nodes):
            end = 0 if is_left_if_missing[tree, node] else n_features
            starts[node], asked[node] = (column[tree, node] + end) * n, threshold[tree, node]
        at[:] = 0
        first = np.uint32(0)
        # All rows a level at a time: no row waits for another.
        while first < n_nodes:
            for row in range(n):
                node = first + at[row]
                goes_right = both[starts[node] + np.uint32(row)] > asked[node]
                at[row] = (at[row] << np.uint32(1)) + np.uint32(goes_right)
            first = np.uint32(2 * first + 1)
        for row in range(n):
            scores[row] += leaf[tree, at[row]]
    return scores


@kernel(I4, I1, I8, F4, I8, I8)
def person_of(
    item: NDArray[np.int32],
    kind: NDArray[np.int8],
    at_ms: NDArray[np.int64],
    weights: NDArray[np.float32],
    interest_of: NDArray[np.int64],
    own_of: NDArray[np.int64],
) -> tuple[
    NDArray[np.int32],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.int64],
    NDArray[np.float64],
]:
    """What acts in the order of time come to: the fields of a person, item by item, ascending.

    Parameters
    ----------
    interest_of, own_of
        By event type the place of its interest and of its act; −1 in none.
    """
    ordered, n = np.sort(item), 0
    for number in range(len(ordered)):
        if number == 0 or ordered[number] != ordered[n - 1]:
            ordered[n] = ordered[number]
            n += 1
    items = ordered[:n].copy()
    interests, acts = np.zeros((N_INTERESTS, len(items))), np.zeros((N_OWN, len(items)))
    last_ms, mix = np.empty(len(items), dtype=np.int64), np.zeros(N_INTERESTS)
    for number in range(len(item)):
        place = np.searchsorted(items, item[number])
        interest, act = interest_of[kind[number]], own_of[kind[number]]
        last_ms[place] = at_ms[number]
        if interest >= 0:
            interests[interest, place] += max(weights[number], np.float32(0))
            mix[interest] += 1
        if act >= 0:
            acts[act, place] += 1
    for interest in range(N_INTERESTS):
        interests[interest] /= max(interests[interest].sum(), 1e-12)
        mix[interest] /= max(len(item), 1)
    return items, interests, acts, last_ms, mix


@inside
def _added(
    keys: NDArray[np.int32], owners: NDArray[np.int32], weights: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int32]]:
    """A table of keys with the sums of their owners' weights, and one row of zeros behind them."""
    slots, known, n = slots_for(len(keys)), np.empty_like(keys), 0
    sums = np.zeros((len(keys) + 1, len(weights)))
    for number in range(len(keys)):
        slot = place_of(slots, known, keys[number])
        if slots[slot] < 0:
            slots[slot], known[n] = n, keys[number]
            n += 1
        for row in range(len(weights)):
            sums[slots[slot], row] += weights[row, owners[number]]
    return known, sums, slots


@inside
def _row_of(known: NDArray[np.int32], slots: NDArray[np.int32], key: int) -> int:
    """The row of a key's sums; the last one, of zeros, for a key that is not in the table."""
    place = slots[place_of(slots, known, key)]
    return place if place >= 0 else len(known)


@inside
def _rows(
    offsets: NDArray[np.int64], targets: NDArray[np.int32], own: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The targets of some rows, and which of the rows each is of."""
    n = 0
    for item in own:
        n += offsets[item + 1] - offsets[item]
    found, owners, n = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32), 0
    for owner in range(len(own)):
        for at in range(offsets[own[owner]], offsets[own[owner] + 1]):
            found[n], owners[n] = targets[at], owner
            n += 1
    return found, owners


@kernel(I4, I4, F8_2D, I4)
def same_keys(
    keys: NDArray[np.int32],
    own_keys: NDArray[np.int32],
    weights: NDArray[np.float64],
    column: NDArray[np.int32],
) -> NDArray[np.float64]:
    """For each item the own weight of its key in a column; NaN where the key is 0, none.

    Parameters
    ----------
    keys, own_keys
        Items asked for, and the person's.
    weights
        Shape (n weights, n own items).
    """
    known, sums, slots = _added(column[own_keys], np.arange(len(own_keys), dtype=np.int32), weights)
    found = np.empty((len(weights), len(keys)))
    for number in range(len(keys)):
        key = column[keys[number]]
        told = _row_of(known, slots, key)
        for row in range(len(weights)):
            found[row, number] = np.nan if key == 0 else sums[told, row]
    return found


@kernel(I4, I4, F8_2D, I8, I4)
def same_tags(
    items: NDArray[np.int32],
    own: NDArray[np.int32],
    weights: NDArray[np.float64],
    offsets: NDArray[np.int64],
    tags: NDArray[np.int32],
) -> NDArray[np.float64]:
    """The mean over an item's tags of the weight of own items with the tag; NaN without tags."""
    own_tags, owners = _rows(offsets, tags, own)
    known, sums, slots = _added(own_tags, owners, weights)
    found = np.zeros((len(weights), len(items)))
    for number in range(len(items)):
        start, end = offsets[items[number]], offsets[items[number] + 1]
        for at in range(start, end):
            told = _row_of(known, slots, tags[at])
            for row in range(len(weights)):
                found[row, number] += sums[told, row]
        for row in range(len(weights)):
            found[row, number] = found[row, number] / (end - start) if end > start else np.nan
    return found


@kernel(I4, I4, F8, I8, I4)
def by_card(
    items: NDArray[np.int32],
    own: NDArray[np.int32],
    weights: NDArray[np.float64],
    offsets: NDArray[np.int64],
    cards: NDArray[np.int32],
) -> NDArray[np.float64]:
    """The weight of own items on whose cards each item is, and of those on the item's own cards."""
    products, owners = _rows(offsets, cards, own)
    even = weights.reshape((1, len(weights)))
    known, sums, slots = _added(products, owners, even)
    known_own, sums_own, slots_own = _added(own, np.arange(len(own), dtype=np.int32), even)
    found = np.zeros((2, len(items)))
    for number in range(len(items)):
        item = items[number]
        found[0, number] = sums[_row_of(known, slots, item), 0]
        for at in range(offsets[item], offsets[item + 1]):
            found[1, number] += sums_own[_row_of(known_own, slots_own, cards[at]), 0]
    return found


@kernel(I4, I4, F8_2D, I8, INT)
def own_acts(
    items: NDArray[np.int32],
    own: NDArray[np.int32],
    acts: NDArray[np.float64],
    last_ms: NDArray[np.int64],
    at_ms: int,
) -> NDArray[np.float64]:
    """What the person did with the very items, and days since; `own` ascends."""
    found = np.zeros((N_OWN + 1, len(items)))
    found[N_OWN] = np.nan
    for number in range(len(items)):
        place = np.searchsorted(own, items[number])
        if place < len(own) and own[place] == items[number]:
            for act in range(N_OWN):
                found[act, number] = acts[act, place]
            # The smallest number there is stands for "undated".
            if last_ms[place] != np.iinfo(np.int64).min:
                found[N_OWN, number] = (at_ms - last_ms[place]) / DAY_MS
    return found


@kernel(F8, F4_2D, I1, I4)
def told(
    fused: NDArray[np.float64],
    opinions: NDArray[np.float32],
    kind_of: NDArray[np.int8],
    items: NDArray[np.int32],
) -> NDArray[np.float64]:
    """Every opinion, and its share of the best opinion of the same source on the same kind."""
    n_sources, n = opinions.shape
    found = np.empty((2 * (n_sources + 1), n))
    for source in range(n_sources + 1):
        most = np.zeros(2)
        for number in range(n):
            said = fused[number] if source == 0 else np.float64(opinions[source - 1, number])
            found[2 * source, number] = said
            if said > most[kind_of[items[number]]]:
                most[kind_of[items[number]]] = said
        for number in range(n):
            top = most[kind_of[items[number]]]
            found[2 * source + 1, number] = found[2 * source, number] / top if top > 0 else np.nan
    return found
