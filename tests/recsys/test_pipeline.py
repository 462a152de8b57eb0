import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.candidates import Candidates, fuse
from recsys.catalog import Kind
from recsys.fresh import place
from recsys.models.base import Ranking


def ranking(*items):
    return Ranking(np.array(items, dtype=np.int32), np.arange(len(items), 0, -1, dtype=np.float32))


def ascending(candidates):
    return candidates.take(np.argsort(candidates.items))


def race(*items):
    n = len(items)
    return Candidates(np.array(items, dtype=np.int32), np.arange(n, 0, -1.0), np.zeros((1, n)))


def test_fusion_is_the_sum_of_reciprocal_ranks():
    fused = ascending(fuse([(ranking(7, 3),), (ranking(3),)], [1.0, 2.0], 60))
    assert fused.items.tolist() == [3, 7]
    assert fused.scores.tolist() == pytest.approx([1 / 62 + 2 / 61, 1 / 61])
    assert fused.parts[:, 0].tolist() == pytest.approx([1 / 62, 2 / 61])


def test_ranks_count_within_each_ranking_of_a_source():
    fused = ascending(fuse([(ranking(7, 3), ranking(5))], [1.0], 60))
    assert fused.items.tolist() == [3, 5, 7]
    assert fused.scores.tolist() == pytest.approx([1 / 62, 1 / 61, 1 / 61])


def test_fusion_of_nothing_is_nothing():
    assert len(fuse([(Ranking.none(),)], [1.0], 60)) == 0


def test_kinds_take_turns_by_their_share():
    placed = place({Kind.VIDEO: race(1, 2, 3, 4), Kind.PRODUCT: race(11, 12, 13, 14)}, 0.5, 6)
    assert placed.items.tolist() == [1, 11, 2, 12, 3, 13]


def test_a_kind_that_runs_out_leaves_its_seats():
    placed = place({Kind.VIDEO: race(1), Kind.PRODUCT: race(11, 12, 13)}, 0.75, 6)
    assert sorted(placed.items.tolist()) == [1, 11, 12, 13]


@given(
    n_videos=st.integers(0, 30),
    n_products=st.integers(0, 30),
    share=st.floats(0, 1),
    k=st.integers(1, 40),
)
def test_place_laws(n_videos, n_products, share, k):
    videos, products = range(n_videos), range(100, 100 + n_products)
    placed = place({Kind.VIDEO: race(*videos), Kind.PRODUCT: race(*products)}, share, k)
    shown = placed.items.tolist()
    assert len(shown) == len(set(shown)) == min(k, n_videos + n_products)
    own = [i for i in shown if i < 100]
    assert own == list(videos)[: len(own)]
    # A kind with any share has the last seat of a page if it has no other.
    has_both = 0 < len(own) < len(shown)
    assert has_both or len(shown) < 10 or not (0 < share < 1 and n_videos and n_products)
    # While neither kind has run out, every beginning before that keeps the share to half a seat.
    for length in range(1, len(shown)):
        given_videos = sum(i < 100 for i in shown[:length])
        if given_videos < n_videos and length - given_videos < n_products:
            assert abs(given_videos - length * share) <= 0.5 + 1e-9
