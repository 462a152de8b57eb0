"""The same work for many worlds, in so many processes at once."""

from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from signal import SIG_IGN, SIGINT, signal
from typing import TypeVar

Task = TypeVar("Task")
Done = TypeVar("Done")


def at_once(work: Callable[[Task], Done], tasks: Sequence[Task], jobs: int) -> Iterator[Done]:
    """What comes of each task, in the order of tasks; with more than one job in processes.

    Processes are new ones, as threads that compiled code runs in do not survive a fork. They end
    with the last task, and when who asked stops asking.

    Parameters
    ----------
    work
        Of a module, so that a new process finds it.
    """
    if jobs == 1:
        yield from map(work, tasks)
        return
    n = min(jobs, max(1, len(tasks)))
    # Who asked hears of Ctrl-C and ends them all; alone each would tell of it.
    with get_context("spawn").Pool(n, signal, (SIGINT, SIG_IGN)) as pool:
        yield from pool.imap(work, tasks)
