"""Impressions put in order: on a set where people watch one creator to the end, and by hand."""

import numpy as np
import polars as pl
import pytest

from training.bench_impressions import BASELINE, GAIN, RANKER, aucs, halves, has_both, impressions
from training.bench_log import Shown

N_USERS, N_VIDEOS, N_CREATORS, N_SHOWN = 120, 40, 4, 12
CREATOR = np.arange(N_VIDEOS) % N_CREATORS


def world(folder, *, outcome_of_second=None):
    """Everybody watches their own creator's videos to the end, and likes some of them."""
    rng = np.random.default_rng(3)
    own = np.arange(N_USERS) % N_CREATORS
    watched = [rng.choice(N_VIDEOS, 10, replace=False).tolist() for _ in range(N_USERS)]
    long = [[v for v in seen if CREATOR[v] == one] for seen, one in zip(watched, own, strict=True)]
    history = pl.DataFrame(
        {
            "user_id": np.arange(N_USERS),
            "watch_seq": watched,
            "long_watch_seq": long,
            "like_seq": [one[:2] for one in long],
        }
    )
    users = np.tile(np.arange(N_USERS), N_SHOWN)
    videos = rng.integers(N_VIDEOS, size=len(users))
    is_long = (CREATOR[videos] == own[users]).astype(int)
    is_like = is_long * (rng.random(len(users)) < 0.7)
    if outcome_of_second is not None:
        is_long[len(users) // 2 :] = outcome_of_second
    log = pl.DataFrame(
        {
            "user_id": users,
            "video_id": videos,
            "time_ms": 1_650_900_000_000 + 60_000 * np.arange(len(users)),
            "long_view": is_long,
            "is_like": is_like.astype(int),
            "is_click": is_long,
            "tab": rng.integers(3, size=len(users)),
        }
    )
    about = pl.DataFrame(
        {
            "video_id": np.arange(N_VIDEOS),
            "author_id": CREATOR,
            "video_duration": rng.uniform(5_000, 60_000, N_VIDEOS),
            "upload_dt": ["2022-04-01"] * N_VIDEOS,
        }
    )
    folder.mkdir(parents=True)
    for name, table in (("history", history), ("log_valid", log), ("videos", about)):
        table.write_parquet(folder / f"{name}.parquet")
    return folder


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    found = impressions(world(tmp_path_factory.mktemp("sets") / "sv_small"))
    return {(one.model, one.metric): one.estimate for one in found}


@pytest.mark.parametrize("outcome", ["long view", "like"])
def test_the_ranker_finds_whom_people_watch(figures, outcome):
    assert figures[RANKER, f"GAUC {outcome}"].mean > 0.85
    assert abs(figures[BASELINE, f"GAUC {outcome}"].mean - 0.5) < 0.1
    gain = figures[GAIN, f"GAUC {outcome}"]
    assert gain.low > 0
    both = [figures[name, f"GAUC {outcome}"].mean for name in (RANKER, BASELINE)]
    assert gain.mean == pytest.approx(both[0] - both[1])


def test_outcomes_of_the_judging_half_change_no_feature(tmp_path):
    tables = [
        halves(world(tmp_path / name / "sv_small", outcome_of_second=value), seed=1)
        for name, value in (("a", 0), ("b", 1))
    ]
    for first, second in zip(*tables, strict=True):
        np.testing.assert_array_equal(first.table, second.table)


def test_the_teaching_half_knows_the_history_only(tmp_path):
    first, second = halves(world(tmp_path / "sv_small"), seed=1)
    acts = first.names.index("n_acts")
    assert first.table[:, acts].max() < second.table[:, acts].max()
    assert len(first.shown) == len(second.shown) == N_USERS * N_SHOWN // 2
    assert first.shown.at_ms.max() < second.shown.at_ms.min()
    ages = first.table[:, first.names.index("age_days")]
    assert 20 < ages.min() <= ages.max() < 30


def shown(persons, long):
    n = len(persons)
    return Shown(
        persons=np.array(persons),
        items=np.zeros(n, dtype=np.int64),
        at_ms=np.arange(n),
        tab=np.zeros(n),
        outcomes={"long": np.array(long, dtype=np.bool_), "like": np.zeros(n, dtype=np.bool_)},
        is_clicked=np.zeros(n, dtype=np.bool_),
    )


def test_area_under_the_curve_by_hand():
    # The first person: of 2 × 2 pairs three are in order. The third: one tie in two pairs.
    some = shown([1, 1, 1, 1, 2, 2, 3, 3, 3], [1, 0, 1, 0, 1, 1, 1, 0, 0])
    values, counts = aucs(some, "long", np.array([4.0, 3, 2, 1, 9, 9, 5, 5, 1]))
    assert values.tolist() == [0.75, 0.75]
    assert counts.tolist() == [4, 3]


def test_who_has_one_outcome_only_is_not_asked():
    found = has_both(np.array([1, 1, 2, 2, 3]), np.array([True, False, True, True, False]))
    assert found.tolist() == [True, True, False, False, False]
