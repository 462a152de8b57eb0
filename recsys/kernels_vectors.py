"""Compiled loops over vectors: a person's equation, and products with items' vectors."""

import numpy as np
from numpy.typing import NDArray

from recsys.kernels import F4, F4_2D, F8, F8_2D, I1, I1_2D, I4, I8, INT, inside, kernel
from recsys.kernels_best import best_between

# So many numbers of four bytes come from the memory at once.
LINE = 16
UNLIKELY = np.float32(-1.25e38)


@kernel(F4_2D, F4_2D, I4, F8)
def folded(
    vectors: NDArray[np.float32],
    ridge: NDArray[np.float32],
    items: NDArray[np.int32],
    confidence: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The Cholesky factor (lower) of a person's equation, and its solution.

    The matrix is ridge + Σ (|c| − 1) y y' over the items, the right side Σ max(c, 0) y.
    """
    n = vectors.shape[1]
    matrix, side = ridge.astype(np.float64), np.zeros(n)
    own = np.empty(n)
    for number in range(len(items)):
        extra, liked = abs(confidence[number]) - 1, max(confidence[number], 0.0)
        for i in range(n):
            own[i] = vectors[items[number], i]
        for i in range(n):
            side[i] += liked * own[i]
            factor = extra * own[i]
            for j in range(i + 1):
                matrix[i, j] += factor * own[j]
    _factor(matrix)
    return matrix, _solved(matrix, side)


@inside
def _factor(matrix: NDArray[np.float64]) -> None:
    """Cholesky in place, in the lower triangle."""
    for i in range(len(matrix)):
        for j in range(i + 1):
            total = 0.0
            for m in range(j):
                total += matrix[i, m] * matrix[j, m]
            if i == j:
                matrix[i, i] = np.sqrt(matrix[i, i] - total)
            else:
                matrix[i, j] = (matrix[i, j] - total) / matrix[j, j]


@inside
def _solved(factor: NDArray[np.float64], side: NDArray[np.float64]) -> NDArray[np.float64]:
    """The solution of the equation whose lower factor is given."""
    n, found = len(side), side.copy()
    for i in range(n):
        total = 0.0
        for j in range(i):
            total += factor[i, j] * found[j]
        found[i] = (found[i] - total) / factor[i, i]
    for i in range(n - 1, -1, -1):
        found[i] /= factor[i, i]
        for j in range(i):
            found[j] -= factor[i, j] * found[i]
    return found


@kernel(F4_2D, F8_2D, I4, F8, I4)
def largest_part(
    vectors: NDArray[np.float32],
    factor: NDArray[np.float64],
    items: NDArray[np.int32],
    confidence: NDArray[np.float64],
    asked: NDArray[np.int32],
) -> NDArray[np.int32]:
    """For each item asked the place of the own item of largest part in its score; −1 for none."""
    best = np.full(len(asked), -1, dtype=np.int32)
    for number in range(len(asked)):
        solved = _solved(factor, vectors[asked[number]].astype(np.float64))
        most = 0.0
        for place in range(len(items)):
            if confidence[place] > 0:
                part = 0.0
                for i in range(len(solved)):
                    part += vectors[items[place], i] * solved[i]
                if part * confidence[place] > most:
                    best[number], most = place, part * confidence[place]
    return best


@kernel(F4_2D, F4, I4)
def products_of(
    vectors: NDArray[np.float32], query: NDArray[np.float32], items: NDArray[np.int32]
) -> NDArray[np.float32]:
    """The products of some vectors with a query."""
    found: NDArray[np.float32] = _products(vectors, query, items)
    return found


@inside
def _products(
    vectors: NDArray[np.float32], query: NDArray[np.float32], items: NDArray[np.int32]
) -> NDArray[np.float32]:
    found, total = np.zeros(len(items), dtype=np.float32), np.float32(0)
    # All that is far apart is asked for before any of it is waited for; see `kernels_lists`.
    for number in range(len(items)):
        for i in range(0, len(query), LINE):
            total += vectors[items[number], i]
    if total == UNLIKELY:
        found[:] = 0
    for number in range(len(items)):
        total = np.float32(0)
        for i in range(len(query)):
            total += vectors[items[number], i] * query[i]
        found[number] = total
    return found


@kernel(F4, I1, INT)
def of_kind(
    scores: NDArray[np.float32], kind_of: NDArray[np.int8], kind: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The items of a kind (−1: any) with a score above 0, and their scores."""
    items, n = np.empty(len(scores), dtype=np.int32), 0
    found = np.empty(len(scores), dtype=np.float32)
    for item in range(len(scores)):
        if scores[item] > 0 and (kind < 0 or kind_of[item] == kind):
            items[n], found[n] = item, scores[item]
            n += 1
    return items[:n], found[:n]


@kernel(F4_2D, I8, I4, I1_2D, F4, F4, INT)
def near(
    centres: NDArray[np.float32],
    offsets: NDArray[np.int64],
    targets: NDArray[np.int32],
    codes: NDArray[np.int8],
    scales: NDArray[np.float32],
    query: NDArray[np.float32],
    n: int,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The n or a few more items of the nearest cells, and about their products with a query."""
    found: tuple[NDArray[np.int32], NDArray[np.float32]] = _near(
        centres, (offsets, targets), (codes, scales), query, n
    )
    return found


@kernel(F4_2D, I8, I4, I1_2D, F4, F4, INT, F4_2D, INT, INT)
def best_near(
    centres: NDArray[np.float32],
    offsets: NDArray[np.int64],
    targets: NDArray[np.int32],
    codes: NDArray[np.int8],
    scales: NDArray[np.float32],
    query: NDArray[np.float32],
    n: int,
    vectors: NDArray[np.float32],
    n_exact: int,
    k: int,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The k best by their vectors of the `n_exact` that seem best of those near; only above 0."""
    items, about = _near(centres, (offsets, targets), (codes, scales), query, n)
    some, _ = best_between(items, about, 0, len(items), n_exact)
    best: tuple[NDArray[np.int32], NDArray[np.float32]] = best_between(
        some, _products(vectors, query, some), 0, len(some), k
    )
    return best


@inside
def _near(
    centres: NDArray[np.float32],
    cells: tuple[NDArray[np.int64], NDArray[np.int32]],
    coded: tuple[NDArray[np.int8], NDArray[np.float32]],
    query: NDArray[np.float32],
    n: int,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    (offsets, targets), (codes, scales) = cells, coded
    distant, width = np.empty(len(centres), dtype=np.float32), len(query)
    for cell in range(len(centres)):
        total = np.float32(0)
        for i in range(width):
            total += centres[cell, i] * query[i]
        distant[cell] = -total
    order, enough, held = np.argsort(distant), 0, 0
    while enough < len(order) and held < n:
        held += offsets[order[enough] + 1] - offsets[order[enough]]
        enough += 1
    items, found, place = np.empty(held, dtype=np.int32), np.empty(held, dtype=np.float32), 0
    for cell in order[:enough]:
        for at in range(offsets[cell], offsets[cell + 1]):
            total = np.float32(0)
            for i in range(width):
                total += np.float32(codes[at, i]) * query[i]
            items[place], found[place] = targets[at], total * scales[at]
            place += 1
    return items, found
