from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.catalog import Catalog, Kind
from recsys.events import EventType, millis
from recsys.histories import Histories
from recsys.models.creators import Creators, trust, trusted
from tests.planted import NOW, event, history_of, item, taste_of

# Videos 0 to 4 of creator-1 and 5 to 9 of creator-2; a product of each, old and new.
CATALOG = Catalog.of(
    [item(n, Kind.VIDEO, creator_id=f"creator-{1 + n // 5}", duration_s=20.0) for n in range(10)]
    + [
        item(10, creator_id="creator-1", published_at=NOW - timedelta(days=90)),
        item(11, creator_id="creator-1", published_at=NOW),
        item(12, creator_id="creator-2", published_at=NOW),
        item(13),
    ]
)
TASTE = taste_of(CATALOG)


def watched(*numbers, type=EventType.PLAY):
    return [
        event(f"item-{1000 + n}", type, event_id=f"{type}-{n}-{place}", play_s=20.0)
        for place, n in enumerate(numbers)
    ]


def row(*events):
    return TASTE.row(history_of(CATALOG, *events), millis(NOW))


@pytest.fixture(scope="module")
def model():
    return Creators().fit(TASTE.rows(Histories.of([]), millis(NOW)), CATALOG)


def test_new_product_of_a_trusted_creator_comes_first(model):
    found = model.candidates(row(*watched(0, 1, 2, 3), *watched(5)), 10, Kind.PRODUCT)
    # The creator's new one before the old one; nobody's product not at all.
    assert found.items.tolist() == [11, 10, 12]


def test_nothing_is_said_for_strangers_and_creators_nobody_met(model):
    assert len(model.candidates(row(), 10, None).items) == 0
    assert 12 not in model.candidates(row(*watched(0, 1)), 10, None).items


def test_repeats_follows_and_purchases_build_trust_and_returning_takes_it(model):
    def of(*events):
        return float(trust(row(*events), CATALOG.creator, len(CATALOG.creators))[1])

    follow = event("item-1000", EventType.FOLLOW)
    order = event("item-1010", EventType.ORDER, order_id="order-1")
    refund = event("item-1010", EventType.REFUND, order_id="order-1")
    # The same weight on two videos says more than on one.
    assert of(*watched(0, 0)) < of(*watched(0, 1)) < of(*watched(0, 1, 2))
    assert of(*watched(0)) < of(*watched(0), follow) < of(*watched(0), follow, order)
    assert of(*watched(0), order, refund) == of(*watched(0))
    assert of(*watched(0), event("item-1001", EventType.DISLIKE)) < of(*watched(0))


@given(st.floats(-100, 1e6), st.integers(0, 1_000), st.floats(0, 100), st.integers(0, 10))
def test_trust_is_a_share_and_more_never_makes_less(sums, counts, more, again):
    before, after = (
        float(trusted(np.array([s]), np.array([c]))[0])
        for s, c in ((sums, counts), (sums + more, counts + again))
    )
    assert 0 <= before <= after + 1e-6 <= 1 + 1e-6


def test_reason_is_the_creators_item_liked_most(model):
    past = row(*watched(0, 1), event("item-1001", EventType.LIKE), *watched(5))
    (because,) = model.because(past, np.array([11], dtype=np.int32))
    assert because.item_idx == 1
