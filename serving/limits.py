"""How many of something there may be in a minute: windows of what each sender did."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import time
from typing import NamedTuple

from serving.errors import TooMany

# A minute in slots, and the one that has begun: of any 60 seconds no more is let through than the
# limit, which a bucket that fills while it is emptied lets through twice.
SLOT_S, WINDOW_S = 5, 60
SLOTS = WINDOW_S // SLOT_S + 1
MOST_WINDOWS = 50_000


class Limit(NamedTuple):
    """So many a minute of something by each of some kind; 0 is no limit."""

    kind: str
    what: str
    most: int


@dataclass(slots=True)
class Window:
    """What one sender did in the last slots.

    Parameters
    ----------
    leased
        What all workers together still let this one take in the present slot.
    is_full
        Whether they said that there is no room before the next one.
    """

    slot: int
    counts: list[int] = field(default_factory=lambda: [0] * SLOTS)
    total: int = 0
    leased: int = 0
    is_full: bool = False

    def move_to(self, slot: int) -> None:
        """Forget what is over a minute ago."""
        for passed in range(self.slot + 1, min(slot, self.slot + SLOTS) + 1):
            self.total -= self.counts[passed % SLOTS]
            self.counts[passed % SLOTS] = 0
        if slot > self.slot:
            self.slot, self.leased, self.is_full = slot, 0, False

    def add(self, n: int) -> None:
        """Count in the present slot."""
        self.counts[self.slot % SLOTS] += n
        self.total += n

    def wait_slots(self, n: int, most: int) -> int:
        """How many slots must pass before n more fit."""
        left = self.total
        for passed in range(1, SLOTS + 1):
            left -= self.counts[(self.slot + passed) % SLOTS]
            if left + n <= most:
                return passed
        return SLOTS


class Windows:
    """The windows of one limit, of everybody who came in the last minute."""

    def __init__(self, limit: Limit, clock: Callable[[], float] = time) -> None:
        self.limit = limit
        self._clock = clock
        self._by: dict[str, Window] = {}

    def take(self, who: str, n: int = 1) -> Window:
        """Count n more of somebody.

        Raises
        ------
        TooMany
            They do not fit; nothing is counted.
        """
        slot = int(self._clock() // SLOT_S)
        window = self._by.get(who)
        if window is None:
            window = self._by[who] = self._fresh(slot)
        elif window.slot != slot:
            window.move_to(slot)
        if window.is_full or window.total + n > self.limit.most:
            raise self.too_many(window, n)
        window.add(n)
        return window

    def too_many(self, window: Window, n: int) -> TooMany:
        """What is told to somebody for whom n more do not fit."""
        wait_s = window.wait_slots(n, self.limit.most) * SLOT_S
        kind, what, most = self.limit
        return TooMany(f"too many {what} of one {kind}; allowed: {most} a minute", wait_s)

    def _fresh(self, slot: int) -> Window:
        if len(self._by) >= MOST_WINDOWS:
            recent = {who: one for who, one in self._by.items() if one.slot > slot - SLOTS}
            # Many senders at once: whoever came first has the least to lose.
            for who in list(recent)[: max(0, len(recent) - MOST_WINDOWS // 2)]:
                del recent[who]
            self._by = recent
        return Window(slot)
