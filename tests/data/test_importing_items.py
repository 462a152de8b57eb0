from datetime import UTC, datetime

import polars as pl
import pytest

from data.importing_items import take_items
from data.mapping_read import load_mapping
from data.reading import LINE
from recsys.catalog import Item, Kind
from tests.imported import mapping_of

BASE = 'name = "goods"\nof = "items"\n'
FIELDS = '[fields]\nitem_id = "id"\nkind = { constant = "product" }\n'


def taken(folder, text, rows):
    table = pl.DataFrame(rows).with_row_index(LINE, 1).cast({LINE: pl.Int64})
    return take_items(table, load_mapping(mapping_of(folder, text)))


def one(folder, field, value, text=BASE + FIELDS):
    found = taken(folder, f"{text}{field}\n", {"id": ["item-1001"], "c": [value]})
    return found.items, [row[3] for row in found.bad.rows()]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ('title = "c"', "婴儿辅食", {"title": "婴儿辅食"}),
        ('title = "c"', "", {}),
        ('tags = "c"', ["a", "", "b"], {"tags": ("a", "b")}),
        ('tags = "c"', "a", {"tags": ("a",)}),
        ('tags = "c"', None, {}),
        ('tags = { column = "c", split = ",", prefix = "t-" }', "1, 2,", {"tags": ("t-1", "t-2")}),
        ('tags = { column = "c", split = "|", missing = ["0"] }', "0|1", {"tags": ("1",)}),
        ('tags = { constant = "a" }', "", {"tags": ("a",)}),
        ('category = { columns = ["c", "id"] }', 33, {"category": ("33", "item-1001")}),
        ('cards = { column = "c", split = " ", prefix = "p-" }', "7 9", {"cards": ("p-7", "p-9")}),
        ('creator_id = { column = "c", prefix = "by-" }', 7.0, {"creator_id": "by-7"}),
        ('price_minor = { column = "c", unit = "yuan" }', 21.8, {"price_minor": 2_180}),
        ('price_minor = "c"', "2180", {"price_minor": 2_180}),
        ('stock = "c"', 0, {"stock": 0}),
        ('duration_s = { column = "c", unit = "ms" }', 12_500, {"duration_s": 12.5}),
        ('available = "c"', False, {"available": False}),
        ('durable = "c"', "1", {"durable": True}),
        ('durable = { column = "c", values = { food = false } }', "food", {"durable": False}),
        ('published_at = "c"', "2026-01-01", {"published_at": datetime(2026, 1, 1, tzinfo=UTC)}),
        ('attributes = { brand = "c" }', "x", {"attributes": {"brand": "x"}}),
        ('attributes = { brand = "c", id = "id" }', None, {"attributes": {"id": "item-1001"}}),
        ('attributes = "c"', '{"a": 1, "b": null}', {"attributes": {"a": "1"}}),
        ('title = [{ column = "c", where = "c != \'x\'" }, "id"]', "x", {"title": "item-1001"}),
    ],
)
def test_values_are_read_as_the_mapping_says(tmp_path, field, value, expected):
    items, reasons = one(tmp_path, field, value)
    assert items == [Item(item_id="item-1001", kind=Kind.PRODUCT, **expected)]
    assert reasons == []


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ('title = "c"', "x" * 301, "title is too long, got 301; allowed: 300"),
        ('tags = "c"', ["x" * 65], "tags is too long, got 65 characters; allowed: up to 64"),
        ('tags = "c"', ["a\nb"], "tags has unprintable characters"),
        ('price_minor = "c"', -1, "price_minor is out of range, got -1; allowed: 0 to 10^12"),
        ('price_minor = "c"', "cheap", "price_minor is not a number, got cheap"),
        ('price_minor = "c"', 1.5, "price_minor is not a whole number, got 1.5"),
        ('durable = "c"', "perhaps", "durable is unknown, got perhaps; allowed: true, false, 1, 0"),
        ('published_at = "c"', "soon", "published_at is no time, got soon; allowed: ISO 8601"),
        ('attributes = "c"', "{x}", "attributes is no JSON"),
        ('attributes = "c"', "x", "attributes is no object, got x"),
    ],
)
def test_bad_values_are_told_with_their_reason(tmp_path, field, value, reason):
    items, reasons = one(tmp_path, field, value)
    assert items == []
    assert [told[: len(reason)] for told in reasons] == [reason]


def test_the_kind_may_come_from_a_column(tmp_path):
    text = BASE + '[fields]\nitem_id = "id"\nkind = { column = "k", values = { v = "video" } }\n'
    found = taken(tmp_path, text, {"id": ["item-1001", "item-1002", None], "k": ["v", "w", "v"]})
    assert [item.kind for item in found.items] == [Kind.VIDEO]
    assert sorted(found.bad.select(LINE, "field").rows()) == [(2, "kind"), (3, "item_id")]


def test_rows_the_mapping_leaves_out_are_skipped(tmp_path):
    text = BASE + 'where = "n > 1"\n' + FIELDS
    found = taken(tmp_path, text, {"id": ["item-1001", "item-1002", "item-1003"], "n": "12x"})
    assert [item.item_id for item in found.items] == []
    rows = {"id": ["item-1001", "item-1002", "item-1003"], "n": ["1", "2", "x"]}
    found = taken(tmp_path, text, rows)
    assert [item.item_id for item in found.items] == ["item-1002"]
    assert (found.read, found.skipped) == (3, 1)
    assert found.bad["reason"].to_list() == ["n is not a number, got x; a condition asks"]
