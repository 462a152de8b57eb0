import pytest

from data.record_rows import item_body, item_of
from recsys.errors import InvalidItem
from tests.data.samples import NOW, full_item, item


@pytest.mark.parametrize("one", [item(1), full_item()])
def test_an_item_is_read_back_as_it_was(record, one):
    record.put_items([one], at=NOW)
    assert list(record.items()) == [one]
    assert item_of(one.item_id, item_body(one)) == one


def test_only_changed_items_get_a_new_version(record):
    assert record.put_items([item(1), item(2)], at=NOW) == 2
    version = record.item_version()
    assert record.put_items([item(1), item(2)], at=NOW) == 0
    assert record.item_version() == version
    assert record.put_items([item(1), item(2, title="面")], at=NOW) == 1
    assert record.item_version() > version
    assert list(record.changed_items(version)) == [item(2, title="面")]
    assert list(record.changed_items(record.item_version())) == []


def test_adding_missing_items_changes_none_that_is_known(record):
    record.put_items([item(1)], at=NOW)
    assert record.add_missing_items([item(1, title=""), item(2, title="")], at=NOW) == 1
    assert list(record.items()) == [item(1), item(2, title="")]


def test_many_items_go_in_several_transactions(record):
    assert record.put_items((item(n) for n in range(4_500)), at=NOW) == 4_500
    assert len(list(record.items())) == 4_500
    assert record.item_version() == 3


def test_what_changed_is_read_in_pages(record):
    record.put_items((item(n) for n in range(4_500)), at=NOW)
    changed = record.changed_items(0)
    first = [next(changed) for _ in range(10)]
    # Of the first page and of the last: neither what was read nor what is to come is held.
    record.put_items([item(20, title="面"), item(4_400, title="米")], at=NOW)
    told = [*first, *changed]
    titles = {one.item_id: one.title for one in told}
    assert len(told) == 4_500 + 1, "only what was read before it changed comes twice"
    assert (titles["item-1020"], titles["item-5400"]) == ("面", "米")
    assert len(list(record.items())) == 4_500


def test_pages_end_in_the_middle_of_a_version_and_between_two(record):
    sizes = (1_500, 500, 2_000, 700)
    names = iter(range(sum(sizes)))
    for size in sizes:
        record.put_items([item(next(names)) for _ in range(size)], at=NOW)
    told = [one.item_id for one in record.changed_items(0)]
    assert sorted(told) == sorted(f"item-{1000 + n}" for n in range(sum(sizes)))
    assert len(list(record.changed_items(2))) == 2_700


def test_an_item_that_no_json_can_hold_is_refused():
    with pytest.raises(InvalidItem, match="item item-1001 cannot be written as JSON"):
        item_body(item(1, title="\ud800"))


def test_items_are_switched_off_and_on_and_the_others_named(record):
    record.put_items([item(1), item(2)], at=NOW)
    version = record.item_version()
    assert record.switch_items(["item-1001", "item-9"], available=False, at=NOW) == ["item-9"]
    assert [one.available for one in record.changed_items(version)] == [False]
    assert record.switch_items(["item-1001"], available=True, at=NOW) == []
    assert record.items_of(["item-1001", "item-9"]) == {"item-1001": item(1)}
    assert record.item_version() == version + 2


def test_switching_to_what_an_item_is_already_changes_nothing(record):
    record.put_items([item(1)], at=NOW)
    version = record.item_version()
    record.switch_items(["item-1001"], available=True, at=NOW)
    assert record.item_version() == version
