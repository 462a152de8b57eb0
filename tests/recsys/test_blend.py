import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.blend import N_BEST, Blend, Blended, ByLength, spreads, unitless
from recsys.catalog import Kind
from recsys.interactions import Row
from recsys.models.graph import Graph
from recsys.models.popularity import Popularity
from recsys.models.spectral import Spectral
from tests.recsys.models.planted_rows import CATALOG, people

PARTS = np.array([[1, 2, 3, np.nan], [10, 30, 20, 0], [5, 5, 5, 5]], dtype=np.float32)


def blended(*weights):
    models = [Graph().fit(people(), CATALOG), Spectral().fit(people(), CATALOG)]
    return Blended(models, Blend(np.array(weights, dtype=np.float32)))


def test_the_spread_is_that_of_what_is_known():
    np.testing.assert_allclose(spreads(PARTS), [np.std([1, 2, 3]), np.std([10, 30, 20, 0]), 0])


def test_only_the_best_tell_the_scale():
    best = np.arange(1000, 1000 + N_BEST, dtype=np.float32)
    rest = np.zeros(500, dtype=np.float32)
    assert spreads(np.concatenate([rest, best])[None]) == pytest.approx(np.std(best))


def test_what_does_not_count_tells_nothing():
    counted = np.array([True, True, False, True])
    np.testing.assert_allclose(spreads(PARTS, counted)[0], np.std([1, 2]))
    # But it has a score like the others.
    assert unitless(PARTS, counted)[0, 2] == pytest.approx(3 / np.std([1, 2]))


def test_no_opinion_and_one_for_all_say_nothing():
    told = unitless(PARTS)
    assert told[0, 3] == 0
    assert not told[2].any()


def test_an_item_nobody_knows_has_no_score():
    parts = np.array([[np.nan, 1, 2], [np.nan, np.nan, 3]], dtype=np.float32)
    scores = Blend(np.ones(2, dtype=np.float32)).scores(parts)
    np.testing.assert_array_equal(np.isnan(scores), [True, False, False])


def test_what_only_speaks_against_is_no_opinion():
    parts = np.array([[np.nan, 1, 2], [3, 1, 2]], dtype=np.float32)
    scores = Blend(np.array([2, -1], dtype=np.float32)).scores(parts)
    np.testing.assert_array_equal(np.isnan(scores), [True, False, False])


def test_an_item_counted_against_is_still_sent():
    both = Blended(
        [Graph().fit(people(), CATALOG), Popularity(damping=0.9).fit(people(), CATALOG)],
        Blend(np.array([2, -1], dtype=np.float32)),
    )
    row = people(1, seed=3, disliked=0)[0]
    dense, found = both.score(people(1, seed=3, disliked=0))[0], both.candidates(row, 9, None)
    assert len(found.items) == 9
    np.testing.assert_allclose(found.scores, dense[found.items], rtol=0.1, atol=0.05)
    nobody = Row(np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32))
    assert len(both.candidates(nobody, 9, None).items) == 0


@given(st.lists(st.floats(0.01, 100), min_size=3, max_size=3), st.integers(0, 99))
def test_the_unit_of_a_source_does_not_matter(units, seed):
    parts = np.random.default_rng(seed).random((3, 20)).astype(np.float32)
    blend = Blend(np.array([0.5, 0.2, 0.3], dtype=np.float32))
    scaled = parts * np.array(units, dtype=np.float32)[:, None]
    np.testing.assert_allclose(blend.scores(scaled), blend.scores(parts), rtol=1e-3)


def test_many_rows_are_blended_as_each_is():
    both, rows = blended(0.7, -0.2), people(6, seed=3)
    parts = np.stack([model.score(rows) for model in both.models])
    for person in range(len(rows)):
        is_new = np.isin(np.arange(len(CATALOG)), rows[person].items, invert=True)
        alone = both.blend.scores(parts[:, person], is_new)
        np.testing.assert_allclose(both.score(rows)[person], alone, rtol=1e-4, atol=1e-4)


def test_one_source_alone_keeps_its_order():
    rows = people(seed=3)
    both, alone = blended(1, 0), blended(1, 0).models[0]
    for person in range(20):
        row = rows[person]
        mine = both.candidates(row, 5, Kind.VIDEO).items
        np.testing.assert_array_equal(mine, alone.candidates(row, 5, Kind.VIDEO).items)


@pytest.mark.parametrize("kind", [Kind.PRODUCT, Kind.VIDEO, None])
def test_a_request_gets_the_best_of_all_items(kind):
    both, rows = blended(0.4, 0.6), people(40, seed=3, disliked=0)
    allowed = np.arange(len(CATALOG)) if kind is None else CATALOG.of_kind(kind)
    dense = both.score(rows)
    shares = []
    for person in range(len(rows)):
        best = allowed[np.argsort(-np.nan_to_num(dense[person, allowed]))[:5]]
        shares.append(np.isin(both.candidates(rows[person], 5, kind).items, best).mean())
    # Of one kind the scale is told by that kind's items, which moves an item in twenty.
    assert np.mean(shares) > 0.95


def test_some_items_are_scored_as_all_are():
    both, rows = blended(0.4, 0.6), people(5, seed=3, disliked=0)
    some = np.array([100, 3, 21], dtype=np.int32)
    for person in range(len(rows)):
        dense = np.nan_to_num(both.score(rows)[person, some])
        np.testing.assert_allclose(
            np.nan_to_num(both.score_of(rows[person], some)), dense, rtol=0.1, atol=0.05
        )


def test_the_reason_is_the_item_of_the_same_taste():
    row = Row(np.array([0, 60], dtype=np.int32), np.ones(2, dtype=np.float32))
    reasons = blended(0.5, 0.5).because(row, np.array([1, 61], dtype=np.int32))
    assert [reason.item_idx for reason in reasons] == [0, 60]


def test_who_has_few_items_is_answered_by_a_blend_of_their_own():
    short, long = (Blend(np.array(w, dtype=np.float32)) for w in ([1, 0], [0, 1]))
    models = [Graph().fit(people(), CATALOG), Spectral().fit(people(), CATALOG)]
    rows = people(8, seed=3)
    bound = int(np.median(np.diff(rows.offsets)))
    both = Blended(models, ByLength(np.array([bound]), (short, long)))
    dense = both.score(rows)
    for place in range(len(rows)):
        row = rows[place]
        alone = Blended(models, long if len(row) >= bound else short)
        np.testing.assert_allclose(dense[place], alone.score(rows)[place])
        np.testing.assert_array_equal(
            both.candidates(row, 9, None).items, alone.candidates(row, 9, None).items
        )
    assert both.blend.is_used.all()
    assert both.blend.among(np.array([1])).of(0).weights.tolist() == [0]
