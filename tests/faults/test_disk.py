"""TRUST R03 and R04: a disk that fails or is full stops events, never lists."""

import shutil
import subprocess

import pytest

from data.home import Home
from recsys.errors import RecsysError
from serving.bench_faults_disk import failed_fsync, failed_writes, full_disk
from tests.faults.defects import EARLY_ANSWER, FSYNC_AGAIN, needs


@needs("strace")
def test_after_a_failed_fsync_nothing_is_acknowledged_and_lists_go_on(home):
    broken = failed_fsync(home)
    assert len(broken.lists.good) == broken.lists.sent > 0, broken.lists.bad_answers
    assert broken.events.statuses.keys() <= {202, 503}
    assert broken.events.statuses[503] > 0
    assert broken.lost == set()


@needs("strace")
@pytest.mark.parametrize("defect", [FSYNC_AGAIN, EARLY_ANSWER])
def test_an_answer_after_a_failed_fsync_would_be_seen(home, defect):
    with pytest.raises(RecsysError, match="acknowledged|did not come"):
        failed_fsync(home, program=defect)


@pytest.fixture
def small_disk(furnished, tmp_path):
    """The shop on a disk of 16 MB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"NOT TESTED: no small disk can be mounted: {mounted.stderr!r}")
    try:
        yield Home(shutil.copytree(furnished, place / "home", copy_function=shutil.copy))
    finally:
        # Lazily: a process just killed may hold a file of it for a moment yet.
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@needs("mount")
def test_a_full_disk_refuses_events_until_there_is_room(small_disk):
    broken = full_disk(small_disk)
    assert len(broken.lists.good) == broken.lists.sent > 0, broken.lists.bad_answers
    assert broken.events.statuses.keys() <= {202, 503, 507}
    assert broken.more["refused"] > 0
    assert broken.more["refused_wrongly"] == 0
    assert broken.lost == set()


@needs("mount")
def test_an_answer_without_room_would_be_seen(small_disk):
    with pytest.raises(RecsysError, match="did not come"):
        full_disk(small_disk, program=EARLY_ANSWER)


@needs("strace")
def test_no_space_for_one_call_is_no_space(home):
    broken = failed_writes(home)
    assert len(broken.lists.good) == broken.lists.sent > 0, broken.lists.bad_answers
    assert broken.events.statuses[503] > 0
    assert broken.lost == set()
