"""C15 with R02: the power is cut while a person is erased; nobody is told more than is true."""

import os
import shutil
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest

from data.erasing import finish_erasures
from data.erasures import Erasures
from data.export import exported
from data.home import Home
from data.lake import Lake
from data.record import Record
from recsys.errors import RecsysError
from tests.powercut import Call, images, recorded
from tests.privacy.power_child import DEFECTS, GUEST, LATER, ME, N_EVENTS, OTHER

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    shutil.which("strace") is None, reason="NOT TESTED: strace is not installed"
)


@dataclass
class Found:
    """What images showed: how many there were by state, and what was wrong with the first one."""

    states: Counter = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def traces(home: Home) -> list[str]:
    """Files in whose bytes the person or their guest's id stands."""
    files = [path for path in home.root.rglob("*") if path.is_file()]
    marks = ME.encode(), GUEST.encode()
    return [p.name for p in files if any(mark in p.read_bytes() for mark in marks)]


def readable(home: Home, record: Record) -> list[str]:
    """What anybody can still read of the person through the project's own ways."""
    found = []
    if record.events_of(ME, after_seq=0, limit=99):
        found.append("history")
    if b'"what":"event"' in b"".join(exported(home, record, ME)):
        found.append("export")
    lake = Lake(home.lake)
    manifest = lake.manifest()
    if manifest.parts:
        held = lake.scan(manifest).filter(pl.col("user_id").is_in([ME, GUEST])).collect()
        found += ["lake"] * bool(held.height)
    return found


def check(image: Path, said: bytes) -> str:
    """The state that a restarted service tells; raises AssertionError if it is not true."""
    home = Home(image)
    left = traces(home)
    record = Record.of(home)
    try:
        status = Erasures(home, record).status(ME)
        state = "nobody asked" if status is None else status["state"]
        if b"asked" in said:
            assert status is not None, "who was promised to be forgotten is not known"
            assert record.choices.of(ME).is_erased, "and is shown as before"
        if b"done" in said:
            assert state == "done", "it was said to be done"
        if state == "done":
            assert left == [], f"said to be done, and bytes are in {left}"
            assert readable(home, record) == []
    finally:
        record.close()
    finish_erasures(home, now=LATER)
    check_end(home, is_asked=status is not None or bool(said.count(b"asked")))
    return state


def check_end(home: Home, *, is_asked: bool) -> None:
    """After a restart the erasure is over, or was never asked for; the other person is whole."""
    record = Record.of(home)
    try:
        status = Erasures(home, record).status(ME)
        assert len(record.events_of(OTHER, after_seq=0, limit=99)) == N_EVENTS
        assert record.damaged == set()
        if status is None:
            assert not is_asked
            assert readable(home, record) == ["history", "export", "lake"]
        else:
            assert status["state"] == "done"
            assert readable(home, record) == []
    finally:
        record.close()
    left = [] if status is None else traces(home)
    assert left == [], f"after a restart bytes are in {left}"


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Each program once, by its defect: what it did to its files."""
    done: dict[str, tuple[list[Call], Path]] = {}

    def of(defect: str) -> tuple[list[Call], Path]:
        if defect not in done:
            folder = tmp_path_factory.mktemp("cut")
            (folder / "home").mkdir()
            child = [sys.executable, "-m", "tests.privacy.power_child", str(folder / "home")]
            os.environ["PYTHONPATH"] = str(ROOT)
            calls = recorded([*child, defect], folder / "strace.log", cwd=ROOT)
            done[defect] = calls, folder / "home"
        return done[defect]

    return of


def cut(recording, defect: str, *, cuts: int, seeds: int = 1) -> Found:
    """Images from the moment on that the person is there, each looked at as a service would."""
    calls, root = recording(defect)
    found = Found()
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        for path, said in images(calls, root, Path(folder), seeds=seeds, cuts=cuts):
            if b"there" in said:
                try:
                    found.states[check(path, said)] += 1
                except (RecsysError, OSError, AssertionError, ValueError) as error:
                    found.wrong.append(f"{path.name}: {error!r}")
            shutil.rmtree(path)
            if defect != "none" and found.wrong:
                break
    return found


def test_no_power_cut_makes_an_erasure_untrue(recording):
    """Some of the moments; each image is opened, looked at, and the erasure brought to its end."""
    found = cut(recording, "none", cuts=36)
    assert found.wrong == []
    assert {"asked", "running"} <= found.states.keys()


@pytest.mark.nightly
def test_no_power_cut_at_any_call_makes_an_erasure_untrue(recording):
    found = cut(recording, "none", cuts=10**9)
    assert found.wrong == []
    assert found.states.total() >= 500


@pytest.mark.parametrize("defect", DEFECTS)
def test_the_cut_sees_the_defect(recording, defect):
    assert cut(recording, defect, cuts=400).wrong != []
