"""TRUST R01 and R34: started with nothing and nobody, and started again."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from serving.bench_faults_start import bare_start, is_fallback
from tests.faults.defects import with_defect

ROOT = Path(__file__).parents[2]
# A network of its own, in which there is nobody but itself.
ALONE = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


def test_with_nothing_there_every_list_is_answered(home):
    broken = bare_start(home)
    assert broken.lists.statuses.keys() == {200}
    assert len(broken.lists.good) == broken.lists.sent > 0, broken.lists.bad_answers
    assert len(broken.events.good) == broken.events.sent > 0
    assert broken.lost == set()


def test_without_a_network_it_is_the_same(tmp_path):
    can = subprocess.run([*ALONE, "true"], capture_output=True)
    if shutil.which("unshare") is None or can.returncode:
        pytest.skip(f"NOT TESTED: no network of its own can be had: {can.stderr!r}")
    told = tmp_path / "told.json"
    command = [*ALONE, sys.executable, "-m", "dapei", "bench", "faults", "--only", "R34"]
    done = subprocess.run(
        [*command, "--json", str(told)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    (row,) = orjson.loads(told.read_bytes())
    assert (row["valid_%"], row["lost"], row["dropped"], row["refused"]) == (100, 0, 0, 0)


def test_a_service_that_needs_a_bundle_would_be_seen(home):
    needy = with_defect("""
import serving.service as s
from recsys.errors import StoreUnavailable
def refuse(self, request, at):
    raise StoreUnavailable("no bundle")
s.Service._empty = refuse
""")
    broken = bare_start(home, program=needy)
    assert len(broken.lists.good) == 0
    assert broken.lists.statuses.keys() == {503}


@pytest.mark.parametrize(
    ("status", "body"),
    [(503, b""), (200, b'{"items":[],"degraded":[]}'), (200, b'{"degraded":["no_bundle"]}')],
)
def test_what_is_no_fallback_is_not_taken_for_one(status, body):
    assert not is_fallback(status, body)
