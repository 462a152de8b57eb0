import numpy as np
import pytest

from recsys.models import visits as module
from recsys.models.visits import STEPS, TURNS, Visits
from tests.recsys.models.planted_acts import rows_of, viewed

N = 5


def visits_of(*persons, hours: float = 12.0) -> Visits:
    rows = rows_of(list(persons), N)
    return Visits.of(rows.acts, N, hours)


def near(visits: Visits, window: int = 10, backwards: float = 1.0) -> np.ndarray:
    return np.concatenate([block.toarray() for block in visits.near(window, backwards)])


def test_two_persons_are_two_visits():
    assert visits_of(viewed(0, 1), viewed(2)).numbers.tolist() == [0, 0, 1]


def test_a_pause_begins_a_visit_and_undated_acts_do_not():
    dated = viewed(0, days_ago=3) + viewed(1, days_ago=2.9) + viewed(2, days_ago=1)
    assert visits_of(dated).numbers.tolist() == [0, 0, 1]
    assert visits_of(dated, hours=100.0).numbers.tolist() == [0, 0, 0]
    assert visits_of(viewed(0, 1, 2)).numbers.tolist() == [0, 0, 0]


def test_an_act_that_says_nothing_is_not_a_step():
    rows = rows_of([viewed(0, 1, 2)], N)
    rows.acts.weights[1] = 0
    assert Visits.of(rows.acts, N, 12.0).items.tolist() == [0, 2]


def test_near_items_by_hand():
    counted = near(visits_of(viewed(0, 1, 2), viewed(1, 2)), backwards=0.5)
    wanted = np.zeros((N, N))
    # 0→1 one step, 0→2 two, 1→2 one step twice; backwards half of each.
    wanted[0, 1], wanted[0, 2], wanted[1, 2] = 1, 1 / 2, 2
    np.testing.assert_allclose(counted, wanted + wanted.T / 2)


def test_no_pair_is_further_apart_than_the_window():
    assert near(visits_of(viewed(0, 1, 2)), window=1)[0, 2] == 0


def test_direction_alone():
    assert near(visits_of(viewed(0, 1)), backwards=0.0).tolist()[1] == [0] * N


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    some = visits_of(*[viewed(*rng.integers(0, N, 9).tolist()) for _ in range(5)])
    whole = near(some)
    monkeypatch.setattr(module, "MAX_PAIRS", 1)
    np.testing.assert_allclose(near(some), whole, rtol=1e-6)


def test_returns_by_hand():
    # After 0 comes 0: back at once; after 0 0 comes 1; after 0 0 1 comes 0: back after one step.
    table = visits_of(viewed(0, 0, 1, 0)).returns()
    assert table.shape == (STEPS, TURNS, 2)
    # One step back: 0 at its first turn came back; at its second, when it had come next, not.
    assert table[0, :, 0].tolist() == pytest.approx([1 / 2, 0, 0])
    assert table[0, 1, 1] == 0
    # Two steps back: 0 at its second turn.
    assert table[1, :, 0].tolist() == pytest.approx([0, 1, 0])


def test_what_came_next_last_time_is_told_apart():
    # At 0 for the second time, 1 had come next; it did again, while 2 did not.
    table = visits_of(viewed(0, 1, 2, 0, 1)).returns()
    assert table[2, 0, 1] == 1
    assert table[1, 0, 0] == 0


def test_returns_do_not_cross_visits():
    assert visits_of(viewed(0), viewed(0)).returns().max() == 0


def test_the_latest_items_with_their_cells():
    items, cells = visits_of(viewed(3, 1, 3, 2)).latest()
    assert items.tolist() == [1, 2, 3]
    steps, turns, came_next = np.unravel_index(cells, (STEPS, TURNS, 2))
    assert steps.tolist() == [2, 0, 1]
    assert turns.tolist() == [0, 0, 1]
    assert came_next.tolist() == [0, 0, 0]


def test_of_the_latest_items_the_one_that_came_next_last_time():
    items, cells = visits_of(viewed(0, 1, 2, 0)).latest()
    _, _, came_next = np.unravel_index(cells, (STEPS, TURNS, 2))
    assert items[came_next == 1].tolist() == [1]


def test_nothing_done_is_no_error():
    nothing = visits_of()
    assert len(nothing.latest()[0]) == 0
    assert nothing.returns().max() == 0
    assert near(nothing).shape == (N, N)
