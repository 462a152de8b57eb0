"""What the service does: a request becomes a list, a batch of events becomes durable."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

import numpy as np

from data.home import Home
from data.record import Outcome, Record
from data.writer import Writer
from recsys.catalog import Catalog
from recsys.errors import IdConflict, StoreUnavailable
from recsys.events import ServedList, millis
from recsys.histories import History
from recsys.lookback import is_drawn, looked_at
from recsys.recommend import Answer, Request, recommend
from serving.answers import encoded
from serving.bundles import Watcher
from serving.current import Current, newest, until
from serving.intake import Rejected, check_batch, quarantine_row
from serving.remembered import Known, Remembered
from serving.settings import Settings

# One page of impressions is twenty events; so many of the record's rows are read to find the acts.
RECORD_ROWS_AN_EVENT = 2
NO_BUNDLE = "none"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch of events."""

    accepted: int
    duplicates: int
    rejected: list[Rejected]


def utc_now() -> datetime:
    """The clock of the service."""
    return datetime.now(UTC)


def new_list_id() -> str:
    """An id no other list has."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One worker's service: its record, its view of the bundle, its clock.

    Parameters
    ----------
    now, list_id
        The clock, and where ids of lists come from.
    """

    record: Record
    writer: Writer
    watcher: Watcher
    settings: Settings
    remembered: Remembered
    now: Callable[[], datetime] = utc_now
    list_id: Callable[[], str] = new_list_id

    @classmethod
    def of(cls, home: Home, settings: Settings) -> Self:
        """The service of a shop's home folder.

        Raises
        ------
        StoreUnavailable
            The record cannot be opened.
        """
        record = Record.of(home)
        return cls(
            record=record,
            writer=Writer(record, max_waiting_events=settings.max_waiting_events),
            watcher=Watcher(home, record),
            settings=settings,
            remembered=Remembered(settings.remembered_people),
        )

    def close(self) -> None:
        """Write what waits, then let go of the record."""
        self.writer.close()
        self.record.close()

    def recommend(self, request: Request) -> bytes:
        """The body of the answer; the served list is on its way to the record."""
        at, current = self.now(), self.watcher.current
        if current is None:
            answer, catalog = self._empty(request, at), None
        else:
            answer, catalog = self._answer(request, current, at), current.bundle.catalog
        self.writer.put_served(self._kept(answer, catalog))
        return encoded(answer, catalog)

    def _kept(self, answer: Answer, catalog: Catalog | None) -> ServedList:
        """What the record gets of an answer: of some lists what their scorer looked at as well."""
        served = answer.served
        if catalog is None or not is_drawn(served.list_id, self.settings.features_kept):
            return served
        return replace(served, looked_at=looked_at(answer, catalog))

    def _answer(self, request: Request, current: Current, at: datetime) -> Answer:
        history, degraded = self._history(request.user_id, current, at)
        answer = recommend(
            request,
            history,
            current.bundle,
            at=at,
            list_id=self.list_id(),
            language=self.settings.language,
        )
        if degraded:
            served = replace(answer.served, degraded=(*answer.served.degraded, *degraded))
            answer = replace(answer, served=served)
        return answer

    def _history(
        self, user_id: str | None, current: Current, at: datetime
    ) -> tuple[History, tuple[str, ...]]:
        """A person's history, from disk and record; without the record if it cannot be read."""
        if user_id is None:
            return History.empty(), ()
        limit = self.settings.history_events
        known = self.remembered.find(user_id, current)
        if known is None:
            known = Known(newest(current.past_of(user_id), limit), current.record_seq)
        try:
            events, upto_seq, _ = self.record.since(
                user_id, after_seq=known.upto_seq, limit=limit * RECORD_ROWS_AN_EVENT
            )
        except StoreUnavailable:
            return until(known.history, millis(at)), ("record",)
        if events:
            merged = known.history.merged(current.placed(events))
            known = Known(newest(merged, limit), upto_seq)
        self.remembered.keep(user_id, known)
        return until(known.history, millis(at)), ()

    def _empty(self, request: Request, at: datetime) -> Answer:
        served = ServedList(
            list_id=self.list_id(),
            user_id=request.user_id,
            scene=request.scene,
            at=at,
            bundle=NO_BUNDLE,
            pipeline=NO_BUNDLE,
            personalised=False,
            degraded=("no_bundle",),
            items=(),
        )
        return Answer(served, np.empty(0, dtype=np.int32))

    async def take(self, bodies: list[object]) -> Receipt:
        """Make the good events of a batch durable, set the others aside with the reason.

        Raises
        ------
        BodyTooLarge
            The batch has too many events.
        StoreUnavailable
            The record cannot take them now; nothing is promised, the same batch may be sent again.
        """
        received_at = self.now()
        checked = check_batch(bodies, received_at)
        outcomes: list[Outcome] = []
        if checked.events:
            outcomes = await self.writer.submit(checked.events, received_at)
        rejected = checked.rejected + [
            Rejected(index, IdConflict.code, f"event id {event.event_id!r} came with another body")
            for index, event, outcome in zip(checked.indexes, checked.events, outcomes, strict=True)
            if outcome is Outcome.CONFLICT
        ]
        rejected.sort(key=lambda one: one.index)
        await self.set_aside([quarantine_row(bodies[one.index], one) for one in rejected])
        return Receipt(
            outcomes.count(Outcome.ACCEPTED), outcomes.count(Outcome.DUPLICATE), rejected
        )

    async def set_aside(self, rows: list[tuple[bytes, str, str]]) -> None:
        """Keep what was refused (as it came, error, detail), for an operator to look at."""
        if rows:
            await asyncio.to_thread(self.record.quarantine, rows, at=self.now())
