from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.catalog import Catalog, Kind
from recsys.events import millis
from recsys.histories import Histories, History
from recsys.interactions import DAY_MS, Acts, Row, Rows
from recsys.models.base import Because
from recsys.models.newness import Newness
from tests.planted import NOW, item

VIDEO, PRODUCT = Kind.VIDEO, Kind.PRODUCT
NOW_MS = millis(NOW)
OLD, TODAY = NOW - timedelta(days=100), NOW - timedelta(hours=3)
# Old items 0 to 3 are what people know; from 4 on everything is of today and untouched.
WATCHED, LOOKED_AT, OTHER_VIDEO, OTHER_PRODUCT = range(4)
BY_CREATOR, BY_TAG, BY_CARD, PRODUCT_BY_TAG, IRRELEVANT, IRRELEVANT_PRODUCT = range(4, 10)
SAID = [
    (VIDEO, OLD, {"tags": ("露营",), "creator_id": "creator-301"}),
    (PRODUCT, OLD, {"tags": ("露营",)}),
    (VIDEO, OLD, {"tags": ("钓鱼",), "creator_id": "creator-302"}),
    (PRODUCT, OLD, {"tags": ("钓鱼",)}),
    (VIDEO, TODAY, {"creator_id": "creator-301"}),
    (VIDEO, TODAY, {"tags": ("露营",)}),
    (VIDEO, TODAY, {"cards": ("item-1001",)}),
    (PRODUCT, TODAY, {"tags": ("露营",)}),
    (VIDEO, TODAY, {"tags": ("钓鱼",), "creator_id": "creator-302"}),
    (PRODUCT, TODAY, {"tags": ("钓鱼",)}),
]
CATALOG = Catalog.of(
    [item(n, kind, published_at=at, **said) for n, (kind, at, said) in enumerate(SAID)]
)


def row(items, weights=None, at_ms: int | None = NOW_MS) -> Row:
    weights = np.ones(len(items)) if weights is None else weights
    acts = None
    if at_ms is not None:
        nothing = Histories(History.empty(), np.zeros(2, dtype=np.int64))
        acts = Acts(nothing, np.empty(0, dtype=np.float32), at_ms)
    return Row(np.array(items, dtype=np.int32), np.array(weights, dtype=np.float32), acts)


def fitted(catalog: Catalog = CATALOG, **parameters) -> Newness:
    crowd = [row([WATCHED, LOOKED_AT]), row([OTHER_VIDEO, OTHER_PRODUCT])] * 20
    return Newness(**parameters).fit(Rows.of(crowd, len(catalog)), catalog)


@pytest.mark.parametrize(
    ("own", "within", "expected"),
    [
        (WATCHED, VIDEO, {BY_CREATOR, BY_TAG}),
        (WATCHED, PRODUCT, {PRODUCT_BY_TAG}),
        # Who looked at such products watched that creator.
        (LOOKED_AT, VIDEO, {BY_TAG, BY_CARD, BY_CREATOR}),
        (LOOKED_AT, PRODUCT, {PRODUCT_BY_TAG}),
        (OTHER_VIDEO, VIDEO, {IRRELEVANT}),
    ],
)
def test_untouched_items_reach_who_they_fit_on_their_first_day(own, within, expected):
    found = fitted().candidates(row([own]), 9, within).items
    assert set(found.tolist()) == expected


@pytest.mark.parametrize(
    ("parameters", "missing"), [({"creators": 0.0}, BY_CREATOR), ({"cards": 0.0}, BY_CARD)]
)
def test_what_counts_nothing_brings_nothing(parameters, missing):
    both = row([WATCHED, LOOKED_AT])
    assert missing in fitted().candidates(both, 9, VIDEO).items
    assert missing not in fitted(**parameters).candidates(both, 9, VIDEO).items


def test_the_reason_is_the_own_tag_or_the_own_item():
    model = fitted()
    own_tag = Because(tag_idx=CATALOG.tag_names.find("露营"))
    found = model.because(row([WATCHED]), np.array([BY_TAG, BY_CREATOR, IRRELEVANT]))
    assert found == [own_tag, Because(item_idx=WATCHED), None]
    assert model.because(row([LOOKED_AT]), np.array([BY_CARD])) == [Because(item_idx=LOOKED_AT)]


BY = np.array([BY_TAG])


@pytest.fixture(scope="module")
def known() -> Newness:
    return fitted()


@given(days=st.floats(0, 12.5), later=st.floats(0.01, 1))
def test_the_score_falls_with_age(known, days, later):
    def score(age):
        return known.score_of(row([WATCHED], at_ms=millis(TODAY) + round(age * DAY_MS)), BY)[0]

    assert score(days + later) < score(days)


@pytest.mark.parametrize("days_later", [14.01, -0.01], ids=["no longer new", "not out yet"])
def test_only_what_is_new_at_the_moment_of_the_request(days_later):
    at_ms = millis(TODAY) + round(days_later * DAY_MS)
    model = fitted()
    assert len(model.candidates(row([WATCHED], at_ms=at_ms), 9, None).items) == 0
    assert np.isnan(model.score_of(row([WATCHED], at_ms=at_ms), BY)).all()


def test_how_long_is_new_can_be_said():
    late = row([WATCHED], at_ms=millis(TODAY) + 5 * DAY_MS)
    assert len(fitted(days=4.0).candidates(late, 9, VIDEO).items) == 0
    slow, fast = (fitted(half_life_days=days).score_of(late, BY)[0] for days in (10.0, 5.0))
    assert slow / fast == pytest.approx(2**-0.5 / 2**-1)


def test_a_row_without_a_moment_is_of_the_moment_of_learning():
    asked = row([WATCHED], at_ms=None)
    assert BY_TAG in fitted().candidates(asked, 9, VIDEO).items


def test_items_of_unknown_age_are_not_new():
    undated = Catalog.of([item(n, kind, **said) for n, (kind, _, said) in enumerate(SAID)])
    assert len(fitted(undated).candidates(row([WATCHED]), 9, None).items) == 0


def test_of_two_new_items_the_liked_one_is_first():
    twins = [
        *(item(n, kind, published_at=at, **said) for n, (kind, at, said) in enumerate(SAID)),
        item(10, VIDEO, published_at=TODAY, tags=("露营",)),
    ]
    catalog = Catalog.of(twins)
    rows = Rows.of([row([WATCHED, 10])], len(catalog))
    model = Newness().fit(rows, catalog)
    assert model.candidates(row([WATCHED]), 1, VIDEO).items.tolist() == [10]
