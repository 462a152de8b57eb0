"""Scenarios of a disk that fails or is full: events are refused, lists go on."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from data.home import Home
from recsys.errors import RecsysError
from serving.bench_faults import Broken, Press, lost_of, under_load
from serving.bench_faults_shop import PROGRAM, Serving, serving, until

BROKEN_S = 3.0
# SQLite writes with pwrite64; plain writes are those of sockets as well.
SYNCS, WRITES = "fdatasync,fsync", "pwrite64"


@contextmanager
def failing(served: Serving, calls: str, error: str) -> Iterator[None]:
    """System calls of every process of the service fail as long as this is open.

    Raises
    ------
    RecsysError
        strace cannot attach.
    """
    whom = [word for pid in served.processes() for word in ("-p", str(pid))]
    inject = ["-e", f"trace={calls}", "-e", f"inject={calls}:error={error}"]
    strace = subprocess.Popen(
        ["strace", "-f", "-o", "/dev/null", *inject, *whom], stderr=subprocess.PIPE, text=True
    )
    try:
        assert strace.stderr is not None
        for _ in range(len(whom) // 2):
            if "attached" not in (line := strace.stderr.readline()):
                raise RecsysError(f"strace cannot attach to the service: {line}")
        yield
    finally:
        strace.terminate()
        strace.wait()
        strace.stderr and strace.stderr.close()


def failed_fsync(home: Home, *, program: Sequence[str] = PROGRAM) -> Broken:
    """R03: fsync fails for a while. From then on no event may be acknowledged until a restart.

    Raises
    ------
    RecsysError
        One was.
    """
    with serving(home.root, program=program) as served:
        refused_s: list[float] = []

        def breaking() -> None:
            with failing(served, SYNCS, "EIO"):
                first_at = time.monotonic()
                until(lambda: served.post_events("first")[0] == 503, 10)
                refused_s.append(time.monotonic() - first_at)
                _refused_for(served, "while", BROKEN_S)
            _refused_for(served, "after", 1.0)

        broken = under_load(served, breaking, press=Press())
    broken.more["refused_after_ms"] = round(1_000 * refused_s[0], 1)
    broken.lost = lost_of(home, broken.events)
    return broken


def _refused_for(served: Serving, mark: str, seconds: float) -> None:
    end_at = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end_at:
        if served.post_events(f"{mark}-{number}")[0] == 202:
            raise RecsysError(f"events were acknowledged {mark} the failure; allowed: none")
        number += 1
        time.sleep(0.02)


def full_disk(home: Home, *, program: Sequence[str] = PROGRAM) -> Broken:
    """R04: the disk fills up under load and has room again."""
    filler = home.root / "filler"
    statuses: list[tuple[int, str]] = []
    resumed: list[float] = []
    with serving(home.root, program=program) as served:

        def breaking() -> None:
            fill(filler)
            until(lambda: served.post_events("probe")[0] != 202, 20)
            end_at = time.monotonic() + BROKEN_S
            number = 0
            while time.monotonic() < end_at:
                status, headers, _ = served.post_events(f"full-{number}")
                statuses.append((status, headers.get("retry-after", "")))
                number += 1
                time.sleep(0.05)
            filler.unlink()
            free_at = time.monotonic()
            until(lambda: served.post_events(f"again-{time.monotonic()}")[0] == 202, 20)
            resumed.append(time.monotonic() - free_at)

        broken = under_load(served, breaking, press=Press())
    broken.lost = lost_of(home, broken.events)
    broken.more["resumed_ms"] = round(1_000 * resumed[0], 1)
    broken.more["refused_wrongly"] = sum(
        status not in (503, 507) or not retry for status, retry in statuses
    )
    broken.more["refused"] = len(statuses)
    return broken


def fill(path: Path) -> None:
    """Leave no room on the disk of a path."""
    with path.open("wb", buffering=0) as file:
        for size in (65_536, 4_096):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def failed_writes(home: Home) -> Broken:
    """R04 once more: writing says that there is no space, whatever the disk has."""
    with serving(home.root) as served:

        def breaking() -> None:
            with failing(served, WRITES, "ENOSPC"):
                until(lambda: served.post_events(f"probe-{time.monotonic()}")[0] != 202, 20)
                time.sleep(1)

        broken = under_load(
            served, breaking, press=Press(lists_per_second=50, batches_per_second=10, connections=4)
        )
    broken.lost = lost_of(home, broken.events)
    return broken
