"""Jobs that are stopped and killed, forked from a process that has loaded everything.

Usage: job_child.py JOB FOLDER SIGNAL TIMES. Runs the job once to its end to see how long it takes,
then again and again, each time stopped at another moment. One JSON line on stdout.
"""

import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import orjson

from data.home import Home
from data.importing import run_import
from data.lake import Lake
from recsys.bundle_files import read, write
from recsys.catalog import Catalog
from recsys.pointer import publish, read_pointer
from recsys.signing import SigningKey
from tests.faults.power_child import TABLE
from tests.planted import NOW, FixedForAll, bundle_of, item
from tests.training.planted_home import CONFIG
from training.cycle import collect, train

# How Parquet files end.
END = b"PAR1"


def publishing(home: Home) -> None:
    """One more bundle, written and published."""
    key = SigningKey.load_or_make(home.keys)
    bundle = bundle_of(Catalog.of([item(n) for n in range(8)]), {"p": FixedForAll(items=(3, 1))})
    bundle_id = f"bundle-{time.monotonic_ns()}"
    write(replace(bundle, bundle_id=bundle_id), home.bundles, key, table=TABLE)
    publish(home.bundles, bundle_id, key)


def publishing_in_place(home: Home) -> None:
    """The defect: files appear under their last name one after the other, the pointer first."""
    publishing(home)
    key = SigningKey.load_or_make(home.keys)
    pointer = read_pointer(home.bundles, key.public)
    path = home.bundles / pointer.bundle_id
    for one in sorted(path.iterdir()):
        content = one.read_bytes()
        one.write_bytes(b"")
        time.sleep(0.001)
        one.write_bytes(content)


def importing(home: Home, logs: Sequence[str] = ("log.csv",)) -> None:
    """Events of a file to the lake, and histories built."""
    for log in logs:
        run_import(home.root / "log.toml", [home.root / log], home, now=NOW)


def importing_in_pieces(home: Home) -> None:
    """The defect: half of what is imported is there before the rest is."""
    importing(home, ("half.csv", "log.csv"))


def training(home: Home) -> None:
    """A bundle of what the home holds."""
    # Another moment each time: one that came to its end before it was stopped has taken its name.
    now = NOW + timedelta(microseconds=time.monotonic_ns() // 1_000)
    train(home, CONFIG, now=now, wants_publish=True, is_evaluated=False)


def cycling(home: Home) -> None:
    """Record to lake to histories to bundle."""
    collect(home)
    training(home)


JOBS: dict[str, Callable[[Home], None]] = {
    "publishing": publishing,
    "publishing_in_place": publishing_in_place,
    "importing": importing,
    "importing_in_pieces": importing_in_pieces,
    "training": training,
    "cycling": cycling,
}


def forked(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        work()
    finally:
        os._exit(0)


def whole(home: Home) -> str:
    """What is wrong with the events in the lake, or with the bundle in use; empty if nothing is."""
    return part_of_lake(home) or part_of_bundle(home)


def part_of_lake(home: Home) -> str:
    """An import is there with all its events or not at all, whatever killed it.

    Without Polars: its threads would not live on in what is forked next.
    """
    lake = Lake(home.lake)
    manifest = lake.manifest()
    cut = [one.path for one in manifest.parts if (lake.folder / one.path).read_bytes()[-4:] != END]
    log = home.root / "log.csv"
    wanted = (0, log.read_bytes().count(b"\n") - 1) if log.exists() else (manifest.rows,)
    return (
        f"{manifest.rows} events are there, {cut} cut" if cut or manifest.rows not in wanted else ""
    )


def part_of_bundle(home: Home) -> str:
    """The bundle in use reads whole, or there is none."""
    public = SigningKey.load_or_make(home.keys).public
    try:
        pointer = read_pointer(home.bundles, public) if home.bundles.exists() else None
        if pointer is not None and pointer.bundle_id.startswith("bundle-"):
            read(home.bundles / pointer.bundle_id, public, table=TABLE)
        elif pointer is not None:
            read(home.bundles / pointer.bundle_id, public)
    except Exception as error:  # whatever it is, it is told
        return repr(error)
    return ""


def run(job: str, folder: Path, number: int, times: int) -> dict:
    rng, broken, slowest_s, stopped = random.Random(33), [], 0.0, 0
    work = JOBS[job]
    timed = folder / "timed"
    shutil.copytree(folder / "home", timed)
    began_at = time.monotonic()
    os.waitpid(forked(lambda: work(Home(timed))), 0)
    whole_s = time.monotonic() - began_at
    home = Home(folder / "home")
    for n in range(times):
        pid = forked(lambda: work(home))
        time.sleep(whole_s * (n + rng.random()) / times)
        told_at = time.monotonic()
        os.kill(pid, number)
        _, status = os.waitpid(pid, 0)
        stopped += os.WIFSIGNALED(status)
        slowest_s = max(slowest_s, time.monotonic() - told_at)
        if wrong := whole(home):
            broken.append(wrong)
    work(home)
    return {"broken": broken, "stopped": stopped, "slowest_s": slowest_s, "last": whole(home)}


if __name__ == "__main__":
    name, place, sent, n_times = sys.argv[1:]
    said = run(name, Path(place), int(sent), int(n_times))
    sys.stdout.write(orjson.dumps(said).decode() + "\n")
