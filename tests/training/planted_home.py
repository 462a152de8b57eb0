"""A shop of two tastes: who plays the videos of one buys the products of the same."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from data.home import Home
from data.record import Record
from recsys.catalog import Item, Kind
from recsys.events import Event, EventType
from training.config import TrainConfig, train_config
from training.cycle import collect
from training.shop import Shop, load

START = datetime(2026, 3, 1, tzinfo=UTC)
N_DAYS, N_PEOPLE, N_EACH = 30, 60, 16
ITEMS = [
    Item(
        item_id=f"item-{1000 + n}",
        kind=Kind.PRODUCT,
        title=f"商品{n}",
        tags=(f"口味{n % 2}",),
        durable=False,
    )
    for n in range(N_EACH)
] + [
    Item(
        item_id=f"item-{1100 + n}",
        kind=Kind.VIDEO,
        title=f"视频{n}",
        tags=(f"口味{n % 2}",),
        cards=(f"item-{1000 + n}",),
        duration_s=20,
    )
    for n in range(N_EACH)
]

# Small learners: the tests are about what is done with them.
CONFIG = train_config(
    {
        "train": {"holdout_days": 5, "people": 40},
        "models": {"als": {"factors": 8, "iterations": 3}},
    }
)


def events(first_day: int = 0, last_day: int = N_DAYS) -> list[Event]:
    """Every person plays a video and orders a product of their taste on most days."""
    found = []
    rng = np.random.default_rng(7)
    for day in range(last_day):
        for person in range(N_PEOPLE):
            numbers = 2 * rng.integers(0, N_EACH // 2, size=2) + person % 2
            at = START + timedelta(days=day, hours=8, minutes=person)
            if day >= first_day and rng.random() < 0.5:
                found += _acts(person, day, at, numbers.tolist())
    return found


def _acts(person: int, day: int, at: datetime, numbers: list[int]) -> list[Event]:
    user_id, mark = f"user-{5000 + person}", f"{person}-{day}"
    video, product = f"item-{1100 + numbers[0]}", f"item-{1000 + numbers[1]}"
    return [
        Event(
            event_id=f"play-{mark}",
            user_id=user_id,
            item_id=video,
            type=EventType.PLAY,
            at=at,
            play_s=18.0,
        ),
        Event(
            event_id=f"order-{mark}",
            user_id=user_id,
            item_id=product,
            type=EventType.ORDER,
            at=at + timedelta(minutes=1),
            quantity=1,
            order_id=f"order-{mark}",
        ),
    ]


def record_events(home: Home, more: list[Event]) -> None:
    """Bring events to the record, as the service does."""
    home.root.mkdir(exist_ok=True)
    record = Record.open(home.record_path)
    record.put_items(ITEMS, at=START)
    record.append(more, received_at=START + timedelta(days=N_DAYS))
    record.close()


def planted_home(root: Path) -> Home:
    """The shop as a home whose record and lake are full."""
    home = Home(root)
    record_events(home, events())
    collect(home)
    return home


def planted_shop(root: Path) -> Shop:
    """The same, loaded."""
    return load(planted_home(root))


def without(config: TrainConfig, *sources: str) -> TrainConfig:
    """The configuration without some sources of the home list."""
    table = {name: {"weight": 0} for name in sources}
    said = {
        "train": {"holdout_days": config.holdout_days, "people": config.people},
        "pipelines": {"home": {"sources": table}},
    }
    return train_config(said)
