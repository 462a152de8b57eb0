"""The record's log brought into its file beside the commits, so that none of them waits for it."""

import logging
from threading import Condition, Thread

from data.record_store import Store
from recsys.errors import StoreUnavailable

log = logging.getLogger(__name__)

# Each of them changes some three pages of a large record, so a pass brings some 30 MB to the file:
# the more rows one pass covers, the more of them share pages.
ROWS = 10_000
# When so few pages came while the last pass ran, the rest is done while commits wait.
FEW_PAGES = 2_000
PASSES = 5


class Checkpoints:
    """A thread that empties the record's log whenever enough was written.

    Parameters
    ----------
    store
        Stays the caller's: close this first.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows = 0
        self._is_closed = False
        self._changed = Condition()
        store.lengthen_log()
        self._thread = Thread(target=self._run, name="record-checkpoints", daemon=True)
        self._thread.start()

    def wrote(self, n_rows: int) -> None:
        """Say that so many rows are in the log since."""
        with self._changed:
            self._rows += n_rows
            if self._rows >= ROWS:
                self._changed.notify()

    def close(self) -> None:
        """Stop after the pass under way; what is in the log is durable there."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while self._is_wanted():
            try:
                self._empty()
            except StoreUnavailable as failure:
                log.error("the record's log was not emptied: %s", failure)

    def _is_wanted(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._rows >= ROWS or self._is_closed)
            self._rows = 0
            return not self._is_closed

    def _empty(self) -> None:
        """Passes beside the commits, each over what came during the last; then the rest at once.

        A log is begun anew only when all of it is in the file, and beside commits that never
        happens.
        """
        done = self._store.checkpoint(is_last=False)
        for _ in range(PASSES):
            before, done = done, self._store.checkpoint(is_last=False)
            if done - before <= FEW_PAGES:
                break
        self._store.checkpoint(is_last=True)
