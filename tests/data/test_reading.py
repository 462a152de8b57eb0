import json
import re

import polars as pl
import pytest

from data.mapping_fields import Behaviour, Mapping, Origin
from data.reading import LINE, n_rows, read
from recsys.errors import ConfigError, InvalidInput
from tests.imported import batches, packed

ROWS = [{"user": f"user-{5001 + n}", "n": n} for n in range(2_500)]


def mapping(*columns: str, **more) -> Mapping:
    fields = {column: (Origin(columns=(column,)),) for column in columns}
    return Mapping(name="t", of="events", behaviours=(Behaviour(fields=fields),), said={}, **more)


BOTH = mapping("user", "n")


def rows_of(path, of=BOTH, rows=1_000):
    return pl.concat([batch.rows for batch in batches(path, of, rows)])


def bad_of(path, of=BOTH, rows=1_000):
    return [row for batch in batches(path, of, rows) for row in batch.bad.rows()]


def csv_file(folder, text, name="t.csv"):
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def written(folder, how):
    path = folder / f"t.{how}"
    if how == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in ROWS))
    elif how == "csv":
        pl.DataFrame(ROWS).write_csv(path)
    else:
        pl.DataFrame(ROWS).write_parquet(path)
    return path


@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
@pytest.mark.parametrize(("how", "first"), [("csv", 2), ("jsonl", 1), ("parquet", 1)])
def test_every_format_gives_its_rows_with_their_numbers(tmp_path, how, first, packing):
    path = packed(written(tmp_path, how), packing)
    rows = rows_of(path)
    assert rows[LINE].to_list() == list(range(first, first + len(ROWS)))
    assert rows["user"].to_list() == [row["user"] for row in ROWS]
    assert rows["n"].cast(pl.Int64).to_list() == [row["n"] for row in ROWS]
    assert bad_of(path) == []


def test_large_files_come_in_batches(tmp_path):
    sizes = [batch.rows.height for batch in batches(written(tmp_path, "parquet"), BOTH, 1_000)]
    assert sum(sizes) == 2_500
    assert len(sizes) >= 3


def test_only_parquet_knows_its_rows_beforehand(tmp_path):
    assert n_rows(written(tmp_path, "parquet"), BOTH) == 2_500
    assert n_rows(written(tmp_path, "csv"), BOTH) is None


CSV_FAULTS = [
    ("user,n\na,1\nb\nc,3\n", [(3, "the line has 1 fields; allowed: 2, as the header")]),
    ("user,n\na,1,2\n", [(2, "the line has 3 fields; allowed: 2, as the header")]),
    ('user,n\n"a,1\nb,2\n', [(2, "the line is no CSV: unexpected end of data")]),
    ('user,n\n"a"x,1\nb,2\n', [(2, "the line is no CSV: ',' expected after '\"'")]),
    (b"user,n\n\xff\xfe,1\nb,2\n", [(2, "the line is not UTF-8")]),
    ('user,n\n"\ufffd",1\nb,2\n', [(2, "the line is not UTF-8")]),
    ('user,n\nx"y,1\n"c,2\nd,3\ne,"4\n', [(3, "the line is no CSV: unexpected end of data")]),
]


@pytest.mark.parametrize(("text", "expected"), CSV_FAULTS)
def test_bad_lines_of_a_csv_are_told_and_stop_nothing(tmp_path, text, expected):
    bad = bad_of(csv_file(tmp_path, text))
    assert [(number, reason) for number, _, _, reason in bad][: len(expected)] == expected


def test_a_csv_may_quote(tmp_path):
    path = csv_file(tmp_path, 'n,user\n1,"a,b"\n2,"say ""hi"""\n3,"two\nlines"\n4,d\n')
    assert rows_of(path)["user"].to_list() == ["a,b", 'say "hi"', "two\nlines", "d"]
    assert rows_of(path)[LINE].to_list() == [2, 3, 4, 6]


def test_quoted_lines_are_joined_across_batches(tmp_path):
    lines = [f'"user\n{n}",{n}' for n in range(3_000)]
    rows = rows_of(csv_file(tmp_path, "user,n\n" + "\n".join(lines) + "\n"), rows=101)
    assert rows["user"].to_list() == [f"user\n{n}" for n in range(3_000)]
    assert rows[LINE].to_list() == list(range(2, 6_002, 2))


def test_a_quote_that_never_closes_costs_one_line(tmp_path):
    lines = [f"user-{n},{n}" for n in range(3_000)]
    lines[1_000] = '"user-1000,1000'
    path = csv_file(tmp_path, "user,n\n" + "\n".join(lines) + "\n")
    assert [row[0] for row in bad_of(path, rows=100)] == [1_002]
    assert rows_of(path, rows=100).height == 2_999


def test_a_csv_may_have_no_header_and_another_separator(tmp_path):
    of = mapping("user", "n", header=("n", "user"), separator=";")
    rows = rows_of(csv_file(tmp_path, "1;a\n2;b\n"), of)
    assert rows.rows() == [(1, "1", "a"), (2, "2", "b")]


def test_windows_lines_a_byte_order_mark_and_empty_lines_do_no_harm(tmp_path):
    rows = rows_of(csv_file(tmp_path, "\ufeffuser,n\r\na,1\r\n\r\nb,2"))
    assert rows.select(LINE, "user", "n").rows() == [(2, "a", "1"), (4, "b", "2")]


@pytest.mark.parametrize("text", ["a\x01b", "a\rb", "\x01", "a\x00"])
def test_characters_no_text_holds_stay_where_a_check_finds_them(tmp_path, text):
    assert rows_of(csv_file(tmp_path, f"n,user\n1,{text}\n"))["user"].to_list() == [text]


def test_json_values_become_what_a_csv_would_say(tmp_path):
    said = [1, 2.5, True, None, "x", {"a": 1}, [1, "b", [2]]]
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(json.dumps({"user": one, "n": n}) for n, one in enumerate(said)))
    rows = rows_of(path)
    expected = [["1"], ["2.5"], ["true"], None, ["x"], ['{"a": 1}'], ["1", "b", "[2]"]]
    assert rows["user"].to_list() == expected
    assert rows["n"].to_list() == [str(n) for n in range(7)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "the line is no JSON: "),
        ('{"user": NaN}', "the line is no JSON: "),
        ("[1]", "the line is no JSON object"),
        ('{"user": "\udcff"}', "the line is not UTF-8"),
    ],
)
def test_bad_lines_of_json_are_told_and_stop_nothing(tmp_path, line, reason):
    good = '{"user": "a", "n": 1}'
    path = tmp_path / "t.jsonl"
    path.write_text(f"{good}\n\n{line}\n{good}\n", errors="surrogateescape")
    ((number, field, _, told),) = bad_of(path)
    assert (number, field) == (3, "line")
    assert told.startswith(reason)
    assert rows_of(path)[LINE].to_list() == [1, 4]


@pytest.mark.parametrize("how", ["csv", "parquet"])
def test_a_missing_column_is_told_with_those_there_are(tmp_path, how):
    with pytest.raises(ConfigError, match=rf"t\.{how} has no column price; it has: user, n"):
        batches(written(tmp_path, how), mapping("user", "price"))


def test_a_name_that_no_line_of_json_has_says_nothing(tmp_path):
    rows = rows_of(written(tmp_path, "jsonl"), mapping("user", "price"))
    assert rows["price"].null_count() == rows.height == len(ROWS)


ORDER = {"a.b": "whole", "a": {"b": 1, "c": {"d": 2}}, "lines": [{"sku": "x"}, {"n": 3}, 5]}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.c.d", "2"),
        ("a.b", "whole"),  # what is called so is meant before a path
        ("a.c", '{"d": 2}'),
        ("a.b.c", None),
        ("a.x.y", None),
        ("x.y", None),
        ("lines.sku", ["x", None, None]),
        ("lines.n", [None, "3", None]),
        ("lines.sku.x", [None, None, None]),
    ],
)
def test_a_name_with_points_is_a_path_into_json(tmp_path, name, expected):
    path = csv_file(tmp_path, json.dumps(ORDER), "t.jsonl")
    assert rows_of(path, mapping(name))[name].to_list() == [expected]


@pytest.mark.parametrize(("lines", "expected"), [([], []), ([{}], [None]), (None, None)])
def test_a_path_through_a_list_gives_one_value_an_element(tmp_path, lines, expected):
    said = [{"lines": lines}, {"lines": [{"sku": "x"}]}, {}]
    path = csv_file(tmp_path, "\n".join(map(json.dumps, said)), "t.jsonl")
    assert rows_of(path, mapping("lines.sku"))["lines.sku"].to_list() == [expected, ["x"], None]


def test_a_column_named_twice_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"t\.csv names a column twice: user, n, n"):
        batches(csv_file(tmp_path, "user,n,n\n"), BOTH)


def test_an_unclear_format_is_told_unless_the_mapping_says_it(tmp_path):
    path = csv_file(tmp_path, "user,n\na,1\n", name="t.dat")
    with pytest.raises(ConfigError, match=re.escape("the format of t.dat is not clear")):
        batches(path, BOTH)
    assert rows_of(path, mapping("user", "n", format="csv")).height == 1


@pytest.mark.parametrize("name", ["t.parquet", "t.csv.gz", "t.csv.zst", "t.parquet.gz"])
def test_a_damaged_file_is_told(tmp_path, name):
    path = csv_file(tmp_path, b"\x1f\x8b\x28\xb5\x2f\xfdPAR1 not really", name)
    with pytest.raises(InvalidInput, match=rf"{name} cannot be read"):
        batches(path, BOTH)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InvalidInput, match="there is no file"):
        list(read(tmp_path / "none.csv", BOTH, rows=1))


def test_an_empty_file_of_lines_has_no_rows(tmp_path):
    assert rows_of(csv_file(tmp_path, "user,n\n")).height == 0
    assert batches(csv_file(tmp_path, "", "t.jsonl"), BOTH) == []
