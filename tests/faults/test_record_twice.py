"""The same events again, by two ways, in any order, from wrong clocks (TRUST R06 to R09)."""

import hashlib
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from data.histories_build import build_histories
from data.home import Home
from data.importing import run_import
from data.lake import Lake
from data.record import Record
from recsys.events import Event, EventType, millis
from recsys.histories import History
from tests.imported import mapping_of
from tests.planted import NOW
from tests.serving.conftest import Shop

MAPPING = """
name = "log"
of = "events"

[fields]
event_id = "id"
user_id = "user"
item_id = "item"
kind = { constant = "video" }
type = { column = "act", values = { watch = "play" } }
at = { column = "ms", unit = "ms" }
"""


@pytest.fixture
def shop(tmp_path) -> Shop:
    return Shop(Home(tmp_path / "home"))


def send(client, bodies) -> dict:
    answer = client.post("/v1/events", json={"events": bodies})
    assert answer.status_code == 202, answer.text
    return answer.json()


def by_eight(shop: Shop, bodies: list[dict], times: int) -> list[dict]:
    """The same batch sent so many times by each of 8 clients at once; the service is then gone."""
    with shop.client() as client, ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda _: send(client, bodies), range(8 * times)))


def test_r06_a_batch_sent_ten_times_by_eight_with_a_restart_between_is_stored_once(shop):
    bodies = [shop.body(n) for n in range(100)]
    said = by_eight(shop, bodies, 5) + by_eight(shop, bodies, 5)
    assert sum(one["accepted"] for one in said) == 100
    assert all(one["accepted"] + one["duplicates"] == 100 for one in said)
    other = [body | {"item_id": "item-1009"} for body in bodies]
    for one in by_eight(shop, other, 1):
        assert [row["error"] for row in one["rejected"]] == ["id_conflict"] * 100
    record = Record.open(shop.home.record_path)
    assert record.last_seq() == 100
    record.close()


def test_r07_the_same_events_imported_and_sent_are_there_once(tmp_path, shop):
    n, ways = 10_000, [f"log-{number:05}" for number in range(10_000)]
    rows = [
        f"{one},user-{5001 + i % 97},item-{1001 + i % 31},watch,{millis(NOW) - i}"
        for i, one in enumerate(ways)
    ]
    log = tmp_path / "log.csv"
    log.write_text("\n".join(["id,user,item,act,ms", *rows]) + "\n")
    run_import(mapping_of(tmp_path, MAPPING), [log], shop.home, now=NOW)
    record = Record.open(shop.home.record_path)
    for start in range(0, n, 1_000):
        record.append(
            [
                Event(
                    event_id=ways[i],
                    user_id=f"user-{5001 + i % 97}",
                    item_id=f"item-{1001 + i % 31}",
                    type=EventType.PLAY,
                    at=NOW - timedelta(milliseconds=i),
                )
                for i in range(start, start + 1_000)
            ],
            received_at=NOW,
        )
    lake = Lake(shop.home.lake)
    lake.write_record_events(record, record.last_seq())
    record.close()
    assert lake.manifest().rows == 2 * n, "both ways must have brought all of them"
    past = build_histories(shop.home)
    assert len(past.histories.events) == n


def acts(n: int) -> list[Event]:
    rng = Random(5)
    return [
        Event(
            event_id=f"event-{i}",
            user_id=f"user-{5001 + rng.randrange(n // 100)}",
            item_id=f"item-{1001 + rng.randrange(500)}",
            type=EventType(rng.randrange(15)),
            at=NOW - timedelta(milliseconds=rng.randrange(7 * 86_400_000)),
            play_s=rng.random() * 30,
            order_id=f"order-{i % 50}",
        )
        for i in range(n)
    ]


def told(folder, events: list[Event]) -> str:
    """One hash over everybody's history as lists are made from it."""
    record, seen = Record.open(folder / "record.db"), hashlib.sha256()
    for start in range(0, len(events), 1_000):
        record.append(events[start : start + 1_000], received_at=NOW)
    for user_id in sorted({event.user_id for event in events}):
        read = record.events_of(user_id, after_seq=0, limit=10_000)
        history = History.of([(int(event.item_id[5:]), event) for event in read])
        for name in ("item", "type", "at_ms", "value", "order"):
            seen.update(getattr(history, name).tobytes())
    record.close()
    return seen.hexdigest()


@pytest.mark.parametrize(
    ("n", "shuffles"), [(2_000, 5), pytest.param(50_000, 20, marks=pytest.mark.nightly)]
)
def test_r08_the_order_of_arrival_leaves_no_trace(tmp_path, n, shuffles):
    events, hashes = acts(n), set()
    for seed in range(shuffles):
        (tmp_path / str(seed)).mkdir()
        shuffled = Random(seed).sample(events, k=n)
        hashes.add(told(tmp_path / str(seed), shuffled))
    assert len(hashes) == 1


def test_r08_the_hash_sees_another_order_of_two(tmp_path):
    events = acts(200)
    swapped = [events[0]] + [
        Event(**{name: getattr(one, name) for name in Event.__slots__} | {"at": events[0].at})
        for one in events[1:2]
    ]
    for name in "ab":
        (tmp_path / name).mkdir()
    assert told(tmp_path / "a", events) != told(tmp_path / "b", swapped + events[2:])


DAY_MS = 86_400_000
WRONG_CLOCKS = {
    "1970": 0,
    "seconds for milliseconds": int(NOW.timestamp()),
    "microseconds": millis(NOW) * 1_000,
    "ten years ahead": millis(NOW) + 3_650 * DAY_MS,
    "ten minutes ahead": millis(NOW) + 600_000,
    "eight days ago": millis(NOW) - 8 * DAY_MS,
    "negative": -1,
    "largest number": 2**63 - 1,
    "not a number": "NaN",
    "without zone": "2026-05-20T12:00:00",
    "no such day": "2026-02-30T12:00:00Z",
    "nothing": None,
}


def test_r09_wrong_clocks_are_set_aside_with_their_reason_and_teach_nothing(shop):
    bodies = [shop.body(n, at=at) for n, at in enumerate(WRONG_CLOCKS.values())]
    with shop.client() as client:
        said = send(client, [*bodies, shop.body(99)])
    assert (said["accepted"], len(said["rejected"])) == (1, len(WRONG_CLOCKS))
    record = Record.open(shop.home.record_path)
    kept = record.quarantined(100)
    learned = [one.event_id for batch in record.events_between(0, 99) for _, one, _ in batch]
    record.close()
    assert learned == ["event-99"]
    assert sorted(row.detail for row in kept) == sorted(row["detail"] for row in said["rejected"])
    assert all("at" in row.detail for row in kept)


def is_whole_copy(folder: Path, n: int, copy: Callable[[Record, Path], object]) -> bool:
    """Whether a copy made while events come holds all that was acknowledged before it began."""
    record = Record.open(folder / "record.db")
    for start in range(0, n, 10_000):
        events = [plain(i) for i in range(start, min(n, start + 10_000))]
        record.append(events, received_at=NOW)
    with ThreadPoolExecutor(1) as pool:
        copying = pool.submit(copy, record, folder / "copy.db")
        more = n
        while not copying.done():
            record.append([plain(i) for i in range(more, more + 100)], received_at=NOW)
            more += 100
        copying.result()
    copied = Record.open(folder / "copy.db")
    last_seq = copied.last_seq()
    digests = [digest(one, last_seq) for one in (record, copied)]
    for one in (record, copied):
        one.close()
    return digests[0] == digests[1] and n <= last_seq <= more


@pytest.mark.nightly
def test_r42_a_million_events_are_copied_under_load_and_put_back(tmp_path):
    assert is_whole_copy(tmp_path, 1_000_000, Record.backup)


def test_r42_a_copy_of_the_file_alone_would_be_seen(tmp_path):
    (tmp_path / "honest").mkdir()
    assert is_whole_copy(tmp_path / "honest", 3_000, Record.backup)
    # What was acknowledged last stands beside the file, in its log of changes.
    assert not is_whole_copy(
        tmp_path, 3_000, lambda record, path: shutil.copy(tmp_path / "record.db", path)
    )


def plain(i: int) -> Event:
    return Event(
        event_id=f"event-{i}",
        user_id=f"user-{i % 50_000}",
        item_id=f"item-{i % 997}",
        type=EventType.VIEW,
        at=NOW + timedelta(milliseconds=i),
    )


def digest(record: Record, upto_seq: int) -> str:
    seen = hashlib.sha256()
    for batch in record.events_between(0, upto_seq):
        for seq, event, came_ms in batch:
            seen.update(
                f"{seq} {event.event_id} {event.user_id} {event.item_id} {came_ms}".encode()
            )
    assert not record.damaged
    return seen.hexdigest()
