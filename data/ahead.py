"""Work done one step ahead in a second thread, so that both cores have something to do."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(steps: Iterator[T]) -> Iterator[T]:
    """The same steps in the same order, each made while the caller uses the one before."""
    with ThreadPoolExecutor(max_workers=1) as worker:
        upcoming = worker.submit(next, steps, None)
        while (step := upcoming.result()) is not None:
            upcoming = worker.submit(next, steps, None)
            yield step
