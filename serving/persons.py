"""What is known of a person when a request comes: at hand, in a copy, on disk, in the record."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from typing import NamedTuple

from data.record import News, Record
from recsys.controls import UNREAD, Controls
from recsys.errors import StoreUnavailable
from recsys.histories import History
from serving.breaker import Breaker
from serving.copies import read_copy, written_copy
from serving.current import Current, newest
from serving.fence import Fence
from serving.hot import Hot, NoHot, Seen
from serving.remembered import Known, Remembered

# One page of impressions is twenty events; so many of the record's rows are read to find the acts.
RECORD_ROWS_AN_EVENT = 2
# A record on a server that does not answer: after this long a list is made without it.
SERVER_S = 0.05
# Copies live for an hour, and a number holds for seconds at least: those made under more than so
# many numbers before have ended by themselves.
OLDER_FENCES = 1_800


class Met(NamedTuple):
    """A person as a list is made for them, in the positions of one bundle.

    Attributes
    ----------
    degraded
        What could not be asked.
    controls
        What the person chose.
    """

    history: History
    current: Current
    degraded: tuple[str, ...] = ()
    controls: Controls = UNREAD


class Persons:
    """One worker's way to histories; every acknowledged event is in what it returns.

    Parameters
    ----------
    limit
        How many of a person's newest events a list is made from; orders count beyond it.

    Attributes
    ----------
    rebuilt
        How often the record was read because no copy held.
    """

    def __init__(
        self,
        record: Record,
        remembered: Remembered,
        *,
        limit: int,
        hot: Hot | None = None,
        fence: Fence | None = None,
    ) -> None:
        self._record = record
        self._remembered = remembered
        self._limit = limit
        self.hot = hot or NoHot()
        self._fence = fence or Fence(record)
        self._breaker = Breaker()
        self._flights: dict[str, _Flight] = {}
        self._after: set[asyncio.Task[None]] = set()
        self.rebuilt = 0

    @property
    def is_near(self) -> bool:
        """Whether nothing but memory and this machine's disk is asked, so that nobody waits."""
        return self._record.is_file and isinstance(self.hot, NoHot)

    def near(self, user_id: str | None, current: Current) -> Met:
        """The person from memory, disk and record, here and now."""
        if user_id is None:
            return self.nobody(current)
        known = self._known(user_id, current)
        try:
            known = self._read(user_id, known, current)
        except StoreUnavailable:
            return _unread(known, current)
        self._remembered.keep(user_id, known, current)
        return _met(known, current)

    def nobody(self, current: Current) -> Met:
        """Who asks without an id."""
        return Met(History.empty(), current, controls=self._record.choices.base)

    async def meet(self, user_id: str | None, current: Current) -> Met:
        """The same, from a copy where one holds; requests of one moment for one person read once.

        A request may share only what is read after it came: what was read before may lack an event
        that was acknowledged in between.
        """
        if user_id is None:
            return self.nobody(current)
        if self.is_near:
            return self.near(user_id, current)
        flight = self._flights.get(user_id)
        if flight is None or flight.has_begun or flight.current is not current:
            flight = _Flight(flight, current, lambda: self._far(user_id, current))
            self._flights[user_id] = flight
        try:
            return await flight.met()
        finally:
            if self._flights.get(user_id) is flight and flight.is_over:
                del self._flights[user_id]

    async def changed(self, user_ids: Collection[str]) -> None:
        """Return when no worker uses a copy made before these people's newest events were stored.

        Raises
        ------
        StoreUnavailable
            That cannot be said: the events are stored, but must not be acknowledged.
        """
        if isinstance(self.hot, NoHot):
            return
        everybody = await asyncio.to_thread(self._record.aliases.same_people, user_ids)
        if not self._fence.is_fresh():
            await self._fence.look()
        # Under a number of long ago others' copies would not be found.
        if not self._fence.is_fresh() or not await self.hot.forget(everybody, self._under):
            await self._fence.raise_()

    async def drop_copies(self, user_ids: Collection[str]) -> bool:
        """Remove every copy of these people, also those nobody uses; whether that is certain."""
        if isinstance(self.hot, NoHot):
            return True
        if not self._fence.is_fresh():
            await self._fence.look()
        newest = self._fence.number
        under = [str(number) for number in range(max(0, newest - OLDER_FENCES), newest + 1)]
        return self._fence.is_fresh() and await self.hot.forget(user_ids, *under)

    async def watch(self) -> None:
        """Watch, as long as the service runs, whether copies may be trusted."""
        if not isinstance(self.hot, NoHot):
            await self._fence.watch()

    async def close(self) -> None:
        """Let go of the copies."""
        for task in self._after:
            task.cancel()
        await asyncio.gather(*self._after, return_exceptions=True)
        await self.hot.close()

    @property
    def _under(self) -> str:
        return str(self._fence.number)

    def _known(self, user_id: str, current: Current) -> Known:
        known = self._remembered.find(user_id, current)
        return known or Known(self._newest(current.past_of(user_id), current), current.record_seq)

    def _read(self, user_id: str, known: Known, current: Current) -> Known:
        """What is known, and what the record has beyond it."""
        news = self._since(user_id, known.upto_seq)
        if news.joins != known.joins:
            # What a joined id did is older than what was read last.
            known = self._of_all_ids(user_id, current, news.joins)
            news = self._since(user_id, known.upto_seq)
        known = replace(known, controls=news.controls)
        if not news.events:
            return known
        merged = known.history.merged(current.placed(news.events))
        history = self._newest(merged, current)
        return replace(known, history=history, upto_seq=news.upto_seq)

    def _newest(self, history: History, current: Current) -> History:
        return newest(history, self._limit, current.shown_limit)

    def _since(self, user_id: str, after_seq: int) -> News:
        limit = self._limit * RECORD_ROWS_AN_EVENT
        return self._record.since(user_id, after_seq=after_seq, limit=limit)

    def _of_all_ids(self, user_id: str, current: Current, joins: int) -> Known:
        history = History.empty()
        for one in self._record.aliases.ids_of(user_id):
            history = history.merged(current.past_of(one))
        return Known(self._newest(history, current), current.record_seq, joins)

    async def _far(self, user_id: str, current: Current) -> Met:
        may_trust, under = self._fence.may_trust(), self._under
        known = self._known(user_id, current)
        seen = None
        if may_trust:
            seen = await self.hot.find(user_id, under, with_copy=known.mark is None)
        held = None if seen is None else self._held(seen, known, current)
        if held is not None:
            self._remembered.keep(user_id, held, current)
            return _met(held, current)
        self.rebuilt += 1
        try:
            known = await self._asked(user_id, known, current)
        except (StoreUnavailable, TimeoutError):
            return _unread(known, current)
        known = replace(known, mark=None if seen is None else f"{under}/{seen.mark}")
        self._remembered.keep(user_id, known, current)
        if seen is not None:
            self._later(self.hot.keep(user_id, under, seen.mark, written_copy(known, current)))
        return _met(known, current)

    def _held(self, seen: Seen, known: Known, current: Current) -> Known | None:
        """What holds under the mark, at hand or in the copy; None if the record must be read."""
        mark = f"{self._under}/{seen.mark}"
        if known.mark == mark:
            return known
        base = self._record.choices.base
        copy = None if seen.body is None else read_copy(seen.body, current, base)
        return None if copy is None else replace(copy, mark=mark)

    async def _asked(self, user_id: str, known: Known, current: Current) -> Known:
        """As `_read`, but the loop never waits for a server, and one that fails is left alone."""
        if self._record.is_file:
            return self._read(user_id, known, current)
        if not self._breaker.may_ask():
            raise StoreUnavailable("the record's server failed too often just now")
        try:
            async with asyncio.timeout(SERVER_S):
                found = await asyncio.to_thread(self._read, user_id, known, current)
        except (StoreUnavailable, TimeoutError):
            self._breaker.failed()
            raise
        self._breaker.succeeded()
        return found

    def _later(self, work: Awaitable[None]) -> None:
        # Nobody's answer waits for it; the loop itself keeps only weak references to tasks.
        task = asyncio.ensure_future(work)
        self._after.add(task)
        task.add_done_callback(self._after.discard)


def _met(known: Known, current: Current) -> Met:
    # Of an erased person the histories on disk may still know something for a while.
    history = History.empty() if known.controls.is_erased else known.history
    return Met(history, current, controls=known.controls)


def _unread(known: Known, current: Current) -> Met:
    """A person whose choices cannot be read: not personalised, whatever they were before."""
    return Met(History.empty(), current, ("record",), known.controls.unread())


class _Flight:
    """One reading for everybody who came before it began; it begins when the one before ends."""

    def __init__(
        self, before: "_Flight | None", current: Current, read: Callable[[], Awaitable[Met]]
    ) -> None:
        self.has_begun = False
        self.current = current
        self._before = before
        self._read = read
        self._task = asyncio.ensure_future(self._fly())

    @property
    def is_over(self) -> bool:
        """Whether everybody has their answer."""
        return self._task.done()

    async def met(self) -> Met:
        """What was read; that one who waits is gone does not end it for the others."""
        return await asyncio.shield(self._task)

    async def _fly(self) -> Met:
        if self._before is not None:
            await asyncio.wait({self._before._task})
            self._before = None
        self.has_begun = True
        return await self._read()
