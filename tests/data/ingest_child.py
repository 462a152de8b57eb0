"""A process that ingests numbered events and says on stdout what was acknowledged; to be killed.

Usage: ingest_child.py RECORD DEFECT. On stdin: numbers of batches, one a line. On stdout, after the
acknowledgement of each: its number and how many of its events were duplicates.
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from data.record import Outcome, Record
from data.writer import Writer
from recsys.events import Event, EventType

BATCH = 100
CALLERS = 8
START_AT = datetime(2026, 5, 20, tzinfo=UTC)


def batch(number: int, salt: str) -> list[Event]:
    """Events whose time tells their number."""
    return [
        Event(
            event_id=f"event-{n}{salt}",
            user_id=f"user-{5000 + n % 997}",
            item_id=f"item-{1000 + n % 101}",
            type=EventType.VIEW,
            at=START_AT + timedelta(milliseconds=n),
        )
        for n in range(number * BATCH, (number + 1) * BATCH)
    ]


def acknowledge(number: int, outcomes: list[Outcome]) -> None:
    sys.stdout.write(f"{number} {outcomes.count(Outcome.DUPLICATE)}\n")
    sys.stdout.flush()


async def send(writer: Writer, numbers: Iterator[int], defect: str) -> None:
    # The two defects the test must be able to see: an answer before the commit, and ids that do
    # not stay the same when a batch is sent again.
    salt = f"-{os.getpid()}" if defect == "new ids" else ""
    for number in numbers:
        if defect == "early answer":
            acknowledge(number, [])
        outcomes = await writer.submit(batch(number, salt), START_AT)
        if defect != "early answer":
            acknowledge(number, outcomes)


async def run(path: Path, defect: str) -> None:
    record = Record.open(path)
    writer = Writer(record, max_waiting_events=10_000)
    numbers = iter([int(line) for line in sys.stdin])
    await asyncio.gather(*(send(writer, numbers, defect) for _ in range(CALLERS)))
    writer.close()
    record.close()


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2]))
