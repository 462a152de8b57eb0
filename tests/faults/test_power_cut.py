"""TRUST R02: whenever the power is cut, what was acknowledged is there and everything opens."""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from data.histories_file import Past
from data.home import Home
from data.lake import Lake
from data.record import Record
from recsys.bundle_files import read
from recsys.errors import RecsysError
from recsys.pointer import read_pointer
from recsys.signing import VerifyKey
from tests.faults.power_child import N_EVENTS, TABLE
from tests.powercut import images, recorded

ROOT = Path(__file__).parents[2]
CHILD = ROOT / "tests/faults/power_child.py"

pytestmark = pytest.mark.skipif(
    shutil.which("strace") is None, reason="NOT TESTED: strace is not installed"
)


def record_holds(image: Path) -> int:
    """How many batches the record has, all of them whole and in order."""
    record = Record.open(image / "record.db")
    try:
        found = [e for _, e, _ in sum(record.events_between(0, record.last_seq()), [])]
        assert not record.damaged
        ids = [event.event_id for event in found]
        whole = [f"event-{i // N_EVENTS}-{i % N_EVENTS}" for i in range(len(ids))]
        assert ids == whole, "something else than a prefix of what was written"
        return len(ids) // N_EVENTS
    finally:
        record.close()


def model_holds(image: Path) -> int:
    """The number of the bundle in use and one; it reads whole."""
    if not (image / "bundles").exists():
        return 0
    public = VerifyKey.load(image / "keys")
    pointer = read_pointer(image / "bundles", public)
    if pointer is None:
        return 0
    read(image / "bundles" / pointer.bundle_id, public, table=TABLE)
    return int(pointer.bundle_id.removeprefix("bundle-")) + 1


def lake_holds(image: Path) -> int:
    """How many batches both the lake and the histories have."""
    home = Home(image)
    lake = Lake(home.lake)
    manifest = lake.manifest()
    n_lake = len(lake.scan(manifest).collect()) if manifest.parts else 0
    assert n_lake == manifest.rows
    past = Past.open(home.histories)
    n_past = 0 if past is None else len(past.histories.events)
    assert n_lake % N_EVENTS == n_past % N_EVENTS == 0
    return min(n_lake, n_past) // N_EVENTS


# What each program must still hold, in numbers of what it acknowledged.
HOLDS: dict[str, Callable[[Path], int]] = {
    "record": record_holds,
    "model": model_holds,
    "lake": lake_holds,
}
CUTS, SEEDS = 180, 1


@dataclass
class Found:
    images: int = 0
    lost: int = 0
    unopened: int = 0
    why: str = ""


def cut(name: str, defect: str, tmp_path: Path, cuts: int = CUTS) -> Found:
    """Images of one program, opened; how many of them lost something or did not open."""
    root = tmp_path / "root"
    root.mkdir()
    os.environ["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, str(CHILD), name, str(root), defect]
    recording = recorded(command, tmp_path / "strace.log", cwd=ROOT)
    found = Found()
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        for path, said in images(recording, root, Path(folder), seeds=SEEDS, cuts=cuts):
            note(found, name, path, said)
            shutil.rmtree(path)
            if defect != "none" and found.lost + found.unopened:
                break
    return found


def note(found: Found, name: str, path: Path, said: bytes) -> None:
    found.images += 1
    try:
        if HOLDS[name](path) < said.count(b"\n"):
            found.lost += 1
            found.why = path.name
    except (RecsysError, OSError, AssertionError, ValueError) as error:
        found.unopened += 1
        found.why = f"{path.name}: {error!r}"


@pytest.mark.parametrize("name", HOLDS)
def test_no_power_cut_loses_what_was_acknowledged(name, tmp_path):
    found = cut(name, "none", tmp_path)
    assert (found.lost, found.unopened, found.why) == (0, 0, "")
    assert found.images >= 500


@pytest.mark.nightly
@pytest.mark.parametrize("name", HOLDS)
def test_no_power_cut_at_any_call_loses_what_was_acknowledged(name, tmp_path):
    found = cut(name, "none", tmp_path, cuts=10**9)
    assert (found.lost, found.unopened, found.why) == (0, 0, "")


@pytest.mark.parametrize("defect", ["no fsync", "early answer"])
@pytest.mark.parametrize("name", HOLDS)
def test_the_cut_sees_the_defect(name, defect, tmp_path):
    found = cut(name, defect, tmp_path)
    assert found.lost + found.unopened > 0
