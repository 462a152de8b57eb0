"""Boosted trees as flat arrays: what orders candidates by their features."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys import kernels_trees
from recsys.errors import BundleError
from recsys.features import Values
from recsys.ids import Mask, Texts

Floats = NDArray[np.float64]
# A deeper tree would be padded to more leaves than it has.
MAX_DEPTH = 6


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """Trees padded to one depth: every path has as many steps, so all trees step together.

    The nodes of a tree stand level by level, the children of node p of a level at 2p and 2p + 1 of
    the next. A leaf above the last level stands again in all places below it.

    Attributes
    ----------
    column
        Shape (n_trees, 2^depth − 1). The feature a node asks for.
    is_left_if_missing
        The same shape. Where a candidate goes whose feature is not known.
    threshold
        The same shape. Left up to this value; the largest there is where there is nothing to ask.
    leaf
        Shape (n_trees, 2^depth). What a tree adds to the score.
    """

    column: NDArray[np.int32]
    is_left_if_missing: Mask
    threshold: NDArray[np.float32]
    leaf: Floats

    @property
    def depth(self) -> int:
        """How many questions a tree asks."""
        return int(self.leaf.shape[1]).bit_length() - 1

    def scores(self, table: Values) -> Floats:
        """Shape (n,). The sum over the trees for each row of features.

        Parameters
        ----------
        table
            Shape (n, n features). NaN goes where each node sends what is not known.
        """
        found: Floats = kernels_trees.tree_scores(
            self.column,
            self.is_left_if_missing,
            self.threshold,
            self.leaf,
            np.ascontiguousarray(table.T, dtype=np.float32),
        )
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Ranker:
    """Trees, and the features by name that their columns mean.

    Attributes
    ----------
    names
        The features it was learned with, in order.
    """

    trees: Trees
    names: Texts

    @classmethod
    def of(cls, trees: Trees, names: Sequence[str]) -> "Ranker":
        """Trees learned with features of these names."""
        return cls(trees, Texts.of(names))

    def scores(self, table: Values) -> Floats:
        """Shape (n candidates,), no unit, comparable within the candidates only."""
        return self.trees.scores(table)


def check_ranker(ranker: Ranker, names: Sequence[str], where: str) -> None:
    """Raise BundleError unless the trees have one shape and ask for the features there are."""
    known = ranker.names.all()
    if known != list(names):
        odd = sorted(set(known) ^ set(names))
        raise BundleError(f"{where} was learned with other features, differing: {odd[:5]}")
    trees, n_features = ranker.trees, len(known)
    n_trees, n_leaves = trees.leaf.shape if trees.leaf.ndim == 2 else (0, 0)
    if n_leaves not in [2**depth for depth in range(1, MAX_DEPTH + 1)]:
        raise BundleError(f"{where} has trees of {n_leaves} leaves; allowed: 2 to {2**MAX_DEPTH}")
    nodes: tuple[NDArray[Any], ...] = (trees.column, trees.is_left_if_missing, trees.threshold)
    if any(one.shape != (n_trees, n_leaves - 1) for one in nodes):
        raise BundleError(f"{where} has nodes of another shape than ({n_trees}, {n_leaves - 1})")
    if trees.column.size and not 0 <= trees.column.min() <= trees.column.max() < n_features:
        raise BundleError(f"{where} asks for features there are not; allowed: {n_features}")


def flattened(trees: Sequence[dict[str, Any]], depth: int) -> Trees:
    """Trees as LightGBM tells them (`dump_model()["tree_info"]`) → the same trees, padded.

    Raises
    ------
    ValueError
        A tree is deeper, or asks in a way that is not answered here.
    """
    shape = (len(trees), 2**depth - 1)
    column = np.zeros(shape, dtype=np.int32)
    is_left = np.ones(shape, dtype=np.bool_)
    threshold = np.full(shape, np.finfo(np.float32).max, dtype=np.float32)
    leaf = np.zeros((len(trees), 2**depth))
    for number, tree in enumerate(trees):
        level: list[dict[str, Any]] = [tree["tree_structure"]]
        start = 0
        for _ in range(depth):
            for place, node in enumerate(level):
                if "split_feature" in node:
                    here = (number, start + place)
                    column[here] = node["split_feature"]
                    is_left[here], threshold[here] = _asks(node)
            start += len(level)
            level = [child for node in level for child in _children(node)]
        leaf[number] = [_leaf_value(node) for node in level]
    return Trees(column, is_left, threshold, leaf)


def _asks(node: dict[str, Any]) -> tuple[bool, np.float32]:
    """Whether what is not known goes left, and up to what a known value does."""
    if node["decision_type"] != "<=" or node["missing_type"] == "Zero":
        raise ValueError(f"a tree asks {node['decision_type']}; allowed: numbers, <=, no zeros")
    # Features are float32: the largest one not above the threshold separates the same values. (Two
    # Python floats are compared: numpy would round the second one first.)
    exact = min(node["threshold"], float(np.finfo(np.float32).max))
    near = np.float32(exact)
    below = np.nextafter(near, np.float32(-np.inf)) if float(near) > exact else near
    # A feature that was always known in training is taken for 0 where it is not.
    is_left = node["default_left"] if node["missing_type"] == "NaN" else exact >= 0
    return bool(is_left), below


def _children(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node["left_child"], node["right_child"]] if "split_feature" in node else [node, node]


def _leaf_value(node: dict[str, Any]) -> float:
    if "split_feature" in node:
        raise ValueError("a tree is deeper than was said; allowed: the depth it was learned with")
    return float(node["leaf_value"])
