"""Compiled loops over prepared lists: sums of them, their best, what gives most."""

import numpy as np
from numpy.typing import NDArray

from recsys.kernels import F4, I4, I8, INT, home_of, inside, kernel, place_of, slots_for
from recsys.kernels_best import best_between

Lists = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]
# So many numbers of four bytes come from the memory at once.
LINE = 16


@inside
def fetched(lists: Lists, keys: NDArray[np.int32]) -> int:
    """Ask the memory for all of some keys' lists, before any is worked on; always 0.

    Lists lie far apart. One after the other, each would be waited for; as nothing here depends on
    what comes, many are on their way at a time.
    """
    (offsets, listed, scores), total, part = lists, 0, np.float32(0)
    for key in keys:
        for at in range(offsets[key], offsets[key + 1], LINE):
            total += listed[at]
            part += scores[at]
    # Positions are not below 0; the compiler does not know, and so leaves nothing out.
    return 1 if total < 0 and part < 0 else 0


# Slots, items, their sums, which key gave each most, and how much.
Table = tuple[
    NDArray[np.int32],
    NDArray[np.int32],
    NDArray[np.float32],
    NDArray[np.int32],
    NDArray[np.float32],
]


@inside
def _table_for(n: int) -> Table:
    """A table for up to n items."""
    items, sums = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.float32)
    return slots_for(n), items, sums, np.empty_like(items), np.empty_like(sums)


@inside
def _add(
    lists: Lists,
    asked: tuple[NDArray[np.int32], NDArray[np.float32]],
    table: Table,
    found: int,
) -> int:
    """Add the lists of some keys to a table; how many items it has then."""
    (offsets, listed, scores), (keys, weights) = lists, asked
    slots, items, sums, best_key, best_part = table
    mask = len(slots) - 1
    for number in range(len(keys)):
        weight = weights[number]
        for at in range(offsets[keys[number]], offsets[keys[number] + 1]):
            item, part = listed[at], scores[at] * weight
            slot = home_of(item, mask)
            while slots[slot] >= 0 and items[slots[slot]] != item:
                slot = (slot + 1) & mask
            place = slots[slot]
            if place < 0:
                place = slots[slot] = found
                items[place], sums[place] = item, 0
                best_key[place], best_part[place] = -1, 0
                found += 1
            sums[place] += part
            if part > best_part[place]:
                best_key[place], best_part[place] = number, part
    return found


@kernel(I8, I4, F4, I4, F4)
def summed(
    offsets: NDArray[np.int64],
    listed: NDArray[np.int32],
    scores: NDArray[np.float32],
    keys: NDArray[np.int32],
    weights: NDArray[np.float32],
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int32]]:
    """Add up the lists of some keys: distinct items, their weighted sums, and the table of them."""
    n = 0
    for key in keys:
        n += offsets[key + 1] - offsets[key]
    table = _table_for(n)
    found = _add((offsets, listed, scores), (keys, weights), table, 0)
    return table[1][:found].copy(), table[2][:found].copy(), table[0]


@kernel(I4, F4, I4, I4)
def looked_up(
    items: NDArray[np.int32],
    scores: NDArray[np.float32],
    slots: NDArray[np.int32],
    asked: NDArray[np.int32],
) -> NDArray[np.float32]:
    """The scores of some items in a table; NaN for those that are not in it."""
    found = np.empty(len(asked), dtype=np.float32)
    for number in range(len(asked)):
        at = slots[place_of(slots, items, asked[number])]
        found[number] = scores[at] if at >= 0 else np.nan
    return found


@kernel(I8, I4, I4)
def pooled(
    offsets: NDArray[np.int64], listed: NDArray[np.int32], keys: NDArray[np.int32]
) -> NDArray[np.int32]:
    """The distinct items of some keys' lists, in the order met."""
    n = 0
    for key in keys:
        n += offsets[key + 1] - offsets[key]
    slots, items, found = slots_for(n), np.empty(n, dtype=np.int32), 0
    for key in keys:
        for at in range(offsets[key], offsets[key + 1]):
            slot = place_of(slots, items, listed[at])
            if slots[slot] < 0:
                slots[slot], items[found] = found, listed[at]
                found += 1
    return items[:found].copy()


@inside
def _products(
    lists: Lists,
    asked: NDArray[np.int32],
    items: NDArray[np.int32],
    weights: NDArray[np.float32],
) -> NDArray[np.float32]:
    """For each key asked, the sum over its list of score times weight."""
    offsets, listed, scores = lists
    # A table of few keys in many slots, so that most are found, or not, at the first look.
    size = 64 + fetched(lists, asked)
    while size < 4 * len(items):
        size *= 2
    mask = size - 1
    known, worth = np.full(size, -1, dtype=np.int32), np.zeros(size, dtype=np.float32)
    for number in range(len(items)):
        slot = home_of(items[number], mask)
        while known[slot] >= 0:
            slot = (slot + 1) & mask
        known[slot], worth[slot] = items[number], weights[number]
    found = np.empty(len(asked), dtype=np.float32)
    for number in range(len(asked)):
        total = np.float32(0)
        for at in range(offsets[asked[number]], offsets[asked[number] + 1]):
            slot = home_of(listed[at], mask)
            while known[slot] >= 0 and known[slot] != listed[at]:
                slot = (slot + 1) & mask
            total += scores[at] * worth[slot]
        found[number] = total
    return found


@kernel(I8, I4, F4, I4, I4, F4)
def products(
    offsets: NDArray[np.int64],
    listed: NDArray[np.int32],
    scores: NDArray[np.float32],
    asked: NDArray[np.int32],
    items: NDArray[np.int32],
    weights: NDArray[np.float32],
) -> NDArray[np.float32]:
    """For each key asked, the sum over its list of score times the weight of distinct items."""
    found: NDArray[np.float32] = _products((offsets, listed, scores), asked, items, weights)
    return found


@kernel(I8, I4, F4, I8, I4, F4, I4, F4)
def summed_by_kind(
    offsets: NDArray[np.int64],
    listed: NDArray[np.int32],
    scores: NDArray[np.float32],
    other_offsets: NDArray[np.int64],
    other_listed: NDArray[np.int32],
    other_scores: NDArray[np.float32],
    keys: NDArray[np.int32],
    weights: NDArray[np.float32],
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int32], NDArray[np.int32], int]:
    """Add up the lists of some keys, those of one kind of items and those of the other.

    Returns
    -------
    Distinct items, those of the first kind first, and their weighted sums; for each which place
    among the keys gives it most, −1 where none gives anything above 0; the table of the items; and
    how many are of the first kind.
    """
    n = 0
    for key in keys:
        n += offsets[key + 1] - offsets[key] + other_offsets[key + 1] - other_offsets[key]
    n += fetched((offsets, listed, scores), keys)
    n += fetched((other_offsets, other_listed, other_scores), keys)
    asked, table = (keys, weights), _table_for(n)
    first = _add((offsets, listed, scores), asked, table, 0)
    found = _add((other_offsets, other_listed, other_scores), asked, table, first)
    slots, items, sums, best_key, _ = table
    return items[:found].copy(), sums[:found].copy(), best_key[:found].copy(), slots, first


@kernel(I4, I4, I4, I4)
def places_told(
    items: NDArray[np.int32],
    told: NDArray[np.int32],
    slots: NDArray[np.int32],
    asked: NDArray[np.int32],
) -> NDArray[np.int32]:
    """What a table tells of some items; −1 for those that are not in it."""
    found = np.empty(len(asked), dtype=np.int32)
    for number in range(len(asked)):
        at = slots[place_of(slots, items, asked[number])]
        found[number] = told[at] if at >= 0 else -1
    return found


@kernel(I8, I4, F4, F4, I4, I4, F4, INT)
def best_products(
    offsets: NDArray[np.int64],
    listed: NDArray[np.int32],
    scores: NDArray[np.float32],
    worth: NDArray[np.float32],
    asked: NDArray[np.int32],
    items: NDArray[np.int32],
    weights: NDArray[np.float32],
    k: int,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The k best of the keys asked by such sums times what each is worth; only above 0."""
    found = _products((offsets, listed, scores), asked, items, weights)
    for number in range(len(asked)):
        found[number] *= worth[asked[number]]
    best: tuple[NDArray[np.int32], NDArray[np.float32]] = best_between(
        asked, found, 0, len(asked), k
    )
    return best


@kernel(I8, I4, F4, I8, I4, F4, I4, F4, I4)
def strongest_by_way(
    offsets: NDArray[np.int64],
    listed: NDArray[np.int32],
    scores: NDArray[np.float32],
    own_offsets: NDArray[np.int64],
    own_listed: NDArray[np.int32],
    own_scores: NDArray[np.float32],
    keys: NDArray[np.int32],
    weights: NDArray[np.float32],
    asked: NDArray[np.int32],
) -> NDArray[np.int32]:
    """For each item asked, which place among the keys gives most for it by way of its own list.

    A key gives its weight times the product of its list with the item's own list; −1 where none
    gives anything above 0.
    """
    n = 0
    for key in keys:
        n += offsets[key + 1] - offsets[key]
    slots, known, last = slots_for(n), np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32)
    before, place_of_key = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32)
    value, n_known, entry = np.empty(n), 0, 0
    for number in range(len(keys)):
        for at in range(offsets[keys[number]], offsets[keys[number] + 1]):
            slot = place_of(slots, known, listed[at])
            if slots[slot] < 0:
                slots[slot], known[n_known], last[n_known] = n_known, listed[at], -1
                n_known += 1
            # Entries of one target are a chain, the latest first.
            before[entry], last[slots[slot]] = last[slots[slot]], entry
            place_of_key[entry], value[entry] = number, scores[at] * weights[number]
            entry += 1
    found, given = np.full(len(asked), -1, dtype=np.int32), np.zeros(len(keys))
    for number in range(len(asked)):
        given[:] = 0
        for at in range(own_offsets[asked[number]], own_offsets[asked[number] + 1]):
            target = slots[place_of(slots, known, own_listed[at])]
            entry = last[target] if target >= 0 else -1
            while entry >= 0:
                given[place_of_key[entry]] += value[entry] * own_scores[at]
                entry = before[entry]
        for place in range(len(keys)):
            if given[place] > (0.0 if found[number] < 0 else given[found[number]]):
                found[number] = place
    return found


@kernel(I4, F4)
def gathered(
    items: NDArray[np.int32], weights: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The distinct items, ascending, and the sum of each one's weights."""
    slots, known, sums, n = slots_for(len(items)), np.empty_like(items), np.empty(len(items)), 0
    for number in range(len(items)):
        slot = place_of(slots, known, items[number])
        if slots[slot] < 0:
            slots[slot], known[n], sums[n] = n, items[number], 0.0
            n += 1
        sums[slots[slot]] += weights[number]
    order = np.argsort(known[:n])
    return known[order], sums[order].astype(np.float32)
