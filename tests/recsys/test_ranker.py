import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recsys.errors import BundleError
from recsys.ranker import Ranker, Trees, check_ranker, flattened

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lightgbm

N_COLUMNS = 4
NAMES = [f"feature-{n}" for n in range(N_COLUMNS)]


def learned(seed, depth, n_trees=8):
    """A model of LightGBM over columns with and without missing values, some values repeated."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(300, N_COLUMNS)).astype(np.float32)
    table[:, 1] = rng.integers(0, 4, 300)
    table[rng.random(300) < 0.3, 2] = np.nan
    target = np.nan_to_num(table[:, 2]) + table[:, 1] * (table[:, 0] > 0)
    parameters = {
        "objective": "regression",
        "max_depth": depth,
        "num_leaves": 2**depth,
        "min_data_in_leaf": 3,
        "num_threads": 1,
        "verbose": -1,
    }
    return lightgbm.train(parameters, lightgbm.Dataset(table, target), n_trees), table


def trees_of(model, depth):
    return flattened(model.dump_model()["tree_info"], depth)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1_000), depth=st.integers(1, 6))
def test_scores_are_those_of_lightgbm(seed, depth):
    model, table = learned(seed, depth)
    rng = np.random.default_rng(seed)
    asked = np.concatenate([table[:50], rng.normal(size=(50, N_COLUMNS)).astype(np.float32)])
    asked[rng.random(asked.shape) < 0.2] = np.nan
    np.testing.assert_allclose(
        trees_of(model, depth).scores(asked), model.predict(asked, raw_score=True), atol=1e-9
    )


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1_000))
@example(seed=924)
def test_values_next_to_a_threshold_go_where_lightgbm_sends_them(seed):
    model, _ = learned(seed, 3)
    trees = trees_of(model, 3)
    near = trees.threshold[np.isfinite(trees.threshold)]
    sides = np.concatenate([near, np.nextafter(near, np.float32(9)), np.nextafter(near, -9)])
    asked = np.repeat(sides.astype(np.float32)[:, None], N_COLUMNS, axis=1)
    np.testing.assert_allclose(trees.scores(asked), model.predict(asked, raw_score=True), atol=1e-9)


def test_one_row_scores_as_among_many():
    model, table = learned(1, 4)
    trees = trees_of(model, 4)
    np.testing.assert_allclose(trees.scores(table[3:4]), trees.scores(table)[3:4], rtol=1e-12)


def test_a_tree_deeper_than_said_is_refused():
    model, _ = learned(1, 4)
    with pytest.raises(ValueError, match="a tree is deeper than was said"):
        trees_of(model, 2)


def ranker():
    model, _ = learned(1, 3)
    return Ranker.of(trees_of(model, 3), NAMES)


def test_other_features_than_learned_are_refused():
    with pytest.raises(BundleError, match="learned with other features, differing: .'feature-3'"):
        check_ranker(ranker(), NAMES[:3], "rankers.home")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"column": np.full((8, 7), 99, np.int32)}, "asks for features there are not"),
        ({"threshold": np.zeros((8, 3), np.float32)}, "nodes of another shape"),
        ({"leaf": np.zeros((8, 9))}, "trees of 9 leaves"),
    ],
)
def test_trees_that_do_not_fit_are_refused(change, said):
    whole = ranker()
    check_ranker(whole, NAMES, "rankers.home")
    with pytest.raises(BundleError, match=said):
        check_ranker(replace(whole, trees=replace(whole.trees, **change)), NAMES, "rankers.home")


def test_a_stump_can_be_read():
    trees = Trees(
        column=np.zeros((1, 1), np.int32),
        is_left_if_missing=np.ones((1, 1), np.bool_),
        threshold=np.zeros((1, 1), np.float32),
        leaf=np.array([[-1.0, 2.0]]),
    )
    table = np.array([[-1], [0], [1], [np.nan]], dtype=np.float32)
    assert trees.scores(table).tolist() == [-1, -1, 2, -1]
