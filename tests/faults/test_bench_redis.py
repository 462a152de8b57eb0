"""TRUST R17, R18, R19, R23, R25 through HTTP, short: every list is valid, no event is lost."""

import shutil
import subprocess

import pytest

from recsys.errors import RecsysError
from serving.bench_faults_cut import cut_redis, redis_far_away
from serving.bench_faults_redis import Redis, emptied_redis, frozen_redis, killed_redis, one_for_all
from tests.faults.defects import PATIENT_OF_REDIS, needs

SHORT = {
    "killed": lambda home: killed_redis(home, away_s=1.0),
    "frozen": lambda home: frozen_redis(home, frozen_s=2.0),
    "emptied": lambda home: emptied_redis(home, times=1),
    "asked for one": lambda home: one_for_all(home, seconds=2.0),
}


def check(broken) -> None:
    assert len(broken.lists.good) == broken.lists.sent > 0, broken.lists.bad_answers
    assert broken.lost == set()


@needs("redis-server")
@pytest.mark.nightly
@pytest.mark.parametrize("scenario", SHORT.values(), ids=SHORT.keys())
def test_every_list_is_valid_and_nothing_is_lost(home, scenario):
    check(scenario(home))


@needs("redis-server")
@pytest.mark.nightly
def test_a_service_that_waits_for_a_frozen_redis_would_be_seen(home):
    assert frozen_redis(home, frozen_s=2.0, program=PATIENT_OF_REDIS).more["meanwhile"] == 0


@pytest.fixture
def own_network():
    """Skips a test, aloud, where nobody may make a network."""
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        pytest.skip("NOT TESTED: no network of its own can be had")


@needs("redis-server", "ip", "unshare", "nsenter")
@pytest.mark.nightly
def test_packets_to_redis_swallowed_and_refused_cost_no_list(home, own_network):
    broken = cut_redis(home, cut_s=2.0)
    check(broken)
    assert broken.more["meanwhile"] > 0
    assert broken.more["meanwhile_refused"] > 0


@needs("redis-server", "ip", "unshare", "nsenter")
@pytest.mark.nightly
def test_a_service_that_waits_for_lost_packets_would_be_seen(home, own_network):
    assert cut_redis(home, cut_s=2.0, program=PATIENT_OF_REDIS).more["meanwhile"] == 0


def test_without_redis_one_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(RecsysError, match="redis-server is not here"):
        Redis.started(1)
    far_away = redis_far_away()
    with pytest.raises(RecsysError, match="redis-server is not here; install it, or leave R19"):
        far_away.__enter__()
