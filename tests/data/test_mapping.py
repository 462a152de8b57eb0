import pytest

from data.mapping import held_out
from recsys.errors import ConfigError, TooManyBadRows
from recsys.events import EventType, moment
from tests.imported import START_MS, csv_of, line, mapping_of


def test_held_out_events_come_as_a_table_in_the_files_order(tmp_path):
    lines = [f"user-5002,item-1002,buy,{START_MS + 5},", f"user-5001,item-1001,watch,{START_MS},3"]
    found = held_out(mapping_of(tmp_path), csv_of(tmp_path / "test.csv", lines))
    assert found.rows() == [
        ("user-5002", "item-1002", EventType.ORDER, START_MS + 5),
        ("user-5001", "item-1001", EventType.PLAY, START_MS),
    ]


def test_bad_lines_are_left_out_up_to_the_limit(tmp_path):
    file = csv_of(tmp_path / "test.csv", [line(1), "x"])
    assert held_out(mapping_of(tmp_path), file, max_bad=0.5).height == 1
    with pytest.raises(TooManyBadRows, match=r"test.csv has too many bad lines, got 1 of 2"):
        held_out(mapping_of(tmp_path), file)


def test_items_are_no_events(tmp_path):
    text = 'name = "g"\nof = "items"\n[fields]\nitem_id = "i"\nkind = { constant = "video" }\n'
    with pytest.raises(ConfigError, match="is of items; allowed: events"):
        held_out(mapping_of(tmp_path, text), csv_of(tmp_path / "test.csv", []))


def test_an_empty_file_holds_nothing_out(tmp_path):
    (tmp_path / "test.jsonl").write_text("")
    found = held_out(mapping_of(tmp_path), tmp_path / "test.jsonl")
    assert (found.height, found.columns) == (0, ["user_id", "item_id", "type", "at_ms"])


def test_the_future_may_be_bounded(tmp_path):
    file = csv_of(tmp_path / "test.csv", [line(1)])
    with pytest.raises(TooManyBadRows):
        held_out(mapping_of(tmp_path), file, latest_at=moment(START_MS))
