"""Compiled loops over prepared lists: sums of them, their best, what gives most."""

import numpy as np
from numpy.typing import NDArray

from recsys.kernels import F4, I4, I8, home_of, kernel, place_of, slots_for

LAST_ITEM = 2**31 - 1


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
    slots = slots_for(n)
    mask = len(slots) - 1
    items, sums = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.float32)
    found = 0
    for number in range(len(keys)):
        weight = weights[number]
        for at in range(offsets[keys[number]], offsets[keys[number] + 1]):
            item, value = listed[at], scores[at] * weight
            slot = home_of(item, mask)
            while slots[slot] >= 0 and items[slots[slot]] != item:
                slot = (slot + 1) & mask
            if slots[slot] >= 0:
                sums[slots[slot]] += value
            else:
                slots[slot] = found
                items[found], sums[found] = item, value
                found += 1
    return items[:found].copy(), sums[:found].copy(), slots


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


@kernel(I4, F4)
def packed(items: NDArray[np.int32], scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """Items of a score above 0 as numbers that ascend with the score, and fall with the item."""
    found, bits, n = np.empty(len(items), dtype=np.int64), scores.view(np.int32), 0
    for at in range(len(items)):
        if scores[at] > 0:
            # The bits of floats above 0 are in the order of the floats.
            found[n] = (np.int64(bits[at]) << 32) | (LAST_ITEM - items[at])
            n += 1
    return found[:n]


@kernel(I8)
def unpacked(found: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Items and scores of such numbers, from the last to the first."""
    n = len(found)
    items, bits = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32)
    for at in range(n):
        one = found[n - 1 - at]
        items[at], bits[at] = LAST_ITEM - (one & LAST_ITEM), one >> 32
    return items, bits.view(np.float32)


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


@kernel(I8, I4, F4, I4, I4, F4, I4)
def products(
    offsets: NDArray[np.int64],
    listed: NDArray[np.int32],
    scores: NDArray[np.float32],
    asked: NDArray[np.int32],
    items: NDArray[np.int32],
    weights: NDArray[np.float32],
    slots: NDArray[np.int32],
) -> NDArray[np.float32]:
    """For each key asked, the sum over its list of score times the weight in a table."""
    found = np.zeros(len(asked), dtype=np.float32)
    for number in range(len(asked)):
        total = 0.0
        for at in range(offsets[asked[number]], offsets[asked[number] + 1]):
            place = slots[place_of(slots, items, listed[at])]
            if place >= 0:
                total += scores[at] * weights[place]
        found[number] = total
    return found


@kernel(I8, I4, F4, I4, F4, I4)
def strongest(
    offsets: NDArray[np.int64],
    listed: NDArray[np.int32],
    scores: NDArray[np.float32],
    keys: NDArray[np.int32],
    weights: NDArray[np.float32],
    asked: NDArray[np.int32],
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """For each item asked, which place among the keys gives most for it, and how much.

    −1 where none gives anything above 0.
    """
    slots = slots_for(len(asked))
    best_key = np.full(len(asked), -1, dtype=np.int32)
    best_value = np.zeros(len(asked), dtype=np.float32)
    for number in range(len(asked)):
        slots[place_of(slots, asked, asked[number])] = number
    for number in range(len(keys)):
        for at in range(offsets[keys[number]], offsets[keys[number] + 1]):
            place = slots[place_of(slots, asked, listed[at])]
            if place >= 0 and scores[at] * weights[number] > best_value[place]:
                best_value[place] = scores[at] * weights[number]
                best_key[place] = number
    return best_key, best_value


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
