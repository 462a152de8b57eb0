from datetime import UTC, datetime, timedelta, timezone

import pytest

from recsys.errors import InvalidEvent
from recsys.events import Event, EventType, Platform, millis, moment

AT = datetime(2026, 5, 20, 12, tzinfo=UTC)


def play(**more):
    said = {
        "event_id": "event-9001",
        "user_id": "user-5001",
        "item_id": "item-1001",
        "type": EventType.PLAY,
        "at": AT,
    }
    return Event(**(said | more))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"event_id": ""}, "event_id is missing"),
        ({"event_id": "e" * 65}, "event_id is too long, got 65"),
        ({"user_id": None}, "user_id is missing"),
        ({"user_id": "a\x00b"}, "user_id has unprintable"),
        ({"item_id": "a\ud800"}, "item_id has unprintable"),
        ({"order_id": ""}, "order_id is missing"),
        ({"play_s": float("nan")}, "play_s is out of range"),
        ({"play_s": float("inf")}, "play_s is out of range"),
        ({"play_s": -1.0}, "play_s is out of range, got -1.0; allowed: 0 to 86400"),
        ({"play_s": "3"}, "play_s is not a number"),
        ({"quantity": True}, "quantity is not a number"),
        ({"quantity": 1.5}, "quantity is not a whole number"),
        ({"quantity": 0}, "quantity is out of range"),
        ({"amount_minor": 2**63}, "amount_minor is out of range"),
        ({"at": datetime(2026, 5, 20)}, "at has no time zone"),
        ({"at": datetime(1970, 1, 1, tzinfo=UTC)}, "at is out of range"),
        ({"props": {"a": float("nan")}}, "props cannot be written"),
        ({"props": {"a": "x" * 2000}}, "props is too large"),
    ],
)
def test_bad_field_is_refused_with_its_name(more, message):
    with pytest.raises(InvalidEvent, match=message):
        play(**more)


def test_body_is_what_was_said_and_nothing_else():
    event = play(play_s=12.5, platform=Platform.DOUYIN)
    assert event.body() == {
        "event_id": "event-9001",
        "user_id": "user-5001",
        "item_id": "item-1001",
        "type": "play",
        "at": "2026-05-20T12:00:00.000+00:00",
        "play_s": 12.5,
        "platform": "douyin",
    }


def test_same_moment_in_another_zone_is_the_same_body():
    east = AT.astimezone(timezone(timedelta(hours=8)))
    assert play(at=east).body() == play().body()


def test_undated_event_is_allowed():
    assert "at" not in play(at=None).body()


def test_millis_and_moment_undo_each_other():
    assert moment(millis(AT)) == AT
