"""S11: nobody gets more than their minute, nobody else less, with Redis or without it."""

import asyncio
from dataclasses import dataclass
from functools import wraps
from pathlib import Path

import pytest

from data.record import Record
from serving.access import ACCESS
from serving.addresses import Addresses
from serving.errors import BodyTooLarge, TooMany, Unauthorized
from serving.gate import Gate
from serving.hot import NoHot
from serving.hot_redis import RedisHot
from serving.identity import Caller, Plane
from serving.keyring import Keyring
from serving.limits import SLOT_S, SLOTS, WINDOW_S, Limit, Windows
from serving.settings import LimitSettings, TokenSettings
from serving.token_secrets import TokenSecrets
from tests.planted import NOW
from tests.security.conftest import bearer, keyed_in
from tests.security.test_planes import own, told
from tests.servers import redis_in

USER, OTHER = (Caller(Plane.USER, user_id=f"user-{n}") for n in (5001, 5002))
LISTS = ACCESS["POST", "/v1/lists"]


def in_a_loop(test):
    """A test that awaits, as one that pytest calls."""

    @wraps(test)
    def called(*given, **named):
        asyncio.run(test(*given, **named))

    return called


@dataclass
class Seconds:
    """A clock that tests move."""

    at: float = 1_700_000_002.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def record(tmp_path):
    record = Record.open(tmp_path / "record.db")
    yield record
    record.close()


def gate_of(record, clock, hot=None, **limits) -> Gate:
    keyring = Keyring(
        record, TokenSecrets(Path("no such folder")), TokenSettings(), now=lambda: NOW
    )
    keyring.look()
    return Gate(keyring, LimitSettings(**limits), hot or NoHot(), clock=clock)


async def passed(gates, clock, rate, seconds, caller=USER) -> list[float]:
    """When events of one user were let through, sent to all workers by turns."""
    through, began = [], clock.at
    for n in range(rate * seconds):
        clock.at = began + n / rate
        try:
            await gates[n % len(gates)].events(caller, 1)
        except TooMany:
            continue
        through.append(clock.at)
    return through


def most_in_a_minute(times) -> int:
    return max(sum(start <= one < start + WINDOW_S for one in times) for start in times[::20])


@in_a_loop
async def test_of_1000_a_second_a_user_gets_their_minute_and_not_more(record):
    clock = Seconds()
    gate = gate_of(record, clock)
    through = await passed([gate], clock, 1_000, 135)
    assert most_in_a_minute(through) <= 240 * 1.05
    # And of the third minute as many as of the first: nobody is shut out for good.
    assert len(through) >= 2 * 240


@in_a_loop
async def test_meanwhile_nobody_else_is_told_to_wait(record):
    clock = Seconds()
    gate = gate_of(record, clock)
    await passed([gate], clock, 1_000, 3)
    for n in range(100):
        await gate.events(Caller(Plane.USER, user_id=f"user-{n}"), 2)


@in_a_loop
async def test_without_the_check_a_user_would_get_everything(record, monkeypatch):
    monkeypatch.setattr(Windows, "take", lambda self, who, n=1: self._fresh(0))
    clock = Seconds()
    assert len(await passed([gate_of(record, clock)], clock, 1_000, 2)) == 2_000


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    with redis_in(tmp_path_factory.mktemp("redis")) as server:
        yield server


@in_a_loop
async def test_workers_that_share_a_redis_give_one_minute_together(record, redis):
    clock = Seconds()
    hots = [RedisHot(redis.url, read_s=5.0) for _ in range(2)]
    gates = [gate_of(record, clock, hot) for hot in hots]
    through = await passed(gates, clock, 1_000, 20)
    assert 240 * 0.9 <= len(through) <= 240 * 1.05
    # Flooding costs Redis next to nothing.
    assert sum(hot.calls for hot in hots) < 100
    for n in range(20):
        for gate in gates:
            await gate.events(Caller(Plane.USER, user_id=f"user-{n}"), 2)
    for hot in hots:
        assert hot.failures == 0
        await hot.close()


@in_a_loop
async def test_without_sharing_two_workers_would_give_two_minutes(record):
    clock = Seconds()
    gates = [gate_of(record, clock), gate_of(record, clock)]
    assert len(await passed(gates, clock, 1_000, 20)) == 2 * 240


@in_a_loop
async def test_when_redis_dies_each_worker_still_counts(record, tmp_path):
    clock = Seconds()
    with redis_in(tmp_path) as server:
        hot = RedisHot(server.url)
        gate = gate_of(record, clock, hot)
        await passed([gate], clock, 100, 1)
    through = await passed([gate], clock, 1_000, 65)
    assert most_in_a_minute(through) <= 240
    assert hot.failures > 0
    await hot.close()


@in_a_loop
async def test_a_batch_takes_as_many_as_it_has(record):
    clock = Seconds()
    gate = gate_of(record, clock)
    await gate.events(USER, 200)
    with pytest.raises(TooMany, match="too many events of one user; allowed: 240 a minute"):
        await gate.events(USER, 50)
    await gate.events(USER, 40)
    await gate.events(OTHER, 240)


@in_a_loop
async def test_a_batch_over_the_whole_limit_never_fits_and_says_so(record):
    with pytest.raises(BodyTooLarge, match="got 241; allowed: 240 a minute"):
        await gate_of(record, Seconds()).events(USER, 241)


@in_a_loop
async def test_a_server_tells_as_many_as_it_has(record):
    gate = gate_of(record, Seconds())
    for _ in range(5):
        await gate.events(Caller(Plane.SERVER, name="backend"), 1_000)


@pytest.mark.parametrize("n", [1, 100, 240])
@in_a_loop
async def test_after_the_time_that_is_told_there_is_room(record, n):
    clock = Seconds()
    gate = gate_of(record, clock)
    for second in range(10):
        clock.at += second
        await gate.events(USER, 24)
    with pytest.raises(TooMany) as caught:
        await gate.events(USER, n)
    clock.at += caught.value.retry_after_s
    await gate.events(USER, n)
    assert caught.value.retry_after_s <= SLOTS * SLOT_S


def scope_of(credential: str, client="10.0.0.1", **headers) -> dict:
    said = bearer(credential) | {name.replace("_", "-"): value for name, value in headers.items()}
    raw = [(name.encode(), value.encode()) for name, value in said.items()]
    return {"headers": raw, "client": (client, 5)}


@in_a_loop
async def test_an_address_that_guesses_keys_is_told_to_wait(record):
    record.server_keys.new("backend", ["lists"], at=NOW, who="test")
    gate = gate_of(record, Seconds(), address_refusals=3)
    guess = scope_of("dpk_00000000_" + "A" * 43)
    for _ in range(3):
        with pytest.raises(Unauthorized):
            await gate.admit(guess, LISTS)
    with pytest.raises(TooMany, match="of one address"):
        await gate.admit(guess, LISTS)
    with pytest.raises(Unauthorized):
        await gate.admit(guess | {"client": ("10.0.0.2", 5)}, LISTS)


@in_a_loop
async def test_a_key_that_runs_wild_is_stopped_and_others_are_not(record):
    keys = [record.server_keys.new(one, ["lists"], at=NOW, who="test") for one in ("a", "b")]
    gate = gate_of(record, Seconds(), key_requests=5)
    for _ in range(5):
        await gate.admit(scope_of(keys[0]), LISTS)
    with pytest.raises(TooMany, match="too many requests of one key; allowed: 5 a minute"):
        await gate.admit(scope_of(keys[0]), LISTS)
    await gate.admit(scope_of(keys[1]), LISTS)


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "address"),
    [
        ([], "10.0.0.1", [], "10.0.0.1"),
        ([], "10.0.0.1", ["1.2.3.4"], "10.0.0.1"),
        (["10.0.0.0/8"], "10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        (["10.0.0.0/8"], "10.0.0.1", ["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
        (["10.0.0.0/8"], "10.0.0.1", ["6.6.6.6", "1.2.3.4, 10.9.9.9"], "1.2.3.4"),
        (["10.0.0.0/8"], "9.9.9.9", ["1.2.3.4"], "9.9.9.9"),
        (["10.0.0.0/8"], "10.0.0.1", ["no address"], "10.0.0.1"),
        (["10.0.0.0/8"], "10.0.0.1", ["1.2.3.4, , "], "10.0.0.1"),
        (["10.0.0.0/8"], "10.0.0.1", [], "10.0.0.1"),
        ([], "2001:db8:1:2:3:4:5:6", [], "2001:db8:1:2::"),
        ([], "2001:db8:1:2:ffff::1", [], "2001:db8:1:2::"),
        ([], "fe80::1%eth0", [], "fe80::"),
        ([], "testclient", [], "testclient"),
        ([], "", [], ""),
    ],
)
def test_the_word_of_a_proxy_counts_only_if_it_is_the_shops(proxies, peer, forwarded, address):
    assert Addresses(proxies).of(peer, forwarded) == address


def test_many_senders_take_no_more_memory_than_there_may_be(monkeypatch):
    monkeypatch.setattr("serving.limits.MOST_WINDOWS", 100)
    clock = Seconds()
    windows = Windows(Limit("address", "requests", 5), clock)
    for n in range(1_000):
        windows.take(str(n))
        assert len(windows._by) <= 100
    clock.at += 2 * WINDOW_S
    for n in range(200):
        windows.take(f"later {n}")
    assert len(windows._by) <= 100


def test_over_http_a_user_over_the_limit_is_told_when_to_come_back(keyed):
    events = [own(keyed, number) for number in range(240)]
    assert told(keyed, events, keyed.as_user())["accepted"] == 240
    answer = keyed.client.post(
        "/v1/events", json={"events": [own(keyed, 999)]}, headers=keyed.as_user()
    )
    assert (answer.status_code, answer.json()["error"]) == (429, "too_many")
    assert 1 <= int(answer.headers["retry-after"]) <= WINDOW_S + SLOT_S
    assert told(keyed, [own(keyed, 998)], keyed.as_user("user-5002"))["accepted"] == 1
    assert keyed.service.record.last_seq() == 241


def test_over_http_requests_of_one_user_are_counted_too(tmp_path):
    for keyed in keyed_in(tmp_path, limits=LimitSettings(user_requests=3)):
        statuses = [
            keyed.client.post(
                "/v1/lists", json={"scene": "home"}, headers=keyed.as_user()
            ).status_code
            for _ in range(5)
        ]
        assert statuses == [200, 200, 200, 429, 429]
