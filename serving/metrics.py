"""What a monitor wants to know, counted by every worker and told by any of them for all.

Workers write their numbers into small files of one folder, so that who is asked adds them up; what
a worker that died had counted stays counted.
"""

import os
from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector

from recsys.events import ServedList

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# Where lists and their stages are expected, from a tenth of a millisecond on.
FAST_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
ANSWER_S = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
# From acts told at once to those a phone kept for days.
LAG_S = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0, 86_400.0, 604_800.0)


def share(folder: Path) -> None:
    """Let all processes forked from here count together, in an empty folder."""
    # The library chooses on import, from the environment; it is asked to choose again.
    os.environ[FOLDER] = str(folder)
    values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]


class Metrics:
    """The numbers of one worker, and the answer of /metrics for all.

    Parameters
    ----------
    folder
        That of `share`; None where there is one process.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._counted: dict[tuple[Counter, tuple[str, ...]], int] = {}
        self._timed: dict[tuple[Histogram, tuple[str, ...]], list[float]] = {}
        self._registry = CollectorRegistry()
        self._answers = self._counter("answers", "Answers by route and status.", "route", "status")
        self._answer_s = self._times("answer", "Time to answer.", ANSWER_S, "route")
        self._stage_s = self._times("stage", "Time in a part of a list.", FAST_S, "stage")
        self._lists = self._counter("lists", "Lists by scene and ladder step.", "scene", "step")
        self._degraded = self._counter("degraded", "Lists that did without a thing.", "without")
        self._events = self._counter("events", "Events by what became of them.", "became")
        self._lag_s = self._times("event_lag", "From an act to its event.", LAG_S)
        self._lost = self._counter("lost_lists", "Served lists the record did not get.")
        self._refused = self._counter("refused_bundles", "Bundles and pointers refused.")
        self._waiting = self._gauge("waiting_events", "Events that wait for the disk.", "livesum")
        told = "Number of the pointer in use, the lowest of all workers."
        self._bundle = self._gauge("bundle_counter", told, "livemin")

    def _counter(self, name: str, told: str, *labels: str) -> Counter:
        return Counter(f"dapei_{name}", told, labels, registry=self._registry)

    def _times(self, name: str, told: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        into = self._registry
        return Histogram(f"dapei_{name}_seconds", told, labels, buckets=buckets, registry=into)

    def _gauge(self, name: str, told: str, mode: Literal["livesum", "livemin"]) -> Gauge:
        return Gauge(f"dapei_{name}", told, multiprocess_mode=mode, registry=self._registry)

    def answered(self, route: str, status: int, spent_s: float) -> None:
        """An answer left."""
        self._count(self._answers, (route, str(status)))
        self._times_of(self._answer_s, (route,)).append(spent_s)

    def spent(self, stages: Iterable[tuple[str, float]]) -> None:
        """Seconds that the parts of one list took."""
        for stage, spent_s in stages:
            self._times_of(self._stage_s, (stage,)).append(spent_s)

    def listed(self, served: ServedList) -> None:
        """A list was made."""
        self._count(self._lists, (served.scene, step_of(served)))
        for what in served.degraded:
            self._count(self._degraded, (what,))

    def _count(self, counter: Counter, labels: tuple[str, ...]) -> None:
        key = (counter, labels)
        self._counted[key] = self._counted.get(key, 0) + 1

    def _times_of(self, times: Histogram, labels: tuple[str, ...]) -> list[float]:
        return self._timed.setdefault((times, labels), [])

    def _tell(self) -> None:
        """Put what was counted since the last time where every worker can read it."""
        counted, self._counted = self._counted, {}
        timed, self._timed = self._timed, {}
        for (counter, labels), n in counted.items():
            counter.labels(*labels).inc(n)
        for (times, labels), values_s in timed.items():
            _observe(times.labels(*labels), values_s)

    def took(self, became: dict[str, int], lags_s: Sequence[float]) -> None:
        """A batch of events was dealt with."""
        for outcome, n in became.items():
            self._events.labels(outcome).inc(n)
        for lag_s in lags_s:
            self._lag_s.observe(max(lag_s, 0))

    def look(self, *, lost: int, refused: int, waiting: int, bundle: int) -> None:
        """What a worker knows of itself: lost and refused since the last look, the others now.

        What it counted since then is told to all as well: answer by answer that would take longer
        than much of the answer.
        """
        self._tell()
        self._lost.inc(lost)
        self._refused.inc(refused)
        self._waiting.set(waiting)
        self._bundle.set(bundle)

    def told(self) -> bytes:
        """All numbers, of all workers, in the text format of Prometheus."""
        if self._folder is None:
            return generate_latest(self._registry)
        _forget_dead(self._folder)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self._folder))  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def _observe(times: Histogram, values_s: list[float]) -> None:
    """Observe many values, each bucket written once; the library knows only one at a time."""
    bounds: list[float] = times._upper_bounds
    places = Counts(bisect_left(bounds, value_s) for value_s in values_s)
    times._sum.inc(sum(values_s))
    for place, n in places.items():
        times._buckets[place].inc(n)


def step_of(served: ServedList) -> str:
    """How far down the ladder a list is: personal, popular, selection or empty."""
    if not served.items:
        return "empty"
    if served.personalised:
        return "personal"
    is_heard = any(item.source != "selection" for item in served.items)
    return "popular" if is_heard else "selection"


def _forget_dead(folder: Path) -> None:
    """What is true of a worker now is not true of one that is gone."""
    for path in folder.glob("gauge_live*.db"):
        pid = int(path.stem.rpartition("_")[2])
        if not Path(f"/proc/{pid}").exists():
            path.unlink(missing_ok=True)
