"""A catalogue as of now: the bundle's positions stay, what changed and what is new lies over it."""

from dataclasses import fields
from datetime import timedelta

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from recsys.catalog import Catalog, Item, Kind
from recsys.ids import IdMap, mark_of
from recsys.overlay import Overlay
from tests.planted import NOW, item

# Positions 0–3 products, 4 and 5 videos; video 4 sells 0 and 1.
BASE = [item(n, tags=("旧",), creator_id="creator-1") for n in range(4)] + [
    item(4, Kind.VIDEO, cards=("item-1000", "item-1001"), tags=("旧", "看")),
    item(5, Kind.VIDEO),
]


@pytest.fixture
def overlay():
    return Overlay.of(Catalog.of(BASE))


def now(overlay, *items):
    return overlay.with_items(items).catalog()


def test_nothing_changed_is_the_same(overlay):
    assert overlay.is_empty
    assert not overlay.with_items([item(3)]).is_empty


def test_switched_off_leaves_the_bundles_catalogue_alone(overlay):
    changed = now(overlay, item(1, available=False), item(2, stock=0))
    assert changed.on_sale.tolist() == [True, False, False, True, True, True]
    assert overlay.base.on_sale.all()


def test_what_changed_before_stays_changed(overlay):
    later = overlay.with_items([item(1, available=False)]).with_items([item(2, available=False)])
    assert later.catalog().on_sale.tolist() == [True, False, False, True, True, True]
    assert later.with_items([item(1)]).catalog().on_sale[1]


def test_new_titles_prices_and_marks_are_shown(overlay):
    new = Item(
        item_id="item-1002", kind=Kind.PRODUCT, title="新", price_minor=5, sponsored=True, link="/n"
    )
    changed = now(overlay, new)
    assert changed.titles[2] == "新"
    assert changed.display.raw(2) == b'{"price_minor":5,"cover":null,"link":"/n"}'
    assert changed.ad.tolist() == [False, False, True, False, False, False]
    assert changed.titles[1] == "标题1"


def test_a_stock_that_is_counted_changes_no_text(overlay):
    counted = overlay.with_items([item(1, stock=7, tags=("旧",), creator_id="creator-1")])
    assert (counted.titles, counted.displays, counted.cards) == ({}, {}, {})


def test_new_items_stand_behind_the_others(overlay):
    changed = now(overlay, item(9, tags=("新", "旧"), creator_id="creator-2"), item(8))
    assert len(changed) == 8
    assert [changed.ids[idx] for idx in (6, 7)] == ["item-1009", "item-1008"]
    assert (changed.ids.find("item-1009"), changed.ids.find("item-1003")) == (6, 3)
    assert [changed.tag_names[t] for t in changed.tags.row(6).tolist()] == ["旧", "新"]
    assert [changed.tag_names[t] for t in changed.tags.row(4).tolist()] == ["旧", "看"]
    assert [changed.creators[int(c)] for c in changed.creator[[0, 6, 7]]] == [
        "creator-1",
        "creator-2",
        "",
    ]
    assert changed.titles[7] == "标题8"


def test_positions_of_new_items_stay_when_more_come(overlay):
    first = overlay.with_items([item(9)])
    later = first.with_items([item(8), item(9, available=False)]).catalog()
    assert (later.ids.find("item-1009"), later.ids.find("item-1008")) == (6, 7)
    assert not later.on_sale[6]


def test_cards_lead_both_ways_between_old_and_new(overlay):
    changed = now(
        overlay,
        item(8),
        item(9, Kind.VIDEO, cards=("item-1001", "item-1008", "item-7777")),
        item(4, Kind.VIDEO, cards=("item-1002", "item-1008")),
    )
    # Of a known item models know the other traits, and it keeps them.
    old_video, new_product, new_video = 4, 6, 7
    assert changed.cards.row(old_video).tolist() == [2, new_product]
    assert changed.cards.row(new_video).tolist() == [1, new_product]
    shown_by = [changed.shown_by.row(idx).tolist() for idx in range(4)]
    assert shown_by == [[], [new_video], [old_video], []]
    assert changed.shown_by.row(new_product).tolist() == [old_video, new_video]


def test_several_rows_at_once_are_the_rows_one_by_one(overlay):
    changed = now(overlay, item(9, Kind.VIDEO, cards=("item-1003",)))
    owners, targets = changed.cards.rows(np.array([6, 5, 4]))
    assert (owners.tolist(), targets.tolist()) == ([0, 2, 2], [3, 0, 1])
    owners, targets = changed.cards.rows(np.array([5, 4]))
    assert (owners.tolist(), targets.tolist()) == ([1, 1], [0, 1])


ITEMS = st.lists(
    st.builds(
        item,
        st.integers(0, 9),
        st.just(Kind.PRODUCT),
        available=st.booleans(),
        price_minor=st.none() | st.integers(0, 99),
        published_at=st.none() | st.just(NOW + timedelta(days=1)),
    ),
    max_size=8,
)


@settings(max_examples=50, deadline=None)
@given(batches=st.lists(ITEMS, max_size=3))
def test_in_batches_or_at_once_is_the_same_as_made_anew(batches):
    overlay, last = Overlay.of(Catalog.of(BASE)), {one.item_id: one for one in BASE}
    for batch in batches:
        overlay = overlay.with_items(batch)
        last |= {one.item_id: one for one in batch}
    found, anew = overlay.catalog(), Catalog.of(list(last.values()))
    assert [found.ids[idx] for idx in range(len(found))] == list(last)
    for name in ("on_sale", "published_ms", "ad", "durable"):
        assert getattr(found, name).tolist() == getattr(anew, name).tolist()
    for idx in range(len(anew)):
        assert found.display.raw(idx) == anew.display.raw(idx)


def test_ids_with_more_behind_answer_as_one_map(overlay):
    grown = now(overlay, item(9), item(8)).ids
    whole = IdMap.of([grown[idx] for idx in range(len(grown))])
    asked = ["item-1009", "item-1000", "item-7777", "item-1008"]
    for ids in (grown, whole):
        places, known = ids.look_up(asked)
        assert places[known].tolist() == [6, 0, 7]
        assert known.tolist() == [True, True, False, True]
        assert ids.find_all(asked).tolist() == [6, 0, 7]
        assert sorted(ids.marked([mark_of(one) for one in asked]).tolist()) == [0, 6, 7]
    places, known = grown.translate(IdMap.of(asked))
    assert places[known].tolist() == [6, 0, 7]


def test_every_column_is_as_long_as_the_catalogue(overlay):
    changed = now(overlay, item(9), item(8))
    columns = [getattr(changed, f.name) for f in fields(Catalog)]
    lengths = {len(column) for column in columns if isinstance(column, np.ndarray)}
    assert lengths == {8}
