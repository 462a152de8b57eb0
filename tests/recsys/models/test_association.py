"""Associations are checked on tables one can compute by hand, and on planted companions."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from recsys.models.association import (
    ALIKE,
    crossing_lists,
    filter_between,
    filter_lists,
    filter_within,
    log_likelihood_ratio,
)
from recsys.models.gathering import _carried


def matrix(rows) -> csr_array:
    return csr_array(np.array(rows, dtype=np.float32))


def test_the_ratio_of_a_table_is_dunnings():
    """Of 40 persons 20 did the one, 20 the other, 15 both: 2·Σ n·ln(n / expected)."""
    table, expected = np.array([15, 5, 5, 15]), 10
    by_hand = 2 * (table * np.log(table / expected)).sum()
    ratio = log_likelihood_ratio(np.array([15]), np.array([20]), np.array([20]), 40)
    assert ratio == pytest.approx([by_hand])


def test_no_more_often_than_chance_is_no_ratio():
    ratio = log_likelihood_ratio(np.array([10, 5]), np.array([20, 20]), np.array([20, 20]), 40)
    assert ratio.tolist() == [0, 0]


def test_chance_rarely_passes_the_usual_bound():
    """Independent acts: about 1 in 20 exceeds 3.84, half of these by going together less."""
    rng = np.random.default_rng(0)
    one, other = rng.random((2, 400, 2_000)) < 0.3
    ratio = log_likelihood_ratio((one & other).sum(0), one.sum(0), other.sum(0), 400)
    assert 0.015 < (ratio > 3.84).mean() < 0.035


def test_lists_hold_the_planted_companion_and_never_the_item_itself():
    rng = np.random.default_rng(1)
    done = rng.random((300, 6)) < 0.3
    aimed = rng.random((300, 6)) < 0.1
    aimed[:, 4] = done[:, 1]
    lists = list(
        crossing_lists(matrix(done), matrix(aimed), np.array([1, 4, 5]), significance=20.0, k=2)
    )
    assert [one.items.tolist() for one in lists] == [[], [4], [], [], [], []]


def test_a_filter_within_is_the_closed_form():
    rows = matrix([[1, 1, 0], [1, 1, 0], [0, 1, 1], [1, 0, 1]])
    gram = rows.T @ rows.toarray()
    inverse = np.linalg.inv(gram + 2.0 * np.diag(gram).mean() * np.eye(3))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(filter_within(rows, 2.0), expected, rtol=1e-4)


def test_a_filter_needs_a_ridge():
    with pytest.raises(ValueError, match="the ridge must be positive, got -1"):
        filter_within(matrix([[1, 1], [1, 1]]), -1.0)


def test_a_filter_between_is_ridge_regression_of_unit_rows_with_one_column_for_everybody():
    rng = np.random.default_rng(2)
    done, aimed = rng.random((2, 30, 5)) < 0.4
    done[:, 0] = aimed[:, 0] = True
    x, y = done / np.linalg.norm(done, axis=1, keepdims=True), aimed.astype(float)
    x = np.column_stack([x, np.full(30, np.sqrt(ALIKE))])
    expected = np.linalg.solve(x.T @ x + 3.0 * np.eye(6), x.T @ y)
    sources, shared, usual = filter_between(matrix(done), matrix(aimed), 3.0)
    np.testing.assert_allclose(sources @ shared, expected[:5], atol=1e-5)
    np.testing.assert_allclose(usual, np.sqrt(ALIKE) * expected[5], atol=1e-5)


def test_lists_of_a_filter_leave_rounding_out():
    filtered = np.array([[0.5, 1e-9, -0.2], [0.1, 0.2, 0.3]], dtype=np.float32)
    lists = filter_lists(filtered, np.array([3, 1]), np.array([0, 2, 4]), 5, k=2)
    assert [one.items.tolist() for one in lists] == [[], [4, 2], [], [0], []]


def carried_by(carry: float) -> np.ndarray:
    """What is said of targets 0 to 2 where a filter knows that 0 and 1 go together."""
    within = np.zeros((3, 3), dtype=np.float32)
    within[0, 1] = within[1, 0] = 0.5
    shared = np.array([[1, 0, 0], [0, 0, 1]], dtype=np.float32)
    usual = np.array([0.4, 0, 0], dtype=np.float32)
    places = np.array([5, 7, 9], dtype=np.int32)
    said, to_all = _carried(shared, usual, places, (places, within), carry)
    return np.concatenate([said, to_all[None]])


def test_what_few_say_of_an_item_is_carried_to_what_goes_with_it():
    said = carried_by(2.0)
    assert said[0, 1] == pytest.approx(said[0, 0])
    assert said[1, 0] == said[1, 1] == 0
    assert said[2, 1] == pytest.approx(said[2, 0])
    # The filter's size stays, so that it keeps its scale beside that among items of one kind.
    assert np.linalg.norm(said[:2]) == pytest.approx(np.sqrt(2))


def test_nothing_is_carried_unless_wanted():
    np.testing.assert_array_equal(carried_by(0.0)[:, 1], 0)
