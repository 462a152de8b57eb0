import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.ids import IdMap, Texts

TEXT = st.text(min_size=1, max_size=20).filter(lambda t: t.isprintable())


@given(st.lists(TEXT, unique=True))
def test_every_id_is_found_at_its_position(ids):
    id_map = IdMap.of(ids)
    assert [id_map.find(one) for one in ids] == list(range(len(ids)))
    assert [id_map[idx] for idx in range(len(id_map))] == ids


def test_unknown_id_is_none_not_a_position():
    assert IdMap.of(["item-1001"]).find("item-1002") is None
    assert IdMap.of([]).find("item-1001") is None


def test_repeated_id_is_refused():
    with pytest.raises(ValueError, match="ids repeat"):
        IdMap.of(["item-1001", "item-1001"])


def test_find_all_leaves_unknown_out_and_keeps_order():
    id_map = IdMap.of(["a", "b", "c"])
    assert id_map.find_all(["c", "x", "a"]).tolist() == [2, 0]


@given(st.lists(TEXT, unique=True), st.lists(TEXT))
def test_looking_up_many_agrees_with_find(mine, wanted):
    id_map = IdMap.of(mine)
    positions, known = id_map.look_up(wanted)
    found = [int(p) if k else None for p, k in zip(positions, known, strict=True)]
    assert found == [id_map.find(one) for one in wanted]


@given(st.lists(TEXT, unique=True), st.lists(TEXT, unique=True))
def test_translate_agrees_with_find(mine, others):
    id_map, other = IdMap.of(mine), IdMap.of(others)
    positions, known = id_map.translate(other)
    for idx, outside_id in enumerate(others):
        assert (int(positions[idx]) if known[idx] else None) == id_map.find(outside_id)


def test_texts_keep_chinese_and_empty():
    texts = Texts.of(["婴儿辅食", "", "米粉"])
    assert texts.all() == ["婴儿辅食", "", "米粉"]
    assert texts[0] == "婴儿辅食"
    assert len(texts) == 3
    assert np.diff(texts.offsets).tolist() == [12, 0, 6]
