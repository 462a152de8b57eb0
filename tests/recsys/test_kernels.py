"""Kernels next to the same in plain numpy, and next to themselves as written."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys import (
    kernels,
    kernels_acts,
    kernels_best,
    kernels_lists,
    kernels_race,
    kernels_trees,
)
from recsys import kernels_vectors as vectors
from recsys.watching import WatchCurve

seeds = st.integers(0, 10_000)
F4, I4, I8 = np.float32, np.int32, np.int64


def both(kernel, *args):
    """What a kernel gives compiled; as written it must give the same."""
    found, written = kernel(*args), kernel.plain(*args)
    for one, other in zip(
        *(x if isinstance(x, tuple) else (x,) for x in (found, written)), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    return found


def lists_of(rng, n_keys, n_items):
    """Lists of distinct items with scores, as offsets, items and scores."""
    rows = [rng.permutation(n_items)[: rng.integers(0, n_items)] for _ in range(n_keys)]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(I8)
    items = np.concatenate([np.empty(0, I4), *rows]).astype(I4)
    return offsets, items, rng.random(len(items)).astype(F4)


def dense(lists, n_items):
    offsets, items, scores = lists
    table = np.zeros((len(offsets) - 1, n_items))
    for key in range(len(table)):
        span = slice(offsets[key], offsets[key + 1])
        table[key, items[span]] = scores[span]
    return table


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_sums_of_lists_are_those_of_a_dense_product(seed):
    rng = np.random.default_rng(seed)
    lists, keys = lists_of(rng, 6, 15), rng.integers(0, 6, 4).astype(I4)
    weights = rng.normal(size=4).astype(F4)
    items, sums, slots = both(kernels_lists.summed, *lists, keys, weights)
    wanted = weights @ dense(lists, 15)[keys]
    np.testing.assert_allclose(sums, wanted[items], rtol=1e-4, atol=1e-6)
    listed = np.flatnonzero((dense(lists, 15)[keys] > 0).any(axis=0))
    assert sorted(items.tolist()) == listed.tolist()
    told = both(kernels_lists.looked_up, items, sums, slots, np.arange(15, dtype=I4))
    np.testing.assert_array_equal(np.flatnonzero(~np.isnan(told)), listed)
    assert sorted(both(kernels_lists.pooled, *lists[:2], keys).tolist()) == listed.tolist()


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_what_gives_most_is_the_largest_product(seed):
    rng = np.random.default_rng(seed)
    lists, own = lists_of(rng, 5, 12), lists_of(rng, 8, 12)
    keys, weights = np.arange(5, dtype=I4), rng.random(5).astype(F4) + F4(0.1)
    asked = np.arange(12, dtype=I4)
    parts = weights[:, None] * dense(lists, 12)
    other = np.zeros(6, I8), np.empty(0, I4), np.empty(0, F4)
    items, sums, places, slots, n_first = both(
        kernels_lists.summed_by_kind, *lists, *other, keys, weights
    )
    np.testing.assert_allclose(sums, parts.sum(axis=0)[items], rtol=1e-5)
    assert n_first == len(items)
    key = both(kernels_lists.places_told, items, places, slots, asked)
    assert (key == np.where(parts.max(axis=0) > 0, parts.argmax(axis=0), -1)).all()
    ways = parts @ dense(own, 12).T
    found = both(
        kernels_lists.strongest_by_way, *lists, *own, keys, weights, np.arange(8, dtype=I4)
    )
    np.testing.assert_allclose(
        np.where(found < 0, 0, ways[found, np.arange(8)]), ways.max(axis=0), rtol=1e-5
    )


@settings(max_examples=30, deadline=None)
@given(seed=seeds, k=st.integers(0, 40), scale=st.sampled_from([1.0, 1e-30, 1e30]))
def test_the_best_above_zero_are_the_first_of_a_whole_sort(seed, k, scale):
    rng = np.random.default_rng(seed)
    items = rng.permutation(60).astype(I4)
    # Ties, one far above all others, and what is below 0.
    scores = (rng.integers(-2, 5, 60) * F4(scale)).astype(F4)
    scores[7] = F4(1e35)
    start, end = sorted(rng.integers(0, 61, 2).tolist())
    first, told = both(kernels_best.best, items, scores, start, end, k)
    items, scores = items[start:end], scores[start:end]
    order = np.lexsort((items, -scores))
    order = order[scores[order] > 0][:k]
    assert (first.tolist(), told.tolist()) == (items[order].tolist(), scores[order].tolist())


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_keys_are_chosen_by_their_products_and_what_they_are_worth(seed):
    rng = np.random.default_rng(seed)
    lists, worth = lists_of(rng, 8, 12), rng.random(8).astype(F4)
    one = np.array([0, 5], I8), rng.permutation(12)[:5].astype(I4), rng.normal(size=5).astype(F4)
    table = kernels_lists.summed(*one, np.zeros(1, I4), np.ones(1, F4))
    asked = rng.permutation(8)[:6].astype(I4)
    found, told = both(kernels_lists.best_products, *lists, worth, asked, *table[:2], 3)
    wanted = (dense(lists, 12) @ dense(one, 12)[0]) * worth
    order = asked[np.lexsort((asked, -wanted[asked]))]
    assert found.tolist() == order[wanted[order] > 1e-7][:3].tolist()
    np.testing.assert_allclose(told, wanted[found], rtol=1e-4)


@settings(max_examples=20, deadline=None)
@given(seed=seeds, n=st.integers(1, 60))
def test_the_best_of_each_kind_are_the_first_of_a_whole_sort(seed, n):
    rng = np.random.default_rng(seed)
    items, kind_of = rng.permutation(100).astype(I4), rng.integers(0, 2, 100).astype(np.int8)
    scores = rng.integers(0, 20, 100).astype(np.float64)
    order, counts = both(kernels_race.best_of_kind, items, scores, kind_of, np.array([1, 0], I4), n)
    whole = np.lexsort((items, -scores))
    wanted = [whole[kind_of[items[whole]] == kind][:n] for kind in (1, 0)]
    assert order.tolist() == np.concatenate(wanted).tolist()
    assert counts.tolist() == [len(one) for one in wanted]


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_candidates_are_found_and_left_out(seed):
    rng = np.random.default_rng(seed)
    items, chosen = rng.permutation(40)[:20].astype(I4), rng.integers(0, 40, 10).astype(I4)
    found = both(kernels_race.among, items, chosen)
    assert (found == np.isin(items, chosen)).all()
    parts, scores = rng.random((3, 20)), rng.random(20)
    left = both(kernels_race.left_over, items, scores, parts, found)
    taken = both(kernels_race.taken, items, scores, parts, np.flatnonzero(~found).astype(I4))
    for one, other in zip(left, taken, strict=True):
        np.testing.assert_array_equal(one, other)
    distinct, sums = both(kernels_lists.gathered, chosen, np.ones(10, F4))
    assert (distinct == np.unique(chosen)).all()
    assert sums.sum() == 10


def walked(column, is_left, threshold, leaf, row):
    """One row through padded trees, question by question."""
    total = 0.0
    for tree in range(len(column)):
        node = 0
        while node < column.shape[1]:
            value = row[column[tree, node]]
            goes_left = is_left[tree, node] if np.isnan(value) else value <= threshold[tree, node]
            node = 2 * node + 1 + (not goes_left)
        total += leaf[tree, node - column.shape[1]]
    return total


@settings(max_examples=10, deadline=None)
@given(seed=seeds, depth=st.integers(1, 5))
def test_trees_are_walked_as_one_would_by_hand(seed, depth):
    rng = np.random.default_rng(seed)
    n_nodes, table = 2**depth - 1, rng.random((7, 4)).astype(F4)
    table[rng.random(table.shape) < 0.3] = np.nan
    trees = (
        rng.integers(0, 4, (3, n_nodes)).astype(I4),
        rng.random((3, n_nodes)) < 0.5,
        rng.random((3, n_nodes)).astype(F4),
        rng.normal(size=(3, n_nodes + 1)),
    )
    scores = both(kernels_trees.tree_scores, *trees, np.ascontiguousarray(table.T))
    np.testing.assert_allclose(scores, [walked(*trees, row) for row in table], atol=1e-9)


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_a_person_is_folded_in_as_numpy_solves_it(seed):
    rng = np.random.default_rng(seed)
    factors, items = rng.normal(size=(20, 6)).astype(F4), rng.permutation(20)[:5].astype(I4)
    confidence, ridge = rng.normal(size=5) * 3, (factors.T @ factors + 9 * np.eye(6)).astype(F4)
    own = factors[items].astype(np.float64)
    matrix = ridge + (own.T * (np.abs(confidence) - 1)) @ own
    factor, person = both(vectors.folded, factors, ridge, items, confidence)
    np.testing.assert_allclose(
        person, np.linalg.solve(matrix, np.maximum(confidence, 0) @ own), rtol=1e-6, atol=1e-9
    )
    asked = np.arange(20, dtype=I4)
    parts = np.maximum(confidence, 0)[:, None] * (own @ np.linalg.solve(matrix, factors.T))
    best = both(vectors.largest_part, factors, factor, items, confidence, asked)
    assert (best == np.where(parts.max(axis=0) > 0, parts.argmax(axis=0), -1)).all()
    query = person.astype(F4)
    told = both(vectors.products_of, factors, query, asked)
    np.testing.assert_allclose(told, factors @ query, rtol=1e-4, atol=1e-5)


def test_acts_halve_and_later_ones_count_nothing():
    day, undated = 86_400_000, np.iinfo(I8).min
    at_ms = np.array([10 * day, 9 * day, 11 * day, undated], dtype=I8)
    worth, kind = np.array([0, 2, 4], dtype=F4), np.array([1, 2, 2, 1], dtype=np.int8)
    unsaid = np.full(4, np.nan, F4)
    curve = (*WatchCurve.prior().learned(),)

    def weights(half_life_days, kind=kind, value=unsaid, duration_s=unsaid):
        told = (kind, at_ms, np.arange(4, dtype=I4), value, duration_s, worth, 10 * day)
        video_s = np.array([10, 10, 10, np.nan], F4)
        return both(kernels_acts.weighed, *told, half_life_days, video_s, *curve)

    # Of a play without seconds half is left.
    assert weights(1.0).tolist() == [1, 2, 0, 1]
    assert weights(0.0).tolist() == [1, 4, 0, 1]
    seconds, length = np.full(4, 8, F4), np.array([10, np.nan, 10, 10], F4)
    played = weights(0.0, np.full(4, 1, np.int8), seconds, length)
    np.testing.assert_allclose(played, [1, 1, 0, 1], rtol=1e-6)


def test_the_lowest_rank_of_what_was_done_with_an_item():
    items, kinds = np.array([4, 5, 4], I4), np.array([1, 0, 2], np.int8)
    ranks, asked = np.array([7, 3, 2], I4), np.array([5, 4, 6], I4)
    assert both(kernels_acts.lowest, items, kinds, ranks, asked, 9).tolist() == [7, 2, 9]


def test_arrays_of_another_width_are_taken_and_other_sorts_are_not():
    wide = np.array([1, 2], dtype=I8)
    assert kernels_race.among(wide, wide[::-1]).all()
    with pytest.raises(TypeError):
        kernels_race.among(np.array([1.5]), wide)


def test_where_nothing_can_be_kept_a_kernel_is_compiled_all_the_same(monkeypatch):
    def refusing(*_, cache=False, **__):
        if cache:
            raise RuntimeError("no locator available for this file")
        return lambda plain: plain

    monkeypatch.setattr(kernels, "njit", refusing)
    assert kernels.Kernel(lambda x: x + 1, ())(1) == 2
