import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from serving.bench_faults_shop import until

ROOT = Path(__file__).parents[2]
# Starts a child that would sleep for a minute, says its number, and waits to be killed.
STARTING = """
import subprocess, sys, time
from serving.leash import leashed
child = subprocess.Popen(["sleep", "60"], preexec_fn=leashed if sys.argv[1] == "yes" else None)
print(child.pid, flush=True)
time.sleep(60)
"""


def still_runs(pid: int) -> bool:
    """Whether a process is there and is no mere name in the table."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def orphan_of(is_leashed: str) -> int:
    """The number of a child whose parent was killed."""
    command = [sys.executable, "-c", STARTING, is_leashed]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    return child


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children")
def test_a_leashed_child_ends_when_its_parent_is_killed():
    child = orphan_of("yes")
    until(lambda: not still_runs(child), seconds=20)


def test_a_child_without_a_leash_would_be_seen():
    child = orphan_of("no")
    assert still_runs(child)
    os.kill(child, signal.SIGKILL)
