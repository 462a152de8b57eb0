"""Programs whose power is cut: each says on stdout what it calls durable, one number a line.

Usage: power_child.py SUBJECT FOLDER DEFECT, DEFECT being none, "no fsync" or "early answer".
"""

import os
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import event as listening

import data.checkpoints
import data.record_store
from data.histories_build import build_histories
from data.home import Home
from data.lake import Lake
from data.record import Record
from recsys.bundle_files import write
from recsys.catalog import Catalog
from recsys.events import Event, EventType
from recsys.pointer import publish
from recsys.signing import SigningKey
from tests.planted import NOW, Fixed, FixedForAll, bundle_of, item

TABLE = {"fixed": Fixed, "fixed_for_all": FixedForAll}
N_EVENTS = 12


def batch(number: int) -> list[Event]:
    """Events of two days that tell the number of their batch."""
    return [
        Event(
            event_id=f"event-{number}-{n}",
            user_id=f"user-{5000 + n}",
            item_id=f"item-{1000 + number}",
            type=EventType.VIEW,
            at=NOW + timedelta(days=n % 2, seconds=number),
        )
        for n in range(N_EVENTS)
    ]


def say(number: int) -> None:
    os.write(1, b"%d\n" % number)


def told(number: int, work: Callable[[], object], defect: str) -> None:
    if defect == "early answer":
        say(number)
    work()
    if defect != "early answer":
        say(number)


def without_sync(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")


def record(folder: Path, defect: str) -> None:
    """Commits, small enough a checkpoint that several of them fall into the recording.

    The second half of them as a service makes them: the log is brought to the file beside them.
    """
    data.record_store.CHECKPOINT_PAGES = 60
    opened = Record.open(folder / "record.db")
    if defect == "no fsync":
        listening.listen(opened._store._writes, "connect", without_sync)
        opened._store._writes.dispose()
    for number in range(7):
        told(number, lambda n=number: opened.append(batch(n), received_at=NOW), defect)
    data.checkpoints.ROWS = 1
    checkpoints = opened.checkpoints()
    for number in range(7, 14):
        told(number, lambda n=number: opened.append(batch(n), received_at=NOW), defect)
        checkpoints.wrote(N_EVENTS)
    checkpoints.close()
    opened.close()


def model(folder: Path, defect: str) -> None:
    """Bundles written and published, more than are kept."""
    key = SigningKey.load_or_make(folder / "keys")
    catalog = Catalog.of([item(n) for n in range(4)])
    bundle = bundle_of(catalog, {"popular": FixedForAll(items=(3, 1, 0))})

    def one(number: int) -> None:
        write(replace(bundle, bundle_id=f"bundle-{number}"), folder / "bundles", key, table=TABLE)
        publish(folder / "bundles", f"bundle-{number}", key)

    for number in range(5):
        told(number, lambda n=number: one(n), defect)


def lake(folder: Path, defect: str) -> None:
    """Turns of `collect`: the record's new events to the lake, histories built anew."""
    home = Home(folder)
    opened = Record.open(folder.parent / "record.db")

    def one() -> None:
        Lake(home.lake).write_record_events(opened, opened.last_seq())
        build_histories(home)

    for number in range(4):
        opened.append(batch(number), received_at=NOW)
        told(number, one, defect)
    opened.close()


SUBJECTS = {"record": record, "model": model, "lake": lake}

if __name__ == "__main__":
    subject, place, chosen = sys.argv[1:]
    if chosen == "no fsync":
        os.fsync = lambda _handle: None
    SUBJECTS[subject](Path(place), chosen)
