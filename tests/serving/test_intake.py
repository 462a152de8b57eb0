"""Which events are taken and which are set aside, each with its reason."""

from datetime import timedelta

import orjson
import pytest

from recsys.errors import InvalidEvent
from recsys.events import EventType, Platform, millis
from serving.errors import BodyTooLarge, FutureEvent, LateEvent
from serving.intake import MAX_EVENTS, QUARANTINE_BYTES, Rejected, check_batch, event_of
from serving.intake import quarantine_row as row_of
from tests.planted import NOW


def body(**said) -> dict:
    return {
        "event_id": "event-1",
        "user_id": "user-5001",
        "item_id": "item-1002",
        "type": "play",
        "at": NOW.isoformat(),
    } | said


def test_everything_a_body_says_is_kept():
    said = {
        "play_s": 12.5,
        "duration_s": 30,
        "dwell_s": 3.0,
        "quantity": 2,
        "amount_minor": 1_990,
        "order_id": "order-1",
        "choice": "size-L",
        "list_id": "list-1",
        "position": 3,
        "platform": "douyin",
        "props": {"from": "search", "deep": [1, {"x": None}]},
    }
    event = event_of(body(**said), NOW)
    assert (event.type, event.platform, event.at) == (EventType.PLAY, Platform.DOUYIN, NOW)
    assert said | {"duration_s": 30.0} == {name: getattr(event, name) for name in said}


@pytest.mark.parametrize("at", ["2026-05-20T20:00:00+08:00", "2026-05-20T12:00:00Z", millis(NOW)])
def test_a_time_is_iso_with_its_zone_or_milliseconds(at):
    assert event_of(body(at=at), NOW).at == NOW


def test_fields_of_null_say_nothing():
    event = event_of(body(play_s=None, platform=None, order_id=None), NOW)
    assert (event.play_s, event.platform, event.order_id) == (None, Platform.OTHER, None)


SECONDS, MILLIS = int(NOW.timestamp()), millis(NOW)


@pytest.mark.parametrize(
    ("at", "error", "why"),
    [
        (0, LateEvent, "got 1970-01-01"),
        ("1970-01-01T00:00:00Z", LateEvent, "too long ago"),
        (SECONDS, LateEvent, "got 1970-01-21"),
        (MILLIS - 7 * 86_400_000 - 1, LateEvent, "allowed: the last 7 days"),
        (MILLIS + 5 * 60_000 + 1, FutureEvent, "allowed: 5 minutes ahead"),
        (MILLIS + 10 * 365 * 86_400_000, FutureEvent, "in the future"),
        (MILLIS * 1_000, InvalidEvent, "at is no time"),
        (-1, LateEvent, "got 1969-12-31"),
        (2**63 - 1, InvalidEvent, "at is no time"),
        (float(MILLIS), InvalidEvent, "at"),
        ("NaN", InvalidEvent, "at is no time, got 'NaN'"),
        (None, InvalidEvent, "at"),
        (True, InvalidEvent, "at"),
        ("2026-05-20T12:00:00", InvalidEvent, "no time zone"),
        ("2026-02-30T12:00:00Z", InvalidEvent, "at is no time"),
        ("20/05/2026", InvalidEvent, "at is no time"),
        ("9999-12-31T23:59:59-23:59", FutureEvent, "in the future"),
        ("0001-01-01T00:00:00+23:59", LateEvent, "too long ago"),
    ],
)
def test_a_wrong_clock_is_refused_with_its_reason(at, error, why):
    with pytest.raises(InvalidEvent) as caught:
        event_of(body(at=at), NOW)
    assert type(caught.value) is error
    assert why in str(caught.value)


@pytest.mark.parametrize("off", [-timedelta(days=7), timedelta(minutes=5), timedelta(0)])
def test_times_up_to_the_limits_are_taken(off):
    assert event_of(body(at=(NOW + off).isoformat()), NOW).at == NOW + off


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"type": "hover"}, "type is unknown, got 'hover'; allowed: impression, play"),
        ({"type": 1}, "type: Input should be a valid string"),
        ({"platform": "myspace"}, "platform is unknown, got 'myspace'; allowed: douyin"),
        ({"weight": 9}, "weight: Extra inputs are not permitted"),
        ({"play_s": -1}, "play_s is out of range"),
        ({"play_s": "3"}, "play_s: Input should be a valid number"),
        ({"position": 2**63}, "position is out of range"),
        ({"quantity": 1.5}, "quantity: Input should be a valid integer"),
        ({"quantity": False}, "quantity: Input should be a valid integer"),
        ({"user_id": ""}, "user_id is missing"),
        ({"user_id": "user\x005001"}, "user_id has unprintable characters"),
        ({"event_id": "e" * 65}, "event_id is too long, got 65 characters; allowed: up to 64"),
        ({"props": {"x": "y" * 1_025}}, "props is too large"),
        ({"props": [1]}, "props: Input should be an object"),
    ],
)
def test_a_wrong_field_is_refused_by_name(said, why):
    with pytest.raises(InvalidEvent) as caught:
        event_of(body(**said), NOW)
    assert why in str(caught.value)


@pytest.mark.parametrize("missing", ["event_id", "user_id", "item_id", "type", "at"])
def test_what_every_event_must_say_is_asked_for(missing):
    said = body()
    del said[missing]
    with pytest.raises(InvalidEvent, match=f"{missing}: Field required"):
        event_of(said, NOW)


def test_a_bad_event_does_not_take_the_others_with_it():
    checked = check_batch([5, body(), body(type="hover"), body(event_id="event-2")], NOW)
    assert checked.indexes == [1, 3]
    assert [event.event_id for event in checked.events] == ["event-1", "event-2"]
    assert [(one.index, one.error) for one in checked.rejected] == [
        (0, "invalid_event"),
        (2, "invalid_event"),
    ]


def test_too_many_events_are_refused_whole():
    with pytest.raises(BodyTooLarge, match="got 1001; allowed: up to 1000"):
        check_batch([body()] * (MAX_EVENTS + 1), NOW)


def test_what_is_set_aside_is_cut_to_a_limit():
    raw, error, detail = row_of({"x": "y" * 9_000}, Rejected(0, "invalid_event", "why"))
    assert len(raw) == QUARANTINE_BYTES
    assert (error, detail) == ("invalid_event", "why")
    assert row_of({"x": 1}, Rejected(0, "e", "d"))[0] == orjson.dumps({"x": 1})
