"""Events, items and served lists that tests of this room keep and read back."""

from datetime import UTC, datetime, timedelta

from data.record import Outcome, Record
from recsys.catalog import Item, Kind
from recsys.events import Event, EventType, Platform, ServedItem, ServedList

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)


def event(number: int, **more) -> Event:
    said = {
        "event_id": f"event-{number}",
        "user_id": "user-5001",
        "item_id": f"item-{1000 + number}",
        "type": EventType.VIEW,
        "at": NOW + timedelta(seconds=number),
    }
    return Event(**said | more)


def full_event() -> Event:
    return event(
        1,
        at=NOW + timedelta(microseconds=700),
        play_s=3,
        duration_s=10.5,
        dwell_s=0.0,
        quantity=2,
        amount_minor=0,
        order_id="order-1",
        choice="选择",
        list_id="list-1",
        position=0,
        platform=Platform.DOUYIN,
        props={"b": [1, {"深": None}], "a": 1.5},
    )


def served_list(list_id: str = "list-1", **more) -> ServedList:
    place = ServedItem(
        item_id="item-1001",
        kind="video",
        rank=0,
        score=0.25,
        source="als",
        reason="看过 辅食",
        ad=True,
    )
    said = {
        "list_id": list_id,
        "user_id": "user-5001",
        "scene": "home",
        "at": NOW,
        "bundle": "b-1",
        "pipeline": "home",
        "personalised": True,
        "degraded": ("als",),
        "items": (place,),
        "arms": ("a:1",),
    }
    return ServedList(**said | more)


def put(record: Record, *events: Event) -> list[Outcome]:
    return record.append(events, received_at=NOW)


def item(number: int, **more) -> Item:
    return Item(item_id=f"item-{1000 + number}", **{"kind": Kind.PRODUCT, "title": "粥"} | more)


def full_item() -> Item:
    return item(
        1,
        kind=Kind.VIDEO,
        tags=("辅食",),
        category=("母婴", "辅食"),
        price_minor=0,
        available=False,
        stock=3,
        published_at=NOW,
        expires_at=NOW,
        cards=("item-2",),
        duration_s=9.5,
        durable=False,
        attributes={"色": "红"},
        audience=("new",),
        campaigns=("618",),
    )
