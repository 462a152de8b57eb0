"""A long run with a random fault now and then: it must mend by itself, and nothing may grow."""

import os
import random
import signal
import time
from collections.abc import Callable, Sequence

import numpy as np

from data.home import Home
from recsys.pointer import publish
from recsys.signing import SigningKey
from serving.bench_faults import Broken, Press, lost_of, under_load
from serving.bench_faults_shop import BUNDLES, PROGRAM, Serving, serving, until

FROZEN_S = 2.0
MEND_S = 3.0


def soak(
    home: Home,
    *,
    seconds: float = 1_800.0,
    every_s: float = 60.0,
    seed: int = 0,
    program: Sequence[str] = PROGRAM,
) -> Broken:
    """R39: a steady load, and every so often a fault that a seed chooses.

    A worker is killed, or frozen for a while; all are replaced; a bundle is swapped; a damaged
    bundle is published and then a sound one.
    """
    rng = random.Random(seed)
    rss_mb: list[float] = []
    files: list[int] = []
    with serving(home.root, workers=2, program=program) as served:

        def breaking() -> None:
            end_at = time.monotonic() + seconds
            while time.monotonic() < end_at:
                rng.choice(FAULTS)(served, home)
                time.sleep(MEND_S)
                rss_mb.append(served.rss_mb())
                files.append(_open_files(served))
                time.sleep(max(0.0, min(every_s - MEND_S, end_at - time.monotonic())))

        press = Press(lists_per_second=50, batches_per_second=10, connections=8, tries=2)
        broken = under_load(served, breaking, press=press)
    broken.lost = lost_of(home, broken.events)
    broken.more["faults"] = len(rss_mb)
    broken.more["rss_mb_a_minute"] = round(_slope(rss_mb) * 60 / every_s, 3)
    broken.more["files_more"] = files[-1] - files[0]
    return broken


def _slope(values: list[float]) -> float:
    """How much a value grows from one fault to the next, once it has settled."""
    settled = values[len(values) // 3 :]
    return float(np.polyfit(range(len(settled)), settled, 1)[0]) if len(settled) > 2 else 0.0


def _open_files(served: Serving) -> int:
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in served.workers())


def _kill(served: Serving, _home: Home) -> None:
    os.kill(served.workers()[0], signal.SIGKILL)
    until(lambda: len(served.workers()) == 2)


def _freeze(served: Serving, _home: Home) -> None:
    frozen = served.workers()[0]
    os.kill(frozen, signal.SIGSTOP)
    time.sleep(FROZEN_S)
    os.kill(frozen, signal.SIGCONT)


def _replace(served: Serving, _home: Home) -> None:
    before = set(served.workers())
    served.parent.send_signal(signal.SIGHUP)
    until(lambda: len(served.workers()) == 2 and not before & set(served.workers()))


def _swap(served: Serving, home: Home) -> None:
    now = served.ask("GET", "/readyz")[2]
    other = next(one for one in BUNDLES if one.encode() not in now)
    publish(home.bundles, other, SigningKey.load_or_make(home.keys))


def _damage(served: Serving, home: Home) -> None:
    """The pointer is replaced by noise, as a disk would do; then it is as it was."""
    current = home.bundles / "current.json"
    sound = current.read_bytes()
    current.write_bytes(b"noise")
    time.sleep(FROZEN_S)
    current.write_bytes(sound)


FAULTS: tuple[Callable[[Serving, Home], None], ...] = (_kill, _freeze, _replace, _swap, _damage)
