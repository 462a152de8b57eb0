from datetime import UTC, datetime

import polars as pl
import pytest

from data.mapping_events import take_events
from data.mapping_read import load_mapping
from data.reading import LINE
from recsys.events import LATEST_AT
from tests.imported import mapping_of

BASE = 'name = "log"\nof = "events"\n'
FIELDS = '[fields]\nuser_id = "u"\nitem_id = "i"\n'
VIEW = 'type = { constant = "view" }\n'
DAY_MS = 1_767_225_600_000  # 2026-01-01, UTC


def taken(folder, text, rows, latest_at=LATEST_AT):
    table = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows)
    mapping = load_mapping(mapping_of(folder, text))
    return take_events(
        table.with_row_index(LINE, 1).cast({LINE: pl.Int64}), mapping, latest_at=latest_at
    )


def values(folder, field, column, latest_at=LATEST_AT):
    """What a field becomes, and what is told about bad values."""
    text = BASE + FIELDS + VIEW + f"at = {{ column = 't', unit = 'ms' }}\n{field}\n"
    n = len(column)
    rows = pl.DataFrame({"u": ["user-5001"] * n, "i": ["item-1001"] * n, "t": [DAY_MS] * n})
    found = taken(folder, text, rows.with_columns(pl.Series("c", column)), latest_at)
    name = field.split(" ", 1)[0]
    return found.events[name].to_list(), [row[3] for row in found.bad.rows()]


def times(folder, spec, column, latest_at=LATEST_AT):
    text = BASE + FIELDS + VIEW + f"at = {spec}\n"
    n = len(column)
    rows = pl.DataFrame({"u": ["user-5001"] * n, "i": ["item-1001"] * n, "c": column})
    found = taken(folder, text, rows, latest_at)
    return found.events["at_ms"].to_list(), [row[3] for row in found.bad.rows()]


@pytest.mark.parametrize(
    ("spec", "column"),
    [
        ('{ column = "c", unit = "ms" }', [DAY_MS]),
        ('{ column = "c", unit = "s" }', [DAY_MS // 1000]),
        ('{ column = "c", unit = "s" }', [f"{DAY_MS // 1000}"]),
        ('{ column = "c", unit = "s" }', [DAY_MS / 1000]),
        ('"c"', ["2026-01-01T00:00:00Z"]),
        ('"c"', ["2026-01-01T08:00:00.000+08:00"]),
        ('"c"', ["2026-01-01"]),
        ('{ column = "c", zone = "Asia/Shanghai" }', ["2026-01-01 08:00:00"]),
        ('{ column = "c", zone = "Asia/Shanghai" }', ["2026-01-01T08:00:00.0"]),
        ('{ column = "c", format = "%Y%m%d" }', [20260101]),
        (
            '{ column = "c", format = "%d/%m/%Y %H:%M", zone = "Asia/Shanghai" }',
            ["01/01/2026 08:00"],
        ),
        ('{ column = "c", format = "%Y-%m-%d %H:%M %z" }', ["2026-01-01 08:00 +0800"]),
        ('"c"', [datetime(2026, 1, 1)]),
        ('"c"', [datetime(2026, 1, 1).date()]),
        ('{ column = "c", zone = "Asia/Shanghai" }', [datetime(2026, 1, 1, 8)]),
        ('"c"', [datetime(2026, 1, 1, tzinfo=UTC)]),
        ('{ constant = "2026-01-01" }', [0]),
    ],
)
def test_times_are_read_as_the_mapping_says(tmp_path, spec, column):
    assert times(tmp_path, spec, column) == ([DAY_MS], [])


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ('{ column = "c", unit = "ms" }', 0),  # the first of January 1970
        ('{ column = "c", unit = "ms" }', -5),
        ('{ column = "c", unit = "ms" }', DAY_MS // 1000),  # seconds for milliseconds
        ('{ column = "c", unit = "s" }', DAY_MS),  # milliseconds for seconds
        ('{ column = "c", unit = "ms" }', DAY_MS + 10 * 365 * 86_400_000),  # ten years ahead
        ('{ column = "c", unit = "ms" }', float("nan")),
        ('{ column = "c", unit = "ms" }', float("inf")),
        ('{ column = "c", unit = "ms" }', 2**62),
        ('{ column = "c", unit = "s" }', "soon"),
        ('{ column = "c", unit = "s" }', "nan"),
        ('"c"', "1999-12-31T23:59:59Z"),
        ('"c"', "2026-13-01"),
        ('"c"', "0000-00-00 00:00:00"),
        ('"c"', datetime(1970, 1, 1)),
        ('{ column = "c", zone = "America/New_York" }', "2026-03-08 02:30:00"),  # never was
        ('{ column = "c", unit = "ms" }', None),
        ('"c"', ""),
    ],
)
def test_times_that_cannot_be_are_bad_with_their_reason(tmp_path, spec, value):
    latest_at = datetime(2026, 6, 1, tzinfo=UTC)
    kept, reasons = times(tmp_path, spec, [value], latest_at)
    assert kept == []
    assert len(reasons) == 1
    assert reasons[0].startswith(
        ("at is out of range", "at is no time", "at is not a", "at is miss")
    )


@pytest.mark.parametrize(
    ("field", "column", "expected"),
    [
        ('play_s = "c"', [1.5, "2"][:1], [1.5]),
        ('play_s = { column = "c", unit = "ms" }', [1_500], [1.5]),
        ('dwell_s = { column = "c", unit = "min" }', ["2"], [120]),
        ("duration_s = { constant = 18 }", [0], [18]),
        ('amount_minor = "c"', [1_250], [1_250]),
        ('amount_minor = { column = "c", unit = "fen" }', ["1250"], [1_250]),
        ('amount_minor = { column = "c", unit = "yuan" }', [12.1], [1_210]),
        ('quantity = "c"', [2.0], [2]),
        ('quantity = { column = "c", missing = ["-1"] }', [-1, 3], [None, 3]),
        ('position = "c"', ["", "0"], [None, 0]),
        ('order_id = { column = "c", prefix = "o-" }', [7.0, None], ["o-7", None]),
        ('choice = { column = "c", values = { a = "red" } }', ["a", "b"], ["red", "b"]),
        ('platform = "c"', ["Douyin", None], ["douyin", None]),
        ('platform = { column = "c", values = { 1 = "channels" } }', [1], ["channels"]),
        ('list_id = { column = "c", where = "c != 3" }', [3, 4], [None, "4"]),
        ('props = { tab = "c" }', [3, None], ['{"tab":3}', None]),
        ('props = "c"', ['{"a": 1}', ""], ['{"a": 1}', None]),
    ],
)
def test_values_are_read_as_the_mapping_says(tmp_path, field, column, expected):
    assert values(tmp_path, field, column) == (expected, [])


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ('play_s = "c"', "long", "play_s is not a number, got long"),
        ('play_s = "c"', -1.5, "play_s is out of range, got -1.5; allowed: 0 to 86400"),
        ('play_s = "c"', float("nan"), "play_s is out of range, got NaN; allowed: 0 to 86400"),
        ('play_s = { column = "c", unit = "ms" }', 10**9, "play_s is out of range, got 1000000000"),
        ('quantity = "c"', 2.5, "quantity is not a whole number, got 2.5"),
        ('quantity = "c"', True, "quantity is not a number, got true"),
        ('quantity = "c"', 0, "quantity is out of range, got 0; allowed: 1 to 1e+06"),
        ('amount_minor = { column = "c", unit = "yuan" }', -1, "amount_minor is out of range"),
        ('order_id = "c"', "x" * 65, "order_id is too long, got 65 characters; allowed: up to 64"),
        ('order_id = "c"', "a\u200bb", "order_id has unprintable characters, got a\u200bb"),
        ('choice = "c"', "a\tb", "choice has unprintable characters"),
        ('platform = "c"', "tv", "platform is unknown, got tv; allowed: douyin, channels"),
        (
            'platform = { column = "c", values = { 1 = "channels" } }',
            2,
            "platform is unknown, got 2; allowed: 1",
        ),
        ('event_id = "c"', "", "event_id is missing, got nothing"),
        ('kind = "c"', "note", "kind is unknown, got note; allowed: product, video"),
        ('kind = "c"', "", "kind is missing, got nothing"),
        ('props = { a = "c" }', "x" * 1_100, "props is too large, got 1108 bytes; allowed: 1024"),
        ('props = "c"', "tab=3", "props is no object, got tab=3"),
        (
            'choice = [{ constant = "a", where = "c < 3" }, { constant = "b" }]',
            "x",
            "c is not a number, got x; a condition asks",
        ),
    ],
)
def test_bad_values_are_told_with_their_reason(tmp_path, field, value, reason):
    kept, reasons = values(tmp_path, field, [value])
    assert kept == []
    assert [told[: len(reason)] for told in reasons] == [reason]


@pytest.mark.parametrize("user_id", [None, "", "x" * 129, "a\nb"])
def test_persons_and_items_are_checked_like_events_are(tmp_path, user_id):
    text = BASE + "undated = true\n" + FIELDS + VIEW
    found = taken(tmp_path, text, {"u": [user_id, "user-5001"], "i": ["item-1001"] * 2})
    assert found.events["user_id"].to_list() == ["user-5001"]
    assert found.bad.select(LINE, "field").rows() == [(1, "user_id")]


def test_the_prefix_of_an_id_may_depend_on_a_condition(tmp_path):
    text = (
        BASE
        + "undated = true\n"
        + FIELDS.replace(
            '"u"',
            '[{ column = "u", prefix = "both-", where = "u < 3" }, "u"]',
        )
    )
    found = taken(tmp_path, text + VIEW, {"u": [2, 3], "i": ["item-1001"] * 2})
    assert found.events["user_id"].to_list() == ["both-2", "3"]
    assert found.events["at_ms"].to_list() == [None, None]


def test_one_row_may_mean_several_events(tmp_path):
    text = (
        BASE
        + "undated = true\n"
        + FIELDS
        + (
            '[[behaviours]]\ntype = { constant = "impression" }\n'
            '[[behaviours]]\nwhere = "seen > 0"\ntype = { constant = "play" }\nplay_s = "seen"\n'
            '[[behaviours]]\nwhere = "liked == 1"\ntype = { constant = "like" }\n'
        )
    )
    rows = {
        "u": ["user-5001"] * 2,
        "i": ["item-1001", "item-1002"],
        "seen": [0, 9],
        "liked": [1, 1],
    }
    found = taken(tmp_path, text, rows)
    assert found.events.select("item_id", "type", "play_s").rows() == [
        ("item-1001", 0, None),
        ("item-1001", 2, None),
        ("item-1002", 0, None),
        ("item-1002", 1, 9.0),
        ("item-1002", 2, None),
    ]
    assert (found.read, found.skipped, found.bad.height) == (2, 0, 0)


def test_a_line_with_one_bad_event_gives_none(tmp_path):
    text = (
        BASE
        + "undated = true\n"
        + FIELDS
        + (
            '[[behaviours]]\ntype = { constant = "impression" }\n'
            '[[behaviours]]\ntype = { constant = "play" }\nplay_s = "seen"\n'
        )
    )
    rows = {"u": ["user-5001"] * 2, "i": ["item-1001"] * 2, "seen": [-1, 9]}
    found = taken(tmp_path, text, rows)
    assert found.events["type"].to_list() == [0, 1]
    assert found.bad.rows() == [
        (1, "play_s", "-1", "play_s is out of range, got -1; allowed: 0 to 86400")
    ]


LISTS = BASE + (
    'undated = true\n[fields]\nuser_id = "u"\n'
    '[[behaviours]]\neach = "seen"\nwithout = "long"\ntype = { constant = "play" }\n'
    'item_id = { column = "seen", prefix = "video-" }\n'
    '[[behaviours]]\neach = "long"\ntype = { constant = "play" }\nplay_s = { constant = 18 }\n'
    'item_id = { column = "long", prefix = "video-" }\n'
)
PLAYED = [
    ("user-5001", "video-7", None),
    ("user-5001", "video-5", None),
    ("user-5001", "video-7", None),
    ("user-5001", "video-9", 18.0),
    ("user-5002", "video-1", 18.0),
]


def test_lists_are_taken_apart_in_order(tmp_path):
    rows = {
        "u": ["user-5001", "user-5002", "user-5003"],
        "seen": [[7, 9, 5, 7], [1], None],
        "long": [[9], [1], []],
    }
    found = taken(tmp_path, LISTS, rows)
    assert found.events.select("user_id", "item_id", "play_s").rows() == PLAYED
    assert (found.read, found.bad.height) == (3, 0)


def test_lists_may_be_written_as_text(tmp_path):
    text = LISTS.replace("each =", 'split = "|"\neach =')
    rows = {"u": ["user-5001", "user-5002"], "seen": ["7|9|5|7", "1"], "long": ["9", "1"]}
    found = taken(tmp_path, text, rows)
    assert found.events.select("user_id", "item_id", "play_s").rows() == PLAYED


def test_lists_may_be_taken_apart_together(tmp_path):
    text = BASE + (
        '[fields]\nuser_id = "u"\ntype = { constant = "view" }\n'
        '[[behaviours]]\neach = ["i", "t"]\nitem_id = "i"\nat = { column = "t", unit = "ms" }\n'
    )
    rows = {
        "u": ["user-5001", "user-5002"],
        "i": [["a", "b"], ["c"]],
        "t": [[DAY_MS, DAY_MS + 1], []],
    }
    found = taken(tmp_path, text, rows)
    assert found.events.select("item_id", "at_ms").rows() == [("a", DAY_MS), ("b", DAY_MS + 1)]
    assert found.bad["reason"].to_list() == ["i and t differ in length, got 1 and 0"]


LINES = BASE + (
    'undated = true\n[fields]\nuser_id = "u"\n[[behaviours]]\neach = ["sku", "state"]\n'
    "where = \"state == 3 and paid == 'yes'\"\n"
    'type = { constant = "refund" }\nitem_id = "sku"\n'
)


def test_a_condition_on_a_list_is_asked_of_its_elements(tmp_path):
    rows = {
        "u": ["user-5001", "user-5002"],
        "sku": [["a", "b", "c"], ["d"]],
        "state": [["3", None, "3"], ["3"]],
        "paid": ["yes", "no"],
    }
    found = taken(tmp_path, LINES, rows)
    assert found.events.select("user_id", "item_id").rows() == [
        ("user-5001", "a"),
        ("user-5001", "c"),
    ]
    assert found.bad.height == 0


def test_an_element_that_is_no_number_where_one_is_asked_costs_its_line(tmp_path):
    rows = {"u": ["user-5001"], "sku": [["a", "b"]], "state": [["3", "done"]], "paid": ["yes"]}
    found = taken(tmp_path, LINES, rows)
    assert found.events.height == 0
    assert found.bad.select(LINE, "reason").rows() == [
        (1, "state is not a number, got done; a condition asks")
    ]


def test_a_list_of_which_nothing_is_said_is_told_as_shorter(tmp_path):
    rows = {"u": ["user-5001"], "sku": [["a"]], "state": pl.Series([None], dtype=pl.String)}
    found = taken(tmp_path, LINES, pl.DataFrame(rows | {"paid": ["yes"]}))
    assert found.bad["reason"].to_list() == ["sku and state differ in length, got 1 and 0"]


def test_a_list_that_is_none_is_told(tmp_path):
    text = BASE + "undated = true\n" + FIELDS + VIEW + '[[behaviours]]\neach = "i"\n'
    found = taken(tmp_path, text, {"u": ["user-5001"], "i": ["7,9"]})
    assert found.bad["reason"].to_list() == ["i is no list, got 7,9"]


def test_a_bad_element_costs_its_line(tmp_path):
    rows = {"u": ["user-5001", "user-5002"], "seen": [["7", "\t"], ["8"]], "long": [[], []]}
    schema = {"u": pl.String, "seen": pl.List(pl.String), "long": pl.List(pl.String)}
    found = taken(tmp_path, LISTS, pl.DataFrame(rows, schema=schema))
    assert found.events["item_id"].to_list() == ["video-8"]
    assert found.bad.select(LINE, "field").rows() == [(1, "item_id")]


def test_rows_the_mapping_leaves_out_are_skipped_not_bad(tmp_path):
    text = BASE + 'undated = true\nwhere = "label == 1"\n' + FIELDS + VIEW
    rows = {"u": ["user-5001"] * 4, "i": ["a", "b", "c", "d"], "label": ["1", "0", "", "x"]}
    found = taken(tmp_path, text, rows)
    assert found.events["item_id"].to_list() == ["a"]
    assert (found.read, found.skipped) == (4, 2)
    assert found.bad.select(LINE, "reason").rows() == [
        (4, "label is not a number, got x; a condition asks")
    ]
