"""A scenario of callers that wait only so long: each list in its time, with what fits into it."""

from dataclasses import replace
from time import perf_counter, sleep

from data.home import Home
from serving.bench_faults import Broken, Press, lost_of, some_list, under_load
from serving.bench_faults_load import Asked
from serving.bench_faults_shop import serving
from serving.deadlines import HEADER

DEADLINES_MS = (5, 10, 20, 35, 50)
# What an answer may be late by (TRUST R16).
LATE_MS = 5.0


class Hurried:
    """Home lists with a deadline each, by turns.

    Attributes
    ----------
    late_ms
        How much after its deadline each answer came; below 0 is before it.
    n_empty
        Answers with nothing in them, as their time was over before any work had begun.
    """

    def __init__(self) -> None:
        self.late_ms: list[float] = []
        self.n_empty = 0
        self._of = some_list()

    def __call__(self, number: int) -> Asked:
        """Request number n; its time begins now."""
        asked, asked_at = self._of(number), perf_counter()
        ms = DEADLINES_MS[number % len(DEADLINES_MS)]
        line = f"\r\n{HEADER}: {ms}\r\n".encode()

        def is_good(status: int, body: bytes) -> bool:
            self.late_ms.append(1_000 * (perf_counter() - asked_at) - ms)
            is_empty = status == 200 and is_told_empty(body)
            self.n_empty += is_empty
            return is_empty or asked.is_good(status, body)

        return replace(asked, content=asked.content.replace(b"\r\n", line, 1), is_good=is_good)


def is_told_empty(body: bytes) -> bool:
    """Whether an answer has no items and says that this is for want of time."""
    return b'"items":[]' in body and b'"deadline:sources"' in body


def hurried(home: Home, *, seconds: float = 10.0) -> Broken:
    """R16: lists with deadlines of 5 to 50 ms, as many of each."""
    asked = Hurried()
    press = Press(lists_per_second=100, batches_per_second=5)
    with serving(home.root, workers=2) as served:
        broken = under_load(served, lambda: sleep(seconds), press=press, list_of=asked)
    in_time = sum(ms <= LATE_MS for ms in asked.late_ms)
    broken.more["in_time_%"] = round(100 * in_time / broken.lists.sent, 3)
    broken.more["empty_%"] = round(100 * asked.n_empty / broken.lists.sent, 3)
    broken.lost = lost_of(home, broken.events)
    return broken
