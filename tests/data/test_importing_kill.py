"""TRUST R13: an import killed at any point and run again ends with exact totals."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from data.home import Home
from data.lake import Lake
from tests.imported import LOG, bring, log_of, mapping_of, past_of

ROOT = Path(__file__).parents[2]
N_EVENTS = 60_000
# Kept small so that runs, parts and ranges are many and a kill may come between any two of them.
SLOW = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
import data.histories_build, data.importing, data.lake, data.runs
from data.home import Home

data.importing.ROWS_A_BATCH = 5_000
data.histories_build.ROWS_TOGETHER = 10_000
print("ready", flush=True)
def slowly(step, done, total):
    time.sleep(0.01)
if sys.argv.pop() == "hasty":
    # Every part is seen as soon as it is written, not all of them in one step.
    sorted_in = data.lake.Draft.add
    def add(self, runs):
        for n in sorted_in(self, runs):
            self.commit()
            yield n
    data.lake.Draft.add = add
mapping, file, home = map(Path, sys.argv[1:])
now = datetime(2026, 6, 1, tzinfo=UTC)
data.importing.run_import(mapping, [file], Home(home), now=now, progress=slowly)
print("done", flush=True)
"""


def started(folder: Path, log: Path, how: str = "whole") -> subprocess.Popen:
    said = (str(mapping_of(folder)), str(log), str(folder / "home"), how)
    command = [sys.executable, "-c", SLOW, *said]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def killed_after(folder: Path, log: Path, seconds: float) -> bool:
    """Whether the import was still going when it was killed."""
    process = started(folder, log)
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=30)
    rest = process.stdout.read()
    process.stdout.close()
    return "done" not in rest


def whole_run_s(folder: Path, log: Path) -> float:
    folder.mkdir()
    start = time.monotonic()
    process = started(folder, log)
    start = time.monotonic()
    assert process.wait(timeout=120) == 0
    process.stdout.close()
    return time.monotonic() - start


def check_whole(folder: Path) -> None:
    lake = Lake(Home(folder / "home").lake)
    manifest = lake.manifest()
    assert manifest.rows == N_EVENTS
    assert len(manifest.imports) == 1
    assert len(past_of(folder).histories.events) == N_EVENTS
    assert len(lake.read_items()) == 31
    there = {str(path.relative_to(lake.folder)) for path in lake.folder.rglob("events/*/*.parquet")}
    assert there == {part.path for part in manifest.parts}
    rows = lake.scan(manifest).select(pl.struct("person", "key").n_unique()).collect().item()
    assert rows == N_EVENTS


@pytest.fixture(scope="module")
def log(tmp_path_factory) -> Path:
    return log_of(tmp_path_factory.mktemp("log") / "log.csv", N_EVENTS)


def test_an_import_killed_ten_times_at_any_point_ends_exact(tmp_path, log):
    rng = random.Random(13)
    total_s = whole_run_s(tmp_path / "timed", log)
    kills = 0
    for number in range(40):
        if kills == 10:
            break
        folder = tmp_path / f"killed-{number}"
        folder.mkdir()
        kills += killed_after(folder, log, total_s * rng.uniform(0.02, 0.98))
        bring(folder, LOG, log)
        check_whole(folder)
    assert kills == 10


def test_one_home_survives_a_row_of_kills(tmp_path, log):
    for seconds in (0.05, 0.2, 0.4, 0.8):
        killed_after(tmp_path, log, seconds)
    bring(tmp_path, LOG, log)
    check_whole(tmp_path)


def test_a_killed_import_leaves_nothing_that_a_reader_sees(tmp_path, log):
    killed_after(tmp_path, log, 0.3)
    manifest = Lake(Home(tmp_path / "home").lake).manifest()
    assert manifest.rows in (0, N_EVENTS)


def test_an_import_that_shows_its_parts_one_by_one_would_be_seen(tmp_path, log):
    process = started(tmp_path, log, "hasty")
    lake = Lake(Home(tmp_path / "home").lake)
    while lake.manifest().rows == 0:
        assert process.poll() is None, "the import ended before anything was seen"
        time.sleep(0.002)
    process.kill()
    process.wait(timeout=30)
    process.stdout.close()
    assert lake.manifest().rows not in (0, N_EVENTS)
    bring(tmp_path, LOG, log)
    with pytest.raises(AssertionError):
        check_whole(tmp_path)
