import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.runs import NO_DAY, Runs, day_of, person_ranges


def events(*rows: tuple[int, int, int | None]) -> pl.DataFrame:
    schema = {"person": pl.UInt64, "number": pl.Int64, "at_ms": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        day_of(pl.col("at_ms")).alias("day")
    )


def sorted_days(tmp_path, batches, rows_together=1_000):
    runs = Runs(tmp_path, rows_together)
    for batch in batches:
        runs.add(batch)
    return [(day, part.select("person", "at_ms", "number").rows()) for day, part in runs.days()]


def test_days_come_in_order_sorted_by_person_time_and_arrival(tmp_path):
    day = 86_400_000
    batches = [events((9, 1, day), (2, 2, 5), (9, 3, 7)), events((2, 4, 5), (1, 5, None))]
    assert sorted_days(tmp_path, batches) == [
        (NO_DAY, [(1, None, 5)]),
        (0, [(2, 5, 2), (2, 5, 4), (9, 7, 3)]),
        (1, [(9, day, 1)]),
    ]


def test_a_large_day_comes_in_parts_of_whole_persons(tmp_path):
    persons = np.random.default_rng(1).integers(2**63, size=50, dtype=np.uint64) * 2
    batches = [events(*((int(person), n, n) for person in persons)) for n in range(10)]
    parts = [rows for _, rows in sorted_days(tmp_path, batches, rows_together=60)]
    assert len(parts) > 5
    seen = [{person for person, _, _ in rows} for rows in parts]
    assert sum(map(len, seen)) == len(set().union(*seen)) == 50
    assert sum(map(len, parts)) == 500


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_ranges_hold_every_person_once(n):
    persons = pl.DataFrame({"person": [0, 1, 2**63, 2**64 - 1]}, schema={"person": pl.UInt64})
    counts = [persons.filter(of_range).height for of_range in person_ranges(n)]
    assert sum(counts) == 4


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3 * 86_400_000)), max_size=60))
def test_nothing_is_lost_or_doubled(tmp_path_factory, rows):
    numbered = [(person, n, at_ms) for n, (person, at_ms) in enumerate(rows)]
    batches = [events(*numbered[at : at + 7]) for at in range(0, len(rows), 7)]
    days = sorted_days(tmp_path_factory.mktemp("runs"), batches, rows_together=10)
    assert sorted(row[2] for _, part in days for row in part) == list(range(len(rows)))
