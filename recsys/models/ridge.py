"""Compiled loops of the local ridge: what goes with an item, what goes together, and the weights.

Co-occurrence of hundreds of items a target is a loop over short lists that numpy has no word for.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from recsys.ids import Ints

Numbers = NDArray[np.float32]
Places = NDArray[np.int32]


class Pairs(NamedTuple):
    """A sparse matrix of persons and items, by person and by item; ends as in CSR."""

    user_ends: Ints
    items: Places
    user_weights: Numbers
    item_ends: Ints
    users: Places
    item_weights: Numbers


class Rule(NamedTuple):
    """How weights are learned.

    Attributes
    ----------
    source
        Shape (n_items,). By what co-occurrence with a target is multiplied when neighbours are
        chosen.
    ridge
        Shape (n_items,). Added to the diagonal of the products.
    n_neighbours
        How many other items tell of a target at most.
    """

    source: Numbers
    ridge: Numbers
    n_neighbours: int


@njit(nogil=True)
def together(pairs: Pairs, target: int, sums: Numbers) -> tuple[Places, Numbers]:
    """The items that the people of a target have, and their products with it; `sums` stays 0."""
    most = 0
    for user in pairs.users[pairs.item_ends[target] : pairs.item_ends[target + 1]]:
        most += pairs.user_ends[user + 1] - pairs.user_ends[user]
    found, n = np.empty(min(most, len(sums)), np.int32), 0
    for at in range(pairs.item_ends[target], pairs.item_ends[target + 1]):
        user, weight = pairs.users[at], pairs.item_weights[at]
        for place in range(pairs.user_ends[user], pairs.user_ends[user + 1]):
            item = pairs.items[place]
            if sums[item] == 0:
                found[n] = item
                n += 1
            sums[item] += weight * pairs.user_weights[place]
    found = found[:n].copy()
    products = sums[found]
    sums[found] = 0
    return found, products


@njit(nogil=True)
def nearest(
    pairs: Pairs, target: int, source: Numbers, k: int, sums: Numbers
) -> tuple[Places, Numbers]:
    """The k other items that go with a target most, ascending, and their products with it."""
    items, products = together(pairs, target, sums)
    others = np.flatnonzero(items != target)
    if len(others) > k:
        strengths = -products[others] * source[items[others]]
        others = others[np.argpartition(strengths, k)[:k]]
    others = others[np.argsort(items[others])]
    return items[others], products[others]


@njit(nogil=True)
def _counted(pairs: Pairs, items: Places, counts: Places) -> tuple[Places, int]:
    """The distinct people of some items, and how many pairs that is; counts them in `counts`."""
    total = 0
    for item in items:
        total += pairs.item_ends[item + 1] - pairs.item_ends[item]
    met, n = np.empty(min(total, len(counts)), np.int32), 0
    for item in items:
        for at in range(pairs.item_ends[item], pairs.item_ends[item + 1]):
            user = pairs.users[at]
            if counts[user] == 0:
                met[n] = user
                n += 1
            counts[user] += 1
    return met[:n], total


@njit(nogil=True)
def among(pairs: Pairs, items: Places, counts: Places) -> Numbers:
    """Products of some items with each other, the lower half; `counts`, (n_users,), stays 0."""
    met, total = _counted(pairs, items, counts)
    starts = np.empty(len(met), np.int64)
    before = 0
    for number in range(len(met)):
        starts[number] = before
        before += counts[met[number]]
        # From here on it says which of the people met this is.
        counts[met[number]] = number
    ends = starts.copy()
    place, weight = np.empty(total, np.int32), np.empty(total, np.float32)
    products = np.zeros((len(items), len(items)), np.float32)
    for number in range(len(items)):
        for at in range(pairs.item_ends[items[number]], pairs.item_ends[items[number] + 1]):
            who, own = counts[pairs.users[at]], pairs.item_weights[at]
            place[ends[who]], weight[ends[who]] = number, own
            ends[who] += 1
            for earlier in range(starts[who], ends[who]):
                products[number, place[earlier]] += own * weight[earlier]
    counts[met] = 0
    return products


@njit(nogil=True)
def solved(matrix: Numbers, right: Numbers) -> Numbers:
    """The solution of a positive definite system, of which the lower half is given."""
    factor = np.linalg.cholesky(matrix)
    found, n = right.copy(), len(right)
    for row in range(n):
        found[row] = (found[row] - np.dot(factor[row, :row], found[:row])) / factor[row, row]
    upper = factor.T.copy()
    for row in range(n - 1, -1, -1):
        told = np.dot(upper[row, row + 1 :], found[row + 1 :])
        found[row] = (found[row] - told) / upper[row, row]
    return found


def _learned(pairs: Pairs, rule: Rule, start: int, end: int) -> tuple[Places, Places, Numbers]:
    n = rule.n_neighbours
    counts, sums = np.zeros(len(pairs.user_ends) - 1, np.int32), np.zeros_like(rule.source)
    lengths = np.zeros(end - start, np.int32)
    items = np.empty((end - start) * n, np.int32)
    weights = np.empty((end - start) * n, np.float32)
    at = 0
    for target in range(start, end):
        own, products = nearest(pairs, target, rule.source, n, sums)
        if len(own) > 0:
            matrix = among(pairs, own, counts)
            for number in range(len(own)):
                matrix[number, number] += rule.ridge[own[number]]
            items[at : at + len(own)] = own
            weights[at : at + len(own)] = solved(matrix, products)
        lengths[target - start] = len(own)
        at += len(own)
    return lengths, items[:at].copy(), weights[:at].copy()


@cache
def _compiled() -> Callable[..., Any]:
    """Compiled when it is first called, kept beside the source where that may be written."""
    try:
        return njit(nogil=True, cache=True)(_learned)
    except RuntimeError:
        return njit(nogil=True)(_learned)


def learned(pairs: Pairs, rule: Rule, start: int, end: int) -> tuple[Places, Places, Numbers]:
    """Ridge regressions of some targets, start to end, each on its nearest items.

    Returns
    -------
    For each target how many items tell of it; and one behind the other these items and weights.
    """
    lengths, items, weights = _compiled()(pairs, rule, start, end)
    return lengths, items, weights
