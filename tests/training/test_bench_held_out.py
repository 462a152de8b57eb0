"""A validation is cut from what is learned and knows nothing of the test."""

import numpy as np
import polars as pl
import pytest

from tests.training.small_sets import (
    ALL,
    asked,
    trials_of,
)
from training.bench_sets import trials

HELD_OUT = [
    ("cf_x", "test", "item", pl.lit(True)),
    ("mb_x", "test_buy", "item", pl.lit(True)),
    ("sv_x", "log_valid_0102", "video_id", pl.lit(True)),
    ("xd_x", "song_book_test", "item", pl.lit(True)),
    ("nbr_x", "baskets", "item", pl.col("is_future")),
    ("session_x", "test_prefix_target", "target", pl.lit(True)),
    ("retail_x", "y2026", "stock_code", pl.col("invoice").str.starts_with("D")),
]


def turned(folder, table, column, chosen):
    """Give the values of the chosen rows to one another, so that no id comes or goes."""
    path = folder / f"{table}.parquet"
    frame = pl.read_parquet(path).with_row_index()
    some = frame.filter(chosen)
    others = some.with_columns(pl.Series(column, [*some[column][1:], some[column][0]]))
    frame = pl.concat([frame.filter(~chosen), others]).sort("index").drop("index")
    frame.write_parquet(path)


@pytest.mark.parametrize(("name", "table", "column", "chosen"), HELD_OUT)
def test_validation_knows_nothing_of_the_test(tmp_path, name, table, column, chosen):
    folder = ALL[name](tmp_path / name)
    before = trials(folder)
    turned(folder, table, column, chosen)
    after = trials(folder)
    assert [asked(trial) for trial in before] != [asked(trial) for trial in after]
    for one, other in zip(before, after, strict=True):
        cut, again = one.validation(5), other.validation(5)
        assert asked(cut) == asked(again)
        assert np.array_equal(cut.train.items, again.train.items)
        assert np.array_equal(cut.train.weights, again.train.weights)
        assert np.array_equal(cut.known.items, again.known.items)


@pytest.mark.parametrize("name", ["cf_x", "mb_x", "sv_x", "nbr_x"])
def test_what_is_to_be_found_in_a_validation_was_taken_out(tmp_path, name):
    trial = trials_of(name, tmp_path)[0]
    cut = trial.validation(2)
    n_targets = sum(map(len, cut.targets))
    assert n_targets > 0
    assert len(cut.train.acts.events) <= len(trial.train.acts.events) - n_targets
    for excluded, targets in zip(cut.excluded, cut.targets, strict=True):
        assert not np.isin(targets, excluded).any()


def test_a_validation_has_none_of_its_own(tmp_path):
    (trial,) = trials_of("cf_x", tmp_path)
    with pytest.raises(ValueError, match="is itself cut from a trial"):
        trial.validation(1).validation(1)
