import json
import random

import pytest

from data.home import Home
from data.lake import Lake
from data.record import Record
from recsys.catalog import Kind
from recsys.errors import ConfigError, TooManyBadRows
from tests.imported import (
    LOG,
    START_MS,
    acts,
    bring,
    csv_of,
    line,
    log_of,
    mapping_of,
    past_of,
    told,
)

WITH_IDS = LOG.replace("[fields]", '[fields]\nevent_id = "item"')


def n_events(folder) -> int:
    return len(past_of(folder).histories.events)


def state(folder) -> dict[str, bytes]:
    """Every file of a home but the record's."""
    home = folder / "home"
    files = (path for path in home.rglob("*") if path.is_file() and "record" not in path.name)
    return {str(path.relative_to(home)): path.read_bytes() for path in files}


def items(folder) -> dict[str, Kind]:
    return {item.item_id: item.kind for item in Lake(Home(folder / "home").lake).read_items()}


def test_events_end_in_everybodys_history_oldest_first(tmp_path):
    lines = [
        f"user-5001,item-1002,buy,{START_MS + 90_000_000},",
        f"user-5002,item-1001,watch,{START_MS},3.5",
        f"user-5001,item-1001,watch,{START_MS},2",
    ]
    report = bring(tmp_path, LOG, csv_of(tmp_path / "log.csv", lines))
    assert (report.read, report.loaded, report.events, report.items) == (3, 3, 3, 2)
    assert acts(tmp_path, "user-5001") == [
        ("item-1001", "play", START_MS),
        ("item-1002", "order", START_MS + 90_000_000),
    ]
    assert past_of(tmp_path).of_user("user-5002").value.tolist() == [3.5]
    assert len(past_of(tmp_path).of_user("item-1001")) == 0


def test_items_no_catalogue_names_are_added_with_the_kind_the_mapping_says(tmp_path):
    bring(tmp_path, LOG, log_of(tmp_path / "log.csv", 40))
    assert len(items(tmp_path)) == 31
    assert set(items(tmp_path).values()) == {Kind.VIDEO}


def test_without_a_kind_no_item_is_added(tmp_path):
    text = LOG.replace('kind = { constant = "video" }', "")
    assert bring(tmp_path, text, log_of(tmp_path / "log.csv", 5)).items == 0
    assert items(tmp_path) == {}


def test_an_item_that_is_known_keeps_what_is_known(tmp_path):
    goods = 'name = "g"\nof = "items"\n[fields]\nitem_id = "i"\nkind = { constant = "product" }\n'
    catalogue = tmp_path / "goods.csv"
    catalogue.write_text("i\nitem-1001\n")
    assert bring(tmp_path, goods, catalogue).items == 1
    bring(tmp_path, LOG, log_of(tmp_path / "log.csv", 40))
    assert items(tmp_path)["item-1001"] is Kind.PRODUCT
    assert items(tmp_path)["item-1002"] is Kind.VIDEO


def test_the_same_file_again_changes_nothing_and_says_so(tmp_path):
    log = log_of(tmp_path / "log.csv", 500)
    bring(tmp_path, LOG, log)
    before = state(tmp_path)
    report = bring(tmp_path, LOG + "\n# said otherwise", log.rename(tmp_path / "other.csv"))
    assert report.already == ("other.csv",)
    assert (report.read, report.events) == (0, 0)
    assert state(tmp_path) == before


def test_the_same_file_twice_in_one_go_counts_once(tmp_path):
    log = log_of(tmp_path / "log.csv", 500)
    assert bring(tmp_path, LOG, log, log).already == ("log.csv",)
    assert n_events(tmp_path) == 500


def test_a_log_that_grew_adds_only_its_new_lines(tmp_path):
    bring(tmp_path, LOG, log_of(tmp_path / "monday.csv", 500))
    bring(tmp_path, LOG, log_of(tmp_path / "tuesday.csv", 800))
    assert n_events(tmp_path) == 800


def test_equal_lines_of_a_file_are_different_events(tmp_path):
    lines = [line(1), line(2), line(1), line(1)]
    bring(tmp_path, LOG, csv_of(tmp_path / "log.csv", lines))
    assert n_events(tmp_path) == 4
    bring(tmp_path, LOG, csv_of(tmp_path / "more.csv", [*lines, line(1)]))
    assert n_events(tmp_path) == 5


def test_two_sources_never_share_an_event(tmp_path):
    log = log_of(tmp_path / "log.csv", 100)
    bring(tmp_path, LOG, log)
    bring(tmp_path, LOG.replace('name = "log"', 'name = "other"'), log)
    assert n_events(tmp_path) == 200


def test_several_files_come_in_together_or_not_at_all(tmp_path):
    good, bad = log_of(tmp_path / "good.csv", 300), csv_of(tmp_path / "bad.csv", ["x"] * 4)
    with pytest.raises(TooManyBadRows, match=r"4 of 304 lines are bad; allowed: 1.00%"):
        bring(tmp_path, LOG, good, bad)
    assert Lake(Home(tmp_path / "home").lake).manifest().rows == 0
    assert bring(tmp_path, LOG, good, bad, max_bad=0.02).loaded == 300
    assert n_events(tmp_path) == 300


def test_nothing_is_published_above_the_limit(tmp_path):
    log = csv_of(tmp_path / "log.csv", [line(1), "x,y", line(2)])
    with pytest.raises(TooManyBadRows, match="1 of 3 lines are bad"):
        bring(tmp_path, LOG, log)
    assert not list((tmp_path / "home" / "lake").rglob("*.parquet"))
    assert not (tmp_path / "home" / "histories").exists()
    assert [row["line"] for row in told(tmp_path)] == [3]
    assert bring(tmp_path, LOG, log, max_bad=0.5).events == 2


def test_a_file_of_one_bad_line_is_not_published_at_zero(tmp_path):
    with pytest.raises(TooManyBadRows):
        bring(tmp_path, LOG, csv_of(tmp_path / "log.csv", ["x"]), max_bad=0.0)


def test_a_wrong_file_leaves_the_home_as_it_was(tmp_path):
    bring(tmp_path, LOG, log_of(tmp_path / "log.csv", 50))
    before = state(tmp_path)
    other = tmp_path / "other.csv"
    other.write_text("user,item\na,b\n")
    with pytest.raises(ConfigError, match="other.csv has no column act, ms, seconds"):
        bring(tmp_path, LOG, log_of(tmp_path / "more.csv", 70), other)
    assert state(tmp_path) == before


def test_nothing_to_import_is_told(tmp_path):
    with pytest.raises(ConfigError, match="there is nothing to import"):
        bring(tmp_path, LOG)


def test_the_future_is_no_history(tmp_path):
    ahead = f"user-5001,item-1001,watch,{START_MS + 10 * 365 * 86_400_000},1"
    log = csv_of(tmp_path / "log.csv", [line(1), ahead])
    bring(tmp_path, LOG, log, max_bad=1.0)
    assert n_events(tmp_path) == 1
    (row,) = told(tmp_path)
    assert row["reason"].startswith("at is out of range")
    assert (row["line"], row["field"], row["file"]) == (3, "at", "log.csv")


def test_steps_are_told_while_they_are_done(tmp_path):
    steps = []
    bring(
        tmp_path, LOG, log_of(tmp_path / "log.csv", 50), progress=lambda *step: steps.append(step)
    )
    assert ("reading", 50, None) in steps
    assert ("sorting", 50, 50) in steps
    assert steps[-1] == ("histories", 50, 50)


def test_histories_are_made_good_if_an_import_ended_before_them(tmp_path):
    log = log_of(tmp_path / "log.csv", 50)
    bring(tmp_path, LOG, log)
    (tmp_path / "home" / "histories" / "current").unlink()
    assert bring(tmp_path, LOG, log).already == ("log.csv",)
    assert n_events(tmp_path) == 50


BAD = {
    "x": "fields",
    f"user-5001,item-1001,watch,{START_MS},1,2,3": "fields",
    f'"user-5001,item-1001,watch,{START_MS},1': "CSV",
    f",item-1001,watch,{START_MS},1": "user_id is missing",
    f"user-5001,item-1001,sing,{START_MS},1": "type is unknown",
    "user-5001,item-1001,watch,1767225600,1": "at is out of range",
    f"user-5001,item-1001,watch,{START_MS},much": "play_s is not a number",
    f"user-5001,item-{'9' * 130},watch,{START_MS},1": "item_id is too long",
}


@pytest.mark.parametrize("n", [100_000, pytest.param(1_000_000, marks=pytest.mark.nightly)])
def test_one_bad_line_in_twenty_and_only_it_is_quarantined(tmp_path, n):
    rng = random.Random(1)
    # Each line is some seconds later: a million of them would lie ahead of the clock.
    lines = [line(number % 100_000) for number in range(n)]
    places = rng.sample(range(n), n // 20)
    for number, place in enumerate(places):
        lines[place] = list(BAD)[number % 8]
    report = bring(tmp_path, LOG, csv_of(tmp_path / "log.csv", lines), max_bad=0.05)
    assert (report.read, report.loaded, report.quarantined) == (n, n - n // 20, n // 20)
    assert n_events(tmp_path) == n - n // 20
    rows = told(tmp_path)
    assert [row["line"] for row in rows] == sorted(place + 2 for place in places)
    assert all(BAD[lines[row["line"] - 2]] in row["reason"] for row in rows)


def test_import_and_record_keep_to_their_own_events(tmp_path):
    """What the record holds comes into the lake by `cycle`, not by an import."""
    bring(tmp_path, LOG, log_of(tmp_path / "log.csv", 20))
    record = Record.open(Home(tmp_path / "home").record_path)
    assert record.last_seq() == 0
    record.close()
    assert past_of(tmp_path).record_seq == 0


def test_a_mapping_of_items_puts_them_into_the_record(tmp_path):
    text = 'name = "g"\nof = "items"\n[fields]\nitem_id = "id"\nkind = "kind"\ntags = "tags"\n'
    rows = [{"id": "item-1001", "kind": "video", "tags": ["a", "b"]}, {"id": "", "kind": "video"}]
    goods = tmp_path / "goods.jsonl"
    goods.write_text("\n".join(map(json.dumps, rows)))
    report = bring(tmp_path, text, goods, max_bad=0.5)
    assert (report.loaded, report.quarantined, report.items) == (1, 1, 1)
    (item,) = Lake(Home(tmp_path / "home").lake).read_items()
    assert item.tags == ("a", "b")
    assert told(tmp_path)[0]["reason"] == "item_id is missing, got nothing; allowed: a value"


def test_a_catalogue_leaves_the_histories_as_they_are(tmp_path):
    bring(tmp_path, LOG, log_of(tmp_path / "log.csv", 20))
    text = 'name = "g"\nof = "items"\n[fields]\nitem_id = "id"\nkind = { constant = "video" }\n'
    goods = tmp_path / "goods.csv"
    goods.write_text("id\nitem-1001\n")
    bring(tmp_path, text, goods)
    versions = (tmp_path / "home" / "histories").glob("v*")
    assert [path.name for path in versions] == ["v00000001"]


def test_columns_that_say_nothing_are_named(tmp_path):
    text = LOG.replace('play_s = "seconds"', 'play_s = "seconds"\norder_id = "odrer"')
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps({"user": "u", "item": "i", "act": "watch", "ms": START_MS}))
    assert bring(tmp_path, text, log).silent == ("odrer", "seconds")


def test_a_bad_catalogue_changes_no_item(tmp_path):
    text = 'name = "g"\nof = "items"\n[fields]\nitem_id = "id"\nkind = { constant = "video" }\n'
    goods = tmp_path / "goods.csv"
    goods.write_text("id\nitem-1001\n\x01\n")
    with pytest.raises(TooManyBadRows):
        bring(tmp_path, text, goods)
    assert items(tmp_path) == {}


def test_a_mapping_file_is_needed(tmp_path):
    with pytest.raises(ConfigError, match="is no valid TOML"):
        bring(tmp_path, "name = ", log_of(tmp_path / "log.csv", 1))
    assert mapping_of(tmp_path).exists()
