import numpy as np
import pytest

from recsys.catalog import Catalog, Kind
from recsys.models.base import Because
from recsys.models.transitions import Transitions
from tests.planted import item
from tests.recsys.models.planted_acts import rows_of, viewed

N = 12
FILM = 11
CATALOG = Catalog.of([item(n) for n in range(FILM)] + [item(FILM, Kind.VIDEO)])


def fitted(*persons, **parameters) -> Transitions:
    return Transitions(**parameters).fit(rows_of(list(persons), N), CATALOG)


def row_of(*items: int):
    return rows_of([viewed(*items)], N)[0]


def found(model: Transitions, *items: int, within: Kind | None = None) -> list[int]:
    return model.candidates(row_of(*items), 10, within).items.tolist()


def test_what_was_turned_to_next_comes_first():
    model = fitted(*[viewed(0, 1, 2) for _ in range(9)], viewed(0, 3), viewed(4, 5))
    assert found(model, 0)[:2] == [1, 2]
    assert 5 not in found(model, 0)


def test_the_latest_item_counts_most():
    model = fitted(*[viewed(0, 1) for _ in range(9)], *[viewed(2, 3) for _ in range(9)])
    assert found(model, 0, 2)[0] == 3
    assert found(model, 2, 0)[0] == 1


def test_two_steps_reach_what_was_never_seen_together():
    people = [viewed(0, 1) for _ in range(5)] + [viewed(1, 2) for _ in range(5)]
    assert found(fitted(*people), 0) == [1, 2]
    assert found(fitted(*people, second=0.0), 0) == [1]


def test_only_forwards_is_possible():
    people = [viewed(0, 1) for _ in range(5)]
    assert found(fitted(*people), 1) == [0]
    assert found(fitted(*people, backwards=0.0), 1) == []


def test_people_who_go_back_and_forth_are_led_back():
    people = [viewed(n, n + 1, n, n + 1) for n in (0, 2, 4, 6)]
    model = fitted(*people)
    # Who saw 8 and then 9 was never seen before, but returns are of all items.
    assert found(model, 8, 9)[0] == 8
    assert found(fitted(*people, returns=0.0), 8, 9) == []


def test_a_return_gives_the_item_itself_as_its_reason():
    model = fitted(*[viewed(0, 1, 0, 1, 0) for _ in range(5)], *[viewed(0, 2) for _ in range(5)])
    reasons = model.because(row_of(1, 0), np.array([1, 2, 5]))
    assert reasons == [Because(item_idx=1), Because(item_idx=0), None]


def test_kinds_are_kept_apart():
    model = fitted(*[viewed(0, FILM, 1) for _ in range(5)])
    assert found(model, 0, within=Kind.VIDEO) == [FILM]
    assert found(model, 0, within=Kind.PRODUCT) == [1]


def test_an_item_is_not_listed_under_itself():
    lists = fitted(*[viewed(0, 1, 0) for _ in range(5)]).followers_.products.csr(N)
    assert np.diagonal(lists.toarray()).max() == 0


def test_one_step_is_a_share_of_all_steps():
    people = [viewed(0, 1), viewed(0, 2)]
    lists = fitted(*people, second=0.0).followers_.products.csr(N)
    assert lists.toarray()[0, [1, 2]] == pytest.approx([0.5, 0.5])


def test_where_acts_are_not_known_what_is_liked_together_is_near():
    rows = rows_of([viewed(0, 1) for _ in range(5)], N)
    unordered = type(rows)(rows.offsets, rows.items, rows.weights, N)
    model = Transitions().fit(unordered, CATALOG)
    assert model.candidates(unordered[0], 5, None).items.tolist() == [0, 1]
    assert model.returns_.max() == 0
