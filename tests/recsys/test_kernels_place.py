"""Who sits where: laws of the one step that gives the seats."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recsys import kernels_place
from recsys.kernels_place import N_LIMITS, NEVER, PAGE, seated, seating


def give(kinds, k, *, labels=(), share=0.5, **more):
    """Seats for candidates of these kinds (1 is a video); `labels` and limits are of one group."""
    n, fixed, late = len(kinds), more.pop("fixed", {}), more.pop("late", ())
    moves = more.pop("moves", [0] * n)
    table = np.zeros((N_LIMITS, 1 if len(labels) else 0), dtype=np.int32)
    if len(labels):
        for name, value in ({"in_a_row": 99, "at_most": 99, "level": 2} | more).items():
            table[getattr(kernels_place, name.upper()), 0] = value
    own = np.full(k, -1, dtype=np.int32)
    for seat, place in fixed.items():
        own[seat] = place
    is_late = np.zeros(n, dtype=np.bool_)
    is_late[list(late)] = True
    order, broken = seated(
        np.array(kinds, dtype=np.int8),
        np.array(moves, dtype=np.int32),
        own,
        np.array(labels, dtype=np.int32).reshape(n, len(table[0])),
        table,
        is_late,
        share,
    )
    return order.tolist(), broken.tolist()


KINDS = st.lists(st.integers(0, 1), min_size=1, max_size=40)


@given(n=st.integers(0, 30), m=st.integers(0, 30), share=st.floats(0, 1), k=st.integers(1, 40))
def test_without_limits_the_kinds_take_turns_as_ever(n, m, share, k):
    order, broken = give([1] * n + [0] * m, k, share=share)
    assert order == seating(n, m, share, k).tolist()
    assert broken == [False]


@given(share=st.floats(0, 1), k=st.integers(1, 40))
def test_every_beginning_keeps_the_share_to_half_a_seat(share, k):
    videos = np.cumsum(seating(40, 40, share, k) < 40)
    told = videos - share * np.arange(1, k + 1)
    # The last seat of a page may be the only one of its kind.
    n = k - 1 if k >= PAGE else k
    assert np.all(np.abs(told[:n]) <= 0.5 + 1e-9)
    assert abs(told[-1]) <= 1.0


@given(kinds=KINDS, share=st.floats(0, 1), k=st.integers(1, 20), data=st.data())
def test_who_is_fixed_sits_there_and_nobody_else_is_reordered(kinds, share, k, data):
    n = len(kinds)
    seats = data.draw(st.lists(st.integers(0, min(k, n) - 1), unique=True, max_size=3))
    places = data.draw(st.permutations(range(n)))[: len(seats)]
    fixed = dict(zip(seats, places, strict=True))
    order, _ = give(kinds, k, share=share, fixed=fixed)
    assert len(order) == len(set(order)) == min(n, k)
    assert all(order[seat] == place for seat, place in fixed.items())
    for kind in (0, 1):
        free = [one for one in order if kinds[one] == kind and one not in fixed.values()]
        assert free == sorted(free)


@given(
    share=st.floats(0.01, 0.99),
    k=st.integers(PAGE, 24),
    seats=st.sets(st.integers(0, 23), max_size=PAGE - 1),
    kind=st.integers(0, 1),
)
@example(share=0.99, k=PAGE, seats={PAGE - 1}, kind=1)
@example(share=0.01, k=PAGE, seats={PAGE - 1}, kind=0)
def test_a_page_has_both_kinds_wherever_chance_or_a_pin_puts_an_item(share, k, seats, kind):
    kinds = [1] * 40 + [0] * 40
    fixed = {seat: 39 + 40 * (1 - kind) - seat for seat in seats if seat < k}
    order, _ = give(kinds, k, share=share, fixed=fixed)
    assert {kinds[one] for one in order} == {0, 1}


@given(n=st.integers(1, 40), data=st.data())
def test_a_move_is_bounded_and_leaves_the_others_their_order(n, data):
    moves = data.draw(st.lists(st.integers(-9, 9), min_size=n, max_size=n))
    order, _ = give([0] * n, n, share=0.0, moves=moves)
    still = [one for one in order if moves[one] == 0]
    assert still == sorted(still)
    for seat, one in enumerate(order):
        assert one - seat <= max(moves[one], 0) + sum(move < 0 for move in moves)
        assert seat - one <= max(-moves[one], 0) + sum(move > 0 for move in moves)


def test_who_moves_up_passes_so_many_and_not_one_more():
    order, _ = give([0] * 6, 6, share=0.0, moves=[0, 0, 0, 0, 2, 0])
    assert order == [0, 1, 4, 2, 3, 5]
    order, _ = give([0] * 6, 6, share=0.0, moves=[0, -2, 0, 0, 0, 0])
    assert order == [0, 2, 3, 1, 4, 5]


def holds(labels, order, apart=0, in_a_row=99):
    own = [labels[one] for one in order]
    near = any(
        own[a] and own[a] == own[b]
        for a in range(len(own))
        for b in range(a + 1, min(len(own), a + apart + 1))
    )
    runs = (own[a : a + in_a_row + 1] for a in range(len(own) - in_a_row))
    return not near and not any(run[0] and len(set(run)) == 1 for run in runs)


LABELS = st.lists(st.integers(0, 3), min_size=1, max_size=7)


@pytest.mark.parametrize(("apart", "in_a_row"), [(1, 99), (0, 1), (0, 2)])
@settings(max_examples=150)
@given(labels=LABELS, k=st.integers(1, 7))
def test_a_gap_holds_whenever_candidates_allow_it(apart, in_a_row, labels, k):
    order, broken = give(
        [0] * len(labels), k, labels=labels, share=0.0, apart=apart, in_a_row=in_a_row
    )
    length = min(k, len(labels))
    possible = any(
        holds(labels, one, apart, in_a_row) for one in permutations(range(len(labels)), length)
    )
    assert len(order) == length
    assert holds(labels, order, apart, in_a_row) == possible == (not broken[0])


def test_the_gap_test_can_fail():
    """Without the limit the same candidates stand side by side."""
    labels = [1, 1, 2, 2, 3]
    assert not holds(labels, give([0] * 5, 4, labels=labels, share=0.0)[0], apart=1)


@given(
    labels=st.lists(st.integers(0, 4), min_size=20, max_size=80), k=st.integers(1, 20),
    most=st.integers(1, 9), distinct=st.integers(0, 4),
)  # fmt: skip
def test_no_label_takes_more_than_its_share_unless_candidates_lack(labels, k, most, distinct):
    order, broken = give(
        [0] * len(labels), k, labels=labels, share=0.0, at_most=most, distinct=distinct
    )
    own = [labels[one] for one in order]
    counts = [own.count(label) for label in range(1, 5)]
    few = sum(min(labels.count(label), most) for label in range(1, 5)) + labels.count(0)
    if not broken[0]:
        assert max(counts) <= most
        assert sum(count > 0 for count in counts) >= min(distinct, k)
    else:
        assert few < k or len(set(labels) - {0}) < distinct or distinct > k


@given(labels=st.lists(st.integers(0, 1), min_size=1, max_size=60), most=st.integers(0, 5))
def test_what_is_never_given_up_holds_of_shorter_lists_too(labels, most):
    order, _ = give([0] * len(labels), 20, labels=labels, share=0.0, at_most=most, level=NEVER)
    assert sum(labels[one] for one in order) <= most
    assert len(order) == min(20, labels.count(0) + min(most, labels.count(1)))


@pytest.mark.parametrize("least", [1, 2, 4])
def test_who_has_seats_of_their_own_gets_them_evenly(least):
    labels = [0] * 40 + [1] * 10
    order, broken = give([0] * 50, 20, labels=labels, share=0.0, at_least=least)
    seats = [seat for seat, one in enumerate(order) if labels[one]]
    assert seats == [20 * (n + 1) // least - 1 for n in range(least)]
    assert broken == [False, False]


def test_who_is_kept_for_last_sits_only_where_nobody_else_may():
    assert give([0] * 6, 4, share=0.0, late=[0, 1]) == ([2, 3, 4, 5], [False])
    assert give([0] * 6, 5, share=0.0, late=[0, 1]) == ([2, 3, 4, 5, 0], [True])
