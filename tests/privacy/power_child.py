"""A person is erased, step by step, in a program whose power is cut: `power_child.py HOME DEFECT`.

It says on stdout, one a line: "there" once the person left traces everywhere, "asked" once it
promised to forget them, "done" once it says that nothing is left. DEFECT is none or one of
`DEFECTS`.
"""

import os
import sqlite3
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import orjson
from sqlalchemy import event as listening

import data.lake
import data.record_store
from data.erasing import finish_erasures
from data.erasures import Erasures
from data.histories_build import build_histories
from data.home import Home
from data.lake import Lake
from data.record import Record
from data.record_audit import Deed
from recsys.events import Event, EventType
from tests.planted import NOW, item

DEFECTS = ("no fsync", "names not synced", "early answer")
ME, GUEST, OTHER = "person-5001", "guest-7001", "user-5002"
PEOPLE = (ME, GUEST, OTHER)
N_EVENTS = 6
# A day for each, so that a part of the lake goes whole and another is written anew.
DAYS = {ME: 0, GUEST: 1, OTHER: 1}
LATER = NOW + timedelta(hours=1)


def say(word: str) -> None:
    os.write(1, f"{word}\n".encode())


def told(word: str, work: Callable[[], object], defect: str) -> None:
    if defect == "early answer":
        say(word)
    work()
    if defect != "early answer":
        say(word)


def events_of(user_id: str) -> list[Event]:
    return [
        Event(
            event_id=f"event-{user_id}-{n}",
            user_id=user_id,
            item_id=f"item-{1000 + n}",
            type=EventType.VIEW,
            at=NOW + timedelta(days=DAYS[user_id], seconds=n),
        )
        for n in range(N_EVENTS)
    ]


def fill(home: Home, record: Record) -> None:
    """Rows, a lake, histories and quarantine in which all three stand."""
    record.put_items([item(n) for n in range(N_EVENTS)], at=NOW)
    for user_id in PEOPLE:
        record.append(events_of(user_id), received_at=NOW + timedelta(days=1))
    record.aliases.join(GUEST, ME, at=NOW)
    Lake(home.lake).write_record_events(record, record.last_seq())
    build_histories(home)
    rows = [(orjson.dumps({"user_id": one, "type": "?"}), "invalid_event", "") for one in PEOPLE]
    record.quarantine(rows, at=NOW)
    home.quarantine.mkdir()
    lines = "".join(f'{{"line": 1, "value": "{one}"}}\n' for one in PEOPLE)
    (home.quarantine / "old.jsonl").write_text(lines)


def without_sync(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")


def live(home: Home, defect: str) -> None:
    data.record_store.CHECKPOINT_PAGES = 60
    record = Record.of(home)
    if defect == "no fsync":
        listening.listen(record._store._writes, "connect", without_sync)
        record._store._writes.dispose()
    fill(home, record)
    say("there")
    erasures = Erasures(home, record)
    told("asked", lambda: erasures.ask(ME, Deed("test", "erase", "", ""), at=LATER), defect)
    told("done", lambda: finish_erasures(home, now=LATER, record=record), defect)
    record.close()


if __name__ == "__main__":
    place, chosen = sys.argv[1:]
    if chosen == "no fsync":
        os.fsync = lambda _handle: None
    if chosen == "names not synced":
        data.lake.fsync_folder = lambda _folder: None
    live(Home(Path(place)), chosen)
