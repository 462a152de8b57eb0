"""When to leave something that fails alone, and when to ask it again."""

from collections import deque
from collections.abc import Callable
from time import monotonic

FAILURES, WITHIN_S = 5, 1.0
PROBE_S = 1.0
# One good answer of something half broken is chance; so many in a row close the breaker.
GOOD_PROBES = 3


class Breaker:
    """Open after 5 failures in a second; then one probe a second, closed after 3 good ones.

    Parameters
    ----------
    clock
        Seconds that only go forward.

    Attributes
    ----------
    opened
        How often it opened.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._failed_at: deque[float] = deque(maxlen=FAILURES)
        self._good_probes = 0
        self._probed_at = 0.0
        self.is_open = False
        self.opened = 0

    def may_ask(self) -> bool:
        """Whether to ask now; while it is open, saying yes counts as the probe of this second."""
        if not self.is_open:
            return True
        now = self._clock()
        if now - self._probed_at < PROBE_S:
            return False
        self._probed_at = now
        return True

    def succeeded(self) -> None:
        """What was asked answered."""
        # Failures are not forgotten for it: what fails every other time is broken too.
        if self.is_open:
            self._good_probes += 1
            self.is_open = self._good_probes < GOOD_PROBES

    def failed(self) -> None:
        """What was asked failed, or took too long."""
        now = self._clock()
        self._good_probes = 0
        self._failed_at.append(now)
        is_often = len(self._failed_at) == FAILURES and now - self._failed_at[0] <= WITHIN_S
        if is_often and not self.is_open:
            self.is_open, self._probed_at = True, now
            self.opened += 1
