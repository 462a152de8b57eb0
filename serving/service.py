"""What the service does: a request becomes a list, a batch of events becomes durable."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import perf_counter
from typing import Self

import numpy as np

from data.erasures import Erasures
from data.home import Home
from data.record import Outcome, Record
from data.writer import Writer
from recsys.bare import NO_BUNDLE
from recsys.catalog import Item
from recsys.errors import IdConflict
from recsys.events import Event, ServedList, millis
from recsys.histories import History
from recsys.lookback import is_drawn, looked_at
from recsys.recommend import Answer, Request, recommend
from recsys.rules import DEFAULTS
from recsys.seals import Checked
from serving.answers import encoded
from serving.bundles import Watcher
from serving.current import Current, until
from serving.cursors import Cursors
from serving.errors import NotThere
from serving.hand import Hand
from serving.hot import hot_of
from serving.identity import OPEN, Caller
from serving.intake import NOT_KEPT, Rejected, Sender, check_batch
from serving.items import check_items
from serving.keeper import Keeper
from serving.list_ids import ListIds
from serving.metrics import Metrics
from serving.persons import Met, Persons
from serving.remembered import Remembered
from serving.settings import Settings
from serving.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch of events."""

    accepted: int
    duplicates: int
    rejected: list[Rejected]


@dataclass(frozen=True, slots=True)
class ItemsReceipt:
    """What became of a batch of items; `changed` says how many are not as they were."""

    accepted: int
    changed: int
    rejected: list[Rejected]


@dataclass(slots=True)
class Told:
    """How much of what only grows the metrics know already."""

    lost: int = 0
    refused: int = 0


class Laps:
    """A stopwatch: calling it says what the time since the last call went to."""

    def __init__(self) -> None:
        self.spent: list[tuple[str, float]] = []
        self._last_s = perf_counter()

    def __call__(self, stage: str) -> None:
        """The time since the last call was spent in this stage."""
        now_s = perf_counter()
        self.spent.append((stage, now_s - self._last_s))
        self._last_s = now_s


def utc_now() -> datetime:
    """The clock of the service."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One worker's service: its record, its view of the bundle, its clock.

    Parameters
    ----------
    turns
        Batches of events are checked one at a time, each in a turn of the loop of its own.
    now
        The clock.
    """

    record: Record
    writer: Writer
    watcher: Watcher
    settings: Settings
    persons: Persons
    cursors: Cursors
    metrics: Metrics = field(default_factory=Metrics)
    turns: asyncio.Lock = field(default_factory=asyncio.Lock)
    told: Told = field(default_factory=Told)
    now: Callable[[], datetime] = utc_now

    @property
    def list_ids(self) -> ListIds:
        """Where ids of lists come from, and who knows whose they were."""
        return ListIds(self.cursors.key)

    @property
    def erasures(self) -> Erasures:
        """Who asked to be forgotten."""
        return Erasures(self.watcher.home, self.record)

    @property
    def hand(self) -> Hand:
        """What persons choose."""
        return Hand(self.record, self.persons, self.watcher, self.erasures, self.now)

    def keeper(self) -> Keeper:
        """Who does beside the requests what persons asked for."""
        return Keeper(self.erasures, self.persons, self.now)

    @classmethod
    def of(
        cls,
        home: Home,
        settings: Settings,
        metrics: Metrics | None = None,
        checked: Checked | None = None,
    ) -> Self:
        """The service of a shop's home folder; `checked` is for its watcher.

        Raises
        ------
        StoreUnavailable
            The record cannot be opened.
        """
        record = Record.of(home)
        return cls(
            record=record,
            writer=Writer(record, max_waiting_events=settings.max_waiting_events),
            watcher=Watcher(home, record, defaults=DEFAULTS, checked=checked),
            settings=settings,
            persons=Persons(
                record,
                Remembered(settings.remembered_people),
                limit=settings.history_events,
                hot=hot_of(settings.hot.url),
            ),
            cursors=Cursors.of(home.keys),
            metrics=metrics or Metrics(),
        )

    def close(self) -> None:
        """Write what waits, then let go of the record."""
        self.writer.close()
        self.record.close()

    async def meet(self, user_id: str | None) -> Met | None:
        """The person of a request; None where `recommend` need not wait to know them."""
        current = self.watcher.current
        if current is None or self.persons.is_near:
            return None
        return await self.persons.meet(user_id, current)

    def recommend(
        self,
        request: Request,
        cursor: str | None = None,
        *,
        at_most: int | None = None,
        met: Met | None = None,
    ) -> bytes:
        """The body of the answer; the served list is on its way to the record.

        Parameters
        ----------
        cursor
            That of an answer before: what was shown until then does not come again.
        at_most
            Bytes the body may have; a longer list is cut.
        met
            Who it is for, if that took waiting.

        Raises
        ------
        InvalidInput
            The cursor is none of ours.
        """
        at, lap = self.now(), Laps()
        current = self.watcher.current if met is None else met.current
        request = replace(request, shown=self.cursors.read(cursor), lap=lap)
        if current is None:
            answer = self._empty(request, at)
        else:
            if met is None and request.remaining_ms() <= 0:
                # No time to ask what the person chose either.
                met = Met(History.empty(), current, ("deadline:history",))
            met = met or self.persons.near(request.user_id, current)
            lap("read")
            answer = self._answer(request, met, at)
        shelf = None if current is None else current.shelf
        answer, body = self._within(at_most, answer, shelf, request.shown)
        lap("encode")
        self.writer.put_served(self._kept(answer, current))
        self.metrics.listed(answer.served)
        self.metrics.spent(lap.spent)
        return body

    def _within(
        self, at_most: int | None, answer: Answer, shelf: Shelf | None, shown: tuple[int, ...]
    ) -> tuple[Answer, bytes]:
        """The answer and its bytes, cut until there are not too many."""
        while True:
            items = answer.served.items
            cursor = self.cursors.after(shown, [item.item_id for item in items])
            body = encoded(answer, shelf, cursor, self.record.choices.privacy.appeal)
            if at_most is None or len(body) <= at_most or not items:
                return answer, body
            k = min(len(items) - 1, len(items) * at_most // len(body))
            answer = replace(
                answer, served=replace(answer.served, items=items[:k]), items=answer.items[:k]
            )

    def _kept(self, answer: Answer, current: Current | None) -> ServedList:
        """What the record gets of an answer: of some lists what their scorer looked at as well."""
        served = answer.served
        if current is None or not is_drawn(served.list_id, self.settings.features_kept):
            return served
        return replace(served, looked_at=looked_at(answer, current.bundle.catalog))

    def _answer(self, request: Request, met: Met, at: datetime) -> Answer:
        answer = recommend(
            replace(request, controls=met.controls),
            until(met.history, millis(at)),
            met.current.bundle,
            at=at,
            list_id=self.list_ids.make(request.user_id, at),
            language=self.settings.language,
        )
        is_bare = answer.served.bundle == NO_BUNDLE
        if met.degraded or is_bare:
            bare = ("no_bundle",) if is_bare else ()
            degraded = (*bare, *answer.served.degraded, *met.degraded)
            answer = replace(answer, served=replace(answer.served, degraded=degraded))
        return answer

    def _empty(self, request: Request, at: datetime) -> Answer:
        served = ServedList(
            list_id=self.list_ids.make(request.user_id, at),
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

    async def take(self, bodies: list[object], caller: Caller = OPEN) -> Receipt:
        """Make the good events of a batch durable, set the others aside with the reason.

        Parameters
        ----------
        caller
            Who tells them, and so what of it is believed.

        Raises
        ------
        BodyTooLarge
            The batch has too many events.
        StoreUnavailable
            The record cannot take them now; nothing is promised, the same batch may be sent again.
        """
        received_at = self.now()
        lists = None if self.settings.limits.learn_unproven else self.list_ids
        async with self.turns:
            checked = check_batch(bodies, received_at, Sender(caller, lists))
            # Whoever asks for a list meanwhile goes first: a flood of events must not hold it.
            await asyncio.sleep(0)
        outcomes: list[Outcome] = []
        if checked.events:
            outcomes = await self.writer.submit(checked.events, received_at)
            # Duplicates too: the first time this may be what failed.
            await self.persons.changed({event.user_id for event in checked.events})
        rejected = checked.rejected + [
            Rejected(index, IdConflict.code, f"event id {event.event_id!r} came with another body")
            for index, event, outcome in zip(checked.indexes, checked.events, outcomes, strict=True)
            if outcome is Outcome.CONFLICT
        ]
        rejected += [
            Rejected(index, NOT_KEPT, "nothing may be kept of this person: they did not agree")
            for index, outcome in zip(checked.indexes, outcomes, strict=True)
            if outcome is Outcome.NOT_KEPT
        ]
        rejected.sort(key=lambda one: one.index)
        await self.set_aside(await self.hand.quarantine_rows(bodies, rejected, caller))
        self._count(outcomes, checked.events, len(rejected), received_at)
        return Receipt(
            outcomes.count(Outcome.ACCEPTED), outcomes.count(Outcome.DUPLICATE), rejected
        )

    def _count(
        self, outcomes: list[Outcome], events: list[Event], n_refused: int, received_at: datetime
    ) -> None:
        accepted, duplicate = Outcome.ACCEPTED, Outcome.DUPLICATE
        became = {str(one): outcomes.count(one) for one in (accepted, duplicate)}
        lags = [
            (received_at - event.at).total_seconds()
            for event, outcome in zip(events, outcomes, strict=True)
            if outcome is accepted and event.at is not None
        ]
        self.metrics.took(became | {"rejected": n_refused}, lags)

    async def put_items(self, bodies: list[object]) -> ItemsReceipt:
        """Keep the good items of a batch and show them; the others come back with the reason.

        Raises
        ------
        BodyTooLarge
            The batch has too many items.
        StoreUnavailable
            The record cannot take them now; the same batch may be sent again.
        """
        items, rejected = check_items(bodies, self.record.choices.base.blocked)
        changed = await asyncio.to_thread(self.record.put_items, items, at=self.now())
        await self._look_for_items()
        return ItemsReceipt(len(items), changed, rejected)

    async def switch_items(self, item_ids: list[str], *, available: bool) -> list[str]:
        """Take items off sale, or back on, for every list; the ids that no item has.

        Raises
        ------
        StoreUnavailable
            The record cannot take it now.
        """
        unknown = await asyncio.to_thread(
            self.record.switch_items, item_ids, available=available, at=self.now()
        )
        await self._look_for_items()
        return unknown

    async def _look_for_items(self) -> None:
        # Other workers look by themselves, at most `poll_s` later.
        await asyncio.to_thread(self.watcher.look_for_items)

    async def item(self, item_id: str) -> Item:
        """An item as it is kept.

        Raises
        ------
        NotThere
            There is none.
        """
        found = await asyncio.to_thread(self.record.items_of, [item_id])
        if item_id not in found:
            raise NotThere(f"there is no item {item_id!r:.140}; allowed: one that was put before")
        return found[item_id]

    async def join(self, guest_id: str, user_id: str, *, who: str = "service") -> bool:
        """Make what a guest did a person's; whether that is new."""
        is_new = await asyncio.to_thread(
            self.record.aliases.join, guest_id, user_id, at=self.now(), who=who
        )
        await self.persons.changed({guest_id, user_id})
        return is_new

    def look(self) -> None:
        """Tell the metrics how things stand with this worker."""
        lost, refused = self.writer.lost_lists, self.watcher.refused
        self.metrics.look(
            lost=lost - self.told.lost,
            refused=refused - self.told.refused,
            waiting=self.writer.waiting_events,
            bundle=self.watcher.counter,
        )
        self.told.lost, self.told.refused = lost, refused

    async def numbers(self) -> bytes:
        """What /metrics answers."""
        self.look()
        # It reads files of every worker, and requests must not wait for that.
        return await asyncio.to_thread(self.metrics.told)

    async def set_aside(self, rows: list[tuple[bytes, str, str]]) -> None:
        """Keep what was refused (as it came, error, detail), for an operator to look at."""
        if rows:
            await asyncio.to_thread(self.record.quarantine, rows, at=self.now())
