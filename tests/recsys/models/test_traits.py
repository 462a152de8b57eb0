from dataclasses import replace

import numpy as np
import pytest

from recsys.catalog import Catalog, Kind
from recsys.models.traits import Group, Traits
from tests.planted import item

VIDEO = Kind.VIDEO


def carried(catalog: Catalog, *groups: Group) -> list[set[tuple[str, str, Kind]]]:
    """For each item its traits as (group, name, kind)."""
    traits = Traits.of(catalog, frozenset(groups))
    matrix = traits.carried.toarray()
    said = [
        (Group(group).name, name, Kind(kind))
        for group, name, kind in zip(traits.group, traits.names, traits.kind, strict=True)
    ]
    return [{said[trait] for trait in np.flatnonzero(row)} for row in matrix]


def test_a_tag_of_a_product_is_not_that_of_a_video():
    catalog = Catalog.of([item(0, tags=("帐篷",)), item(1, VIDEO, tags=("帐篷",))])
    assert carried(catalog, Group.TAG) == [
        {("TAG", "帐篷", Kind.PRODUCT)},
        {("TAG", "帐篷", Kind.VIDEO)},
    ]


def test_every_node_of_a_category_is_a_trait():
    catalog = Catalog.of([item(0, category=("母婴", "辅食")), item(1, category=("母婴",))])
    mother = ("CATEGORY", "母婴", Kind.PRODUCT)
    assert carried(catalog, Group.CATEGORY) == [
        {mother, ("CATEGORY", "辅食", Kind.PRODUCT)},
        {mother},
    ]


def titled(*titles: str) -> Catalog:
    items = [item(number) for number in range(len(titles))]
    return Catalog.of([replace(i, title=t) for i, t in zip(items, titles, strict=True)])


def test_words_of_two_titles_are_traits_but_not_those_of_many():
    catalog = titled("好物帐篷", "好物帐篷", "好物睡袋", *["好物"] * 8)
    found = carried(catalog, Group.WORD)
    assert found[0] == found[1] == {("WORD", "帐篷", Kind.PRODUCT)}
    assert found[2] == set()


def test_an_id_is_no_title():
    assert carried(titled("", "", "", *["帐篷"] * 8), Group.WORD)[:3] == [set()] * 3


def test_creators_and_cards_are_traits():
    catalog = Catalog.of(
        [item(0), item(1, VIDEO, creator_id="creator-7", cards=("item-1000",)), item(2)]
    )
    assert carried(catalog, Group.CREATOR, Group.CARD) == [
        {("CARD", "item-1000", Kind.PRODUCT)},
        {("CARD", "item-1000", Kind.VIDEO), ("CREATOR", "creator-7", Kind.VIDEO)},
        set(),
    ]


def test_only_tags_know_their_position():
    catalog = Catalog.of([item(0, tags=("宝宝", "辅食"), category=("母婴",))])
    traits = Traits.of(catalog, frozenset({Group.TAG, Group.CATEGORY}))
    names = [catalog.tag_names[tag] if tag >= 0 else None for tag in traits.tag]
    assert dict(zip(traits.names, names, strict=True)) == {
        "宝宝": "宝宝",
        "辅食": "辅食",
        "母婴": None,
    }


def test_vectors_by_hand():
    catalog = Catalog.of([item(0, tags=("a", "b")), item(1, tags=("a",)), item(2)])
    traits = Traits.of(catalog, frozenset({Group.TAG}))
    common, rare = np.log(3 / 3) + 1, np.log(3 / 2) + 1
    vectors = traits.vectors(np.ones(2, dtype=np.float32)).toarray()
    assert vectors[0] == pytest.approx(np.array([common, rare]) / np.hypot(common, rare))
    assert vectors[1] == pytest.approx([1, 0])
    assert vectors[2] == pytest.approx([0, 0])
