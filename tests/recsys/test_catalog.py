from datetime import datetime

import numpy as np
import pytest

from recsys import arrays
from recsys.catalog import Catalog, Item, Kind
from recsys.errors import InvalidItem
from recsys.links import Links
from tests.planted import item


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"item_id": ""}, "item_id is missing"),
        ({"title": "长" * 301}, "title is too long, got 301"),
        ({"tags": ("",)}, "tags is missing"),
        ({"tags": tuple(f"t{i}" for i in range(65))}, "tags has too many parts"),
        ({"category": tuple("abcdefghi")}, "category has too many parts"),
        ({"price_minor": -1}, "price_minor is out of range"),
        ({"duration_s": float("nan")}, "duration_s is out of range"),
        ({"published_at": datetime(2026, 1, 1)}, "published_at has no time zone"),
        ({"cover": "a\nb"}, "cover has unprintable"),
    ],
)
def test_bad_item_is_refused_with_its_field(more, message):
    with pytest.raises(InvalidItem, match=message):
        Item(**({"item_id": "item-1001", "kind": Kind.PRODUCT} | more))


@pytest.fixture
def catalog():
    return Catalog.of(
        [
            item(
                1, tags=("辅食", "母婴"), category=("母婴", "辅食"), durable=False, price_minor=990
            ),
            item(2, stock=0),
            item(3, Kind.VIDEO, tags=("辅食",), cards=("item-1001", "item-1003", "item-7777")),
            item(4, Kind.VIDEO, sponsored=True, creator_id="creator-1"),
        ]
    )


def test_cards_lead_only_to_known_products(catalog):
    assert catalog.cards.row(2).tolist() == [0]
    assert catalog.shown_by.row(0).tolist() == [2]


def test_sold_out_is_not_on_sale(catalog):
    assert catalog.on_sale.tolist() == [True, False, True, True]


def test_unknown_durability_counts_as_durable(catalog):
    assert catalog.durable.tolist() == [False, True, True, True]


def test_sponsored_carries_the_mark(catalog):
    assert catalog.ad.tolist() == [False, False, False, True]


def test_tags_and_categories_have_names(catalog):
    assert [catalog.tag_names[int(t)] for t in catalog.tags.row(0)] == ["辅食", "母婴"]
    assert catalog.categories[int(catalog.category[0])] == "母婴/辅食"
    assert catalog.categories[int(catalog.category[1])] == ""


def test_display_is_ready_to_send(catalog):
    assert catalog.display.raw(0) == b'{"price_minor":990,"cover":null,"link":null}'


def test_catalogue_survives_a_folder_bit_for_bit(catalog, tmp_path):
    before = arrays.flat(catalog, "catalog")
    arrays.save(before, tmp_path)
    after = arrays.flat(arrays.built(Catalog, arrays.load(tmp_path), "catalog"), "catalog")
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[n], after[n], equal_nan=True) for n in before if "." in n)


def test_links_turned_twice_are_the_same_links():
    links = Links.of([[0, 2], [], [1, 2]])
    twice = links.turned(3).turned(3)
    assert twice.offsets.tolist() == links.offsets.tolist()
    assert twice.targets.tolist() == links.targets.tolist()


def test_several_rows_at_once_name_their_owner():
    owners, targets = Links.of([[0, 2], [], [1, 2]]).rows(np.array([2, 1, 0]))
    assert owners.tolist() == [0, 0, 2, 2]
    assert targets.tolist() == [1, 2, 0, 2]
