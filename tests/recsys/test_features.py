from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.catalog import Catalog, Kind
from recsys.events import EventType, millis
from recsys.facts import Facts
from recsys.features import Asked, Racing, features
from recsys.histories import Histories
from recsys.interactions import Row
from tests.planted import NOW, event, history_of, item, taste_of

# Positions 0–3 products, 4–7 videos; video 4 sells product 0.
CATALOG = Catalog.of(
    [
        item(0, category=("a",), tags=("t", "u"), creator_id="creator-1", price_minor=1_000),
        item(1, category=("a",), tags=("t",), creator_id="creator-2", price_minor=2_000),
        item(2, category=("b",), creator_id="creator-1", price_minor=1_000_000),
        item(3),
        item(4, Kind.VIDEO, cards=("item-1000",), creator_id="creator-1", duration_s=10.0),
        item(5, Kind.VIDEO, creator_id="creator-3", tags=("u",), duration_s=20.0),
        item(6, Kind.VIDEO, published_at=NOW - timedelta(days=3)),
        item(7, Kind.VIDEO),
    ]
)
TASTE = taste_of(CATALOG)
AT_MS = millis(NOW)
EVERY = np.arange(8, dtype=np.int32)
NOBODY = Row(np.empty(0, np.int32), np.empty(0, np.float32))


def facts_of(*events):
    return Facts.learned(Histories.of([history_of(CATALOG, *events)]), TASTE, CATALOG, AT_MS)


FACTS = facts_of(event("item-1000"), event("item-1004", EventType.PLAY, play_s=8.0))


def racing(items=EVERY, opinions=None, **more):
    opinions = np.full((1, 8), np.nan, dtype=np.float32) if opinions is None else opinions
    fused = np.arange(8, 0, -1.0)[items]
    return Racing(
        items=items, fused=fused, opinions=opinions[:, items], sources=("near",), extra=more
    )


def asked(*events, basket=()):
    row = TASTE.row(history_of(CATALOG, *events), AT_MS)
    return Asked(row=row, basket=np.array(basket, dtype=np.int32), at_ms=AT_MS)


def told(name, of, race=None):
    race = racing() if race is None else race
    table = features(race, of, CATALOG, FACTS)
    return table[:, race.names.index(name)].tolist()


def test_there_is_one_column_a_name():
    race = racing(tab=np.ones(8))
    table = features(race, asked(), CATALOG, FACTS)
    assert table.shape == (8, len(race.names))
    assert len(set(race.names)) == len(race.names)
    assert table.dtype == np.float32


def test_own_acts_are_counted_and_dated():
    two_days_ago = event("item-1001", at=NOW - timedelta(days=2), event_id="event-a")
    person = asked(two_days_ago, event("item-1001", EventType.CART, at=NOW - timedelta(days=1)))
    assert told("own_looks", person)[:3] == [0, 1, 0]
    assert told("own_carts", person)[:3] == [0, 1, 0]
    assert told("own_days", person)[1] == pytest.approx(1)
    assert np.isnan(told("own_days", person)[0])


def test_affinity_is_the_share_of_weight_of_the_same_creator_category_and_tags():
    person = asked(event("item-1000"), event("item-1005", EventType.VIEW))
    assert told("creator_watch", person)[:3] == pytest.approx([0.5, 0, 0.5])
    assert np.isnan(told("creator_watch", person)[3])
    assert told("category_watch", person)[:3] == pytest.approx([0.5, 0.5, 0])
    # The tag u is on both, t on one of them.
    assert told("tag_watch", person)[:2] == pytest.approx([0.75, 0.5])
    assert told("creator_buy", person)[:3] == [0, 0, 0]


def test_a_price_is_told_against_what_the_person_buys():
    person = asked(event("item-1000", EventType.ORDER), event("item-1002"))
    gaps = told("price_gap", person)
    assert gaps[0] == pytest.approx(0, abs=1e-6)
    assert gaps[2] == pytest.approx(np.log(1_000), rel=1e-3)
    assert np.isnan(gaps[3])


def test_cards_link_videos_and_products_both_ways():
    assert told("card_of_own", asked(event("item-1004", EventType.PLAY)))[0] > 0
    assert told("shows_own", asked(event("item-1000")))[4] > 0
    assert told("basket_cards", asked(basket=(0,)))[4] == 1
    assert told("basket_category", asked(basket=(0,)))[:3] == [1, 1, 0]
    assert np.isnan(told("basket_cards", asked())).all()


def test_opinions_stand_beside_their_share_of_the_best_of_the_kind():
    opinions = np.array([[4, 2, np.nan, np.nan, 8, 6, np.nan, np.nan]], dtype=np.float32)
    race = racing(opinions=opinions)
    assert told("says_near", asked(), race)[:2] == [4, 2]
    shares = told("share_near", asked(), race)
    assert shares[:2] == [1, 0.5]
    assert shares[4:6] == [1, 0.75]
    assert np.isnan(shares[2])


def test_a_stranger_has_no_affinities():
    table = features(racing(), asked(), CATALOG, FACTS)
    names = racing().names
    assert table[:, names.index("creator_watch")][:3].tolist() == [0, 0, 0]
    assert np.isnan(table[:, names.index("price_gap")]).all()
    assert np.isnan(table[:, names.index("idle_days")]).all()


def test_a_row_without_acts_is_taken_for_watching():
    row = Row(np.array([0], np.int32), np.ones(1, np.float32))
    known = Asked(row=row, basket=np.empty(0, np.int32), at_ms=AT_MS)
    assert told("creator_watch", known)[:3] == [1, 0, 1]


def test_age_is_known_where_the_item_says_when_it_was_published():
    ages = told("age_days", asked())
    assert ages[6] == pytest.approx(3)
    assert np.isnan(ages[7])


def test_further_columns_come_last():
    race = racing(tab=np.arange(8))
    assert race.names[-1] == "tab"
    assert told("tab", asked(), race) == list(range(8))


def test_impressions_change_nothing():
    # A service does not read them for a list, so a list must not depend on them.
    plain = features(racing(), asked(event("item-1000")), CATALOG, FACTS)
    seen = asked(event("item-1000"), event("item-1001", EventType.IMPRESSION))
    np.testing.assert_array_equal(features(racing(), seen, CATALOG, FACTS), plain)


acts = st.lists(
    st.tuples(
        st.integers(0, 7),
        st.sampled_from(sorted(set(EventType) - {EventType.REFUND})),
        st.integers(0, 1_000),
    ),
    max_size=12,
)


def events_of(said, *, later=False):
    sign = 1 if later else -1
    return [
        event(f"item-{1000 + n}", kind, at=NOW + sign * timedelta(hours=1 + h), event_id=f"e-{i}")
        for i, (n, kind, h) in enumerate(said)
    ]


@given(past=acts, items=st.sets(st.integers(0, 7), min_size=1))
def test_a_candidate_has_the_same_features_alone_and_among_others(past, items):
    person = asked(*events_of(past))
    everyone = features(racing(), person, CATALOG, FACTS)
    some = np.array(sorted(items), dtype=np.int32)
    names = racing().names
    alone = [i for i, name in enumerate(names) if "share" not in name]
    few = features(racing(some), person, CATALOG, FACTS)
    np.testing.assert_array_equal(few[:, alone], everyone[some][:, alone])


@given(past=acts, future=acts)
def test_the_future_changes_no_feature(past, future):
    before, after = events_of(past), events_of(future, later=True)
    then = Facts.learned(
        Histories.of([history_of(CATALOG, *before, *after)]), TASTE, CATALOG, AT_MS
    )
    plain = features(racing(), asked(*before), CATALOG, facts_of(*before))
    np.testing.assert_array_equal(features(racing(), asked(*before), CATALOG, then), plain)
    # A history may hold later events only with a weight of 0; affinities must not see them.
    knowing = features(racing(), asked(*before, *after), CATALOG, then)
    names = racing().names
    weighed = [i for i, n in enumerate(names) if n.startswith(("creator_", "category_", "tag_"))]
    np.testing.assert_allclose(knowing[:, weighed], plain[:, weighed])
