"""Compiled loops over trees: all candidates walk down each of them together."""

import numpy as np
from numpy.typing import NDArray

from recsys.kernels import B1_2D, F4_2D, F8_2D, I4_2D, kernel


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
