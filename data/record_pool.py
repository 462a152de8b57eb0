"""Connections of the record, waited for by a clock that only goes forward."""

import logging

from sqlalchemy.pool import ConnectionPoolEntry, QueuePool
from sqlalchemy.util.queue import Empty, Queue

# It tells of each connection that comes and goes, as SQLAlchemy's own pools do when they are asked.
logging.getLogger(__name__).setLevel(logging.WARNING)


class _SteadyQueue(Queue[ConnectionPoolEntry]):
    def get(self, block: bool = True, timeout: float | None = None) -> ConnectionPoolEntry:
        if not block or timeout is None:
            return super().get(block)
        with self.not_empty:
            if not self.not_empty.wait_for(lambda: not self._empty(), timeout):
                raise Empty
            # The lock is held, and by this thread may be taken once more.
            return super().get(False)


class SteadyPool(QueuePool):
    """SQLAlchemy's own waits by the wall clock: who waits when that is set is sent away."""

    _queue_class = _SteadyQueue
