"""TRUST R10 and R39, nightly: a clock that jumps, and half an hour of faults."""

import os
import time
from pathlib import Path

import pytest

from serving.bench_faults import Press, lost_of, under_load
from serving.bench_faults_shop import PROGRAM, serving
from serving.bench_faults_soak import soak
from tests.faults.defects import FORWARD_ONLY, LEAKING

FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)
# Steps of the server's clock, in seconds, from the real time.
STEPS = (-2 * 86_400, 400 * 86_400, -3_600, 0)


def jumped(home, folder, program=()):
    """What people notice of a clock that jumps."""
    clock = folder / "clock"
    clock.write_text("+0")
    settings = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    words = (f"{name}={value}" for name, value in settings.items())
    with serving(home.root, program=("env", *words, *(program or PROGRAM))) as served:

        def jumping() -> None:
            for step in STEPS:
                # Replaced as a whole: half a number would be another time.
                (folder / "next").write_text(f"{step:+d}")
                os.replace(folder / "next", clock)
                time.sleep(3)

        return under_load(served, jumping, press=Press(lists_per_second=50, connections=4))


needs_faketime = pytest.mark.skipif(
    FAKETIME is None, reason="NOT TESTED: libfaketime is not installed"
)


@pytest.mark.nightly
@needs_faketime
def test_a_clock_that_jumps_breaks_nothing(home, tmp_path):
    broken = jumped(home, tmp_path)
    assert broken.lists.statuses.keys() == {200}
    assert len(broken.lists.good) == broken.lists.sent
    # Events that are from the future for the server are refused one by one, with the reason.
    assert broken.events.statuses.keys() == {202}
    assert lost_of(home, broken.events) == set()


@pytest.mark.nightly
@needs_faketime
def test_a_service_that_needs_time_to_go_forward_would_be_seen(home, tmp_path):
    assert 503 in jumped(home, tmp_path, FORWARD_ONLY).lists.statuses


def check_soak(broken) -> None:
    assert broken.lists.statuses.keys() == {200}
    assert broken.lists.share_good >= 0.9999
    assert broken.events.statuses.keys() <= {202, 503}
    assert broken.lost == set()


def test_a_short_run_of_faults(home):
    broken = soak(home, seconds=12, every_s=4, seed=3)
    check_soak(broken)
    assert broken.more["faults"] >= 2


@pytest.mark.nightly
def test_files_that_stay_open_would_be_seen(home):
    broken = soak(home, seconds=12, every_s=4, seed=3, program=LEAKING)
    assert abs(broken.more["files_more"]) > 10


@pytest.mark.nightly
@pytest.mark.parametrize("seconds", [int(os.environ.get("DAPEI_SOAK_S", "1800"))])
def test_half_an_hour_of_faults(home, seconds):
    broken = soak(home, seconds=seconds)
    check_soak(broken)
    assert broken.more["rss_mb_a_minute"] <= 1
    assert abs(broken.more["files_more"]) <= 10
