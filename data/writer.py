"""Group commit: many callers' events in one transaction of one thread."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import datetime
from threading import Condition, Thread
from typing import NamedTuple

from data.record import Batch, Outcome, Record
from data.record_rows import ServedRow, served_row
from recsys.errors import InvalidInput, RecsysError, StoreUnavailable
from recsys.events import Event, ServedList

# Nobody waits for served lists, so they wait for company: one commit for many.
SERVED_WAIT_S = 0.1
MAX_WAITING_LISTS = 2_000


class _Waiting(NamedTuple):
    batch: Batch
    answer: "Future[list[Outcome]]"


class Writer:
    """Takes events from many asyncio callers and commits all that wait together.

    Parameters
    ----------
    record
        Stays the caller's: close the writer first, then the record.
    max_waiting_events
        When more would wait than this, `submit` refuses.

    Attributes
    ----------
    lost_lists
        How many served lists were dropped because too many waited, a commit failed, or they
        could not be written as JSON.
    """

    def __init__(self, record: Record, *, max_waiting_events: int) -> None:
        self._record = record
        self._max_waiting_events = max_waiting_events
        self._waiting: list[_Waiting] = []
        self._waiting_events = 0
        self._lists: list[ServedRow] = []
        self._is_closed = False
        self._changed = Condition()
        self.lost_lists = 0
        self._thread = Thread(target=self._run, name="record-writer", daemon=True)
        self._checkpoints = record.checkpoints()
        self._thread.start()

    async def submit(self, events: Sequence[Event], received_at: datetime) -> list[Outcome]:
        """Store events; returns after the disk has them, one outcome an event.

        Raises
        ------
        StoreUnavailable
            Too many events wait, the writer is closed, or the commit failed. Nothing is promised
            then; sending the same events again is safe.
        """
        answer: Future[list[Outcome]] = Future()
        with self._changed:
            self._check_room(len(events))
            self._waiting.append(_Waiting(Batch(events, received_at), answer))
            self._waiting_events += len(events)
            self._changed.notify()
        return await asyncio.wrap_future(answer)

    @property
    def waiting_events(self) -> int:
        """How many events wait for the next commit; those in the one under way do not count."""
        return self._waiting_events

    def _check_room(self, n_events: int) -> None:
        if self._is_closed:
            raise StoreUnavailable("the writer is closed, got new events; start the service again")
        if self._waiting_events + n_events > self._max_waiting_events:
            raise StoreUnavailable(
                f"too many events wait to be written, got {n_events} more to "
                f"{self._waiting_events}; allowed: {self._max_waiting_events}"
            )

    def put_served(self, served: ServedList) -> None:
        """Keep a served list soon; it may be lost, and is counted then."""
        try:
            row = served_row(served)
        except InvalidInput:
            row = None
        with self._changed:
            if row is None or self._is_closed or len(self._lists) >= MAX_WAITING_LISTS:
                self.lost_lists += 1
                return
            self._lists.append(row)
            if len(self._lists) == 1:
                # The others only join the first one's wait: to wake the thread for each of them
                # would cost more than to make the list.
                self._changed.notify()

    def close(self) -> None:
        """Write what waits, then stop; later events are refused."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()
        self._checkpoints.close()

    def _run(self) -> None:
        waiting: list[_Waiting] = []
        try:
            while (taken := self._take()) is not None:
                waiting, lists = taken
                self._commit(waiting, lists)
        finally:
            # Only a programmer's mistake ends the thread early; then nobody may wait for ever.
            with self._changed:
                self._is_closed = True
                waiting = waiting + self._waiting
            _fail(waiting, StoreUnavailable("the writer has stopped"))

    def _take(self) -> tuple[list[_Waiting], list[ServedRow]] | None:
        """Everything that waits; None when closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._lists or self._is_closed)
            self._changed.wait_for(lambda: self._waiting or self._is_closed, SERVED_WAIT_S)
            waiting, self._waiting = self._waiting, []
            lists, self._lists = self._lists, []
            self._waiting_events = 0
        if not waiting and not lists:
            return None
        return [one for one in waiting if one.answer.set_running_or_notify_cancel()], lists

    def _commit(self, waiting: list[_Waiting], lists: list[ServedRow]) -> None:
        try:
            outcomes = self._record.write([one.batch for one in waiting], lists)
        except RecsysError as failure:
            self.lost_lists += len(lists)
            _fail(waiting, failure)
            return
        for one, answer in zip(waiting, outcomes, strict=True):
            one.answer.set_result(answer)
        self._checkpoints.wrote(sum(map(len, outcomes)) + len(lists))


def _fail(waiting: list[_Waiting], failure: RecsysError) -> None:
    for one in waiting:
        if not one.answer.done():
            one.answer.set_exception(failure)
