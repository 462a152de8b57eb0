"""Whether copies of histories may be trusted, and how one worker tells all others that not.

A worker that stored an event must make the copies of that person void before it acknowledges. When
it cannot reach them, others perhaps still can. So it raises a number in the record, which every
worker looks at all the time, and acknowledges only when all must have seen it: whoever sees the
number rise, or has not seen it for a while, reads the record and no copies, until it has been still
for long. Copies are kept under the number, so none of before is ever used again.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from data.record import Record
from recsys.errors import StoreUnavailable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How the workers of one shop keep step; all must have the same.

    Parameters
    ----------
    look_s
        Seconds between two looks at the number.
    stale_s
        Copies are not trusted when the last look is older than this.
    quiet_s
        Nor before the number has been still for so long.
    """

    look_s: float = 0.25
    stale_s: float = 1.0
    quiet_s: float = 5.0


class Fence:
    """One worker's view of the number.

    Attributes
    ----------
    number
        As it was seen last; copies are kept and found under it.
    """

    def __init__(
        self, record: Record, *, pace: Pace | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        self._record = record
        self._pace = pace or Pace()
        self._clock = clock
        self._looked_at = -float("inf")
        # What happened before this worker looked for the first time it cannot know.
        self._still_since = clock()
        self._raised_at = -float("inf")
        self._raising = asyncio.Lock()
        self.number = -1

    def may_trust(self) -> bool:
        """Whether a copy that is there, under the number, is as new as the record."""
        now = self._clock()
        has_looked = now - self._looked_at < self._pace.stale_s
        return has_looked and now - self._still_since >= self._pace.quiet_s

    async def watch(self) -> None:
        """Look at the number for ever."""
        while True:
            await self.look()
            await asyncio.sleep(self._pace.look_s)

    async def look(self) -> None:
        """Look once; when the record cannot be read, what was seen grows stale."""
        # What is read was true when it was asked for, not when the answer came.
        asked_at = self._clock()
        try:
            number = await asyncio.to_thread(self._record.fence)
        except StoreUnavailable as error:
            log.warning("the fence was not looked at: %s", error)
            return
        self._seen(number, asked_at)

    def _seen(self, number: int, asked_at: float) -> None:
        if number != self.number:
            self.number, self._still_since = number, self._clock()
        self._looked_at = asked_at

    async def raise_(self) -> None:
        """Return when no worker trusts a copy of before, and none will for a while.

        Raises
        ------
        StoreUnavailable
            The record cannot be written: nothing may be acknowledged.
        """
        async with self._raising:
            began_at = self._clock()
            in_force_until = self._raised_at + self._pace.quiet_s - self._pace.stale_s
            # Half of the time is left, so that it is raised again before anybody trusts again.
            if began_at < self._raised_at + self._pace.quiet_s / 2:
                return
            number = await asyncio.to_thread(self._record.raise_fence)
            if self._clock() > in_force_until:
                await asyncio.sleep(self._pace.stale_s)
            self._seen(number, began_at)
            self._raised_at = began_at
