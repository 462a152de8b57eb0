"""TRUST R33 and R36: jobs killed and stopped at any point leave nothing half done that one sees."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from data.home import Home
from data.lake import Lake
from tests.imported import log_of, mapping_of
from tests.training.planted_home import planted_home

ROOT = Path(__file__).parents[2]
CHILD = ROOT / "tests/faults/job_child.py"
KILLS, POINTS = 100, 20


def stopped(job: str, folder: Path, number: signal.Signals, times: int) -> dict:
    command = [sys.executable, str(CHILD), job, str(folder), str(int(number)), str(times)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    return orjson.loads(done.stdout.splitlines()[-1])


def test_a_hundred_kills_while_publishing_leave_one_whole_bundle(tmp_path):
    (tmp_path / "home").mkdir()
    found = stopped("publishing", tmp_path, signal.SIGKILL, KILLS)
    assert (found["broken"], found["last"]) == ([], "")
    assert found["stopped"] > KILLS // 2, "killed too late to matter"
    assert not list((tmp_path / "home/bundles").glob(".*.unfinished"))


def test_a_bundle_written_in_place_would_be_seen(tmp_path):
    (tmp_path / "home").mkdir()
    assert stopped("publishing_in_place", tmp_path, signal.SIGKILL, 30)["broken"]


@pytest.mark.nightly
@pytest.mark.parametrize("job", ["training", "cycling"])
def test_training_stops_when_told_and_shows_nothing_partial(tmp_path, job):
    planted_home(tmp_path / "home")
    found = stopped(job, tmp_path, signal.SIGTERM, POINTS)
    assert (found["broken"], found["last"]) == ([], "")
    assert found["slowest_s"] <= 10
    assert found["stopped"] > 0
    assert not list((tmp_path / "home/bundles").glob(".*.unfinished"))


@pytest.fixture
def to_import(tmp_path) -> Path:
    """A folder with a home that has a log to import."""
    home = tmp_path / "home"
    home.mkdir()
    log_of(home / "log.csv", 20_000)
    mapping_of(home).rename(home / "log.toml")
    return tmp_path


def test_an_import_stops_when_told_and_shows_nothing_partial(to_import):
    found = stopped("importing", to_import, signal.SIGTERM, POINTS)
    assert (found["broken"], found["last"]) == ([], "")
    assert found["slowest_s"] <= 10
    home = to_import / "home"
    manifest = Lake(Home(home).lake).manifest()
    assert manifest.rows == 20_000
    there = {str(path.relative_to(home / "lake")) for path in (home / "lake").rglob("*.parquet")}
    assert there - {"items.parquet"} == {part.path for part in manifest.parts}


@pytest.mark.nightly
def test_an_import_in_pieces_would_be_seen(to_import):
    log_of(to_import / "home/half.csv", 10_000)
    broken = stopped("importing_in_pieces", to_import, signal.SIGTERM, POINTS)["broken"]
    assert any("10000 events are there" in one for one in broken)
