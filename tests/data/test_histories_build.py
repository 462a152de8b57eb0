from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import data.histories_build
from data.histories_build import are_fresh, build_histories
from data.histories_file import Past
from data.home import Home
from data.lake import Lake
from data.record import Record
from recsys.errors import StoreUnavailable
from recsys.events import Event, EventType
from recsys.histories import History

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
EVENTS = st.builds(
    Event,
    event_id=st.uuids().map(str),
    user_id=st.integers(5001, 5006).map("user-{}".format),
    item_id=st.integers(1001, 1009).map("item-{}".format),
    type=st.sampled_from(EventType),
    at=st.none() | st.integers(0, 5_000).map(lambda n: NOW + timedelta(minutes=n)),
    play_s=st.none() | st.integers(0, 100).map(float),
    dwell_s=st.none() | st.integers(0, 100).map(float),
    duration_s=st.none() | st.integers(0, 100).map(float),
    quantity=st.none() | st.integers(1, 5),
    order_id=st.none() | st.integers(0, 3).map("order-{}".format),
)


def home_of(folder, events) -> Home:
    home = Home(folder)
    record = Record.open(home.record_path)
    record.append(events, received_at=NOW)
    Lake(home.lake).write_record_events(record, record.last_seq())
    record.close()
    return home


def views(n: int) -> list[Event]:
    return [
        Event(
            event_id=f"event-{number}",
            user_id=f"user-{5001 + number % 13}",
            item_id=f"item-{1001 + number % 7}",
            type=EventType.VIEW,
            at=NOW + timedelta(minutes=number),
        )
        for number in range(n)
    ]


@settings(max_examples=25, deadline=None)
@given(events=st.lists(EVENTS, max_size=40))
def test_a_history_from_the_lake_is_the_one_made_of_the_events(tmp_path_factory, events):
    past = build_histories(home_of(tmp_path_factory.mktemp("home"), events))
    for user_id in {event.user_id for event in events}:
        own = [event for event in events if event.user_id == user_id]
        expected = History.of([(past.item_ids.find(event.item_id), event) for event in own])
        found = past.of_user(user_id)
        for name in ("item", "type", "at_ms", "value", "duration_s", "order"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)
    assert len(past.histories.events) == len(events)


def test_persons_come_whole_however_few_fit_into_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(data.histories_build, "ROWS_TOGETHER", 20)
    past = build_histories(home_of(tmp_path, views(200)))
    lengths = {len(past.of_user(f"user-{5001 + number}")) for number in range(13)}
    assert (len(past.user_ids), lengths) == (13, {15, 16})


def test_an_empty_lake_gives_empty_histories(tmp_path):
    past = build_histories(Home(tmp_path))
    assert (len(past.user_ids), len(past.item_ids), past.record_seq) == (0, 0, 0)
    assert len(past.of_user("user-5001")) == 0


def test_histories_know_whether_the_lake_went_on(tmp_path):
    home = home_of(tmp_path, views(5))
    assert not are_fresh(home)
    build_histories(home)
    assert are_fresh(home)
    home_of(tmp_path, [])
    assert are_fresh(home)
    home_of(tmp_path, views(9))
    assert not are_fresh(home)


def test_what_the_lake_does_not_hold_cannot_be_claimed(tmp_path):
    home = home_of(tmp_path, views(5))
    with pytest.raises(ValueError, match="record_seq is not the lake's, got 9; allowed: 5"):
        build_histories(home, record_seq=9)


def test_two_versions_stay_and_unfinished_ones_go(tmp_path):
    home = home_of(tmp_path, views(5))
    for _ in range(4):
        build_histories(home)
    (home.histories / ".v00000009").mkdir()
    build_histories(home)
    assert sorted(path.name for path in home.histories.iterdir()) == [
        "current",
        "v00000004",
        "v00000005",
    ]


def test_who_reads_an_old_version_reads_on(tmp_path):
    home = home_of(tmp_path, views(50))
    old = build_histories(home)
    for _ in range(3):
        build_histories(home)
    assert len(old.of_user("user-5001")) == 4


def test_a_version_left_by_a_crash_before_the_pointer_does_no_harm(tmp_path):
    home = home_of(tmp_path, views(5))
    build_histories(home)
    stray = home.histories / "v00000002"
    stray.mkdir()
    (stray / "half.npy").write_bytes(b"half")
    build_histories(home)
    assert len(Past.open(home.histories).histories.events) == 5


def test_no_pointer_means_no_histories(tmp_path):
    assert Past.open(tmp_path) is None


@pytest.mark.parametrize("damage", ["gone", "array"])
def test_damaged_histories_are_told(tmp_path, damage):
    home = home_of(tmp_path, views(5))
    build_histories(home)
    version = home.histories / "v00000001"
    if damage == "array":
        (version / "people.histories.offsets.npy").write_bytes(b"x")
    else:
        version.rename(home.histories / "elsewhere")
    with pytest.raises(StoreUnavailable, match="histories v00000001 cannot be read"):
        Past.open(home.histories)
