"""The scenarios of Redis in `dapei bench faults`, short: every list is valid, no event is lost."""

import shutil

import pytest

from recsys.errors import RecsysError
from serving.bench_faults_redis import Redis, emptied_redis, frozen_redis, killed_redis

SHORT = [
    lambda home: killed_redis(home, away_s=1.0),
    lambda home: frozen_redis(home, frozen_s=1.0),
    lambda home: emptied_redis(home, times=1),
]


@pytest.mark.nightly
@pytest.mark.parametrize("scenario", SHORT, ids=["killed", "frozen", "emptied"])
def test_every_list_is_valid_and_nothing_is_lost(home, scenario):
    if shutil.which("redis-server") is None:
        pytest.skip("NOT TESTED: there is no Redis here; install the package redis-server")
    broken = scenario(home)
    assert len(broken.lists.good) == broken.lists.sent > 0, broken.lists.bad_answers
    assert broken.lost == set()


def test_without_redis_one_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(RecsysError, match="redis-server is not here"):
        Redis.started(1)
