"""C01, C16: four workers and a Redis that dies: what a person chose holds on each of them."""

import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

import orjson
import pytest

from data.home import Home
from data.record import Record
from recsys.bundle_files import write
from recsys.catalog import Catalog, Item, Kind
from recsys.files import write_private
from recsys.models.tags import TagProfile
from recsys.pointer import publish
from recsys.signing import SigningKey
from serving.bench_faults_shop import Serving, serving, until
from serving.identity import Scope
from serving.token_secrets import NAME
from serving.tokens import mint
from tests.planted import NOW, bundle_of
from tests.security.conftest import KID, LIFE, SECRET, bearer

ME, OTHER = "user-5001", "user-5002"
WORKERS = 4
ITEMS = [
    Item(
        item_id=f"item-{1000 + n}",
        kind=Kind.VIDEO if n % 2 else Kind.PRODUCT,
        title=f"标题{n}",
        tags=("露营",) if n % 4 < 2 else ("阅读",),
        durable=False,
    )
    for n in range(24)
]
# A worker that stored a choice tells nobody: copies of before go on.
UNTOLD = """
import serving.persons as p
async def changed(self, user_ids): return None
p.Persons.changed = changed
import dapei; dapei.main()
"""


class Everywhere:
    """Kept connections, at least one to each worker of a service."""

    def __init__(self, served: Serving, key: str) -> None:
        self.served, self.key = served, key
        self.connections = [self._new() for _ in range(12)]
        end = time.monotonic() + 60
        while set(self.owners()) != set(served.workers()):
            assert time.monotonic() < end, "some worker takes no connection"
            self.connections.append(self._new())

    def _new(self) -> HTTPConnection:
        made = HTTPConnection("127.0.0.1", self.served.port, timeout=30)
        made.request("GET", "/healthz")
        made.getresponse().read()
        return made

    def owners(self) -> list[int]:
        """Which worker has each connection, as the system's tables tell it."""
        inodes = {}
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            said = line.split()
            inodes[said[1].split(":")[1], said[2].split(":")[1]] = said[9]
        held = {}
        for pid in self.served.workers():
            for path in Path(f"/proc/{pid}/fd").iterdir():
                # It may be closed while we look.
                with suppress(OSError):
                    if found := re.match(r"socket:\[(\d+)\]", os.readlink(path)):
                        held[found[1]] = pid
        here = f"{self.served.port:04X}"
        ours = [f"{one.sock.getsockname()[1]:04X}" for one in self.connections]
        return [held[inodes[here, port]] for port in ours if inodes.get((here, port)) in held]

    def ask(self, connection, method, path, body=None, headers=None) -> tuple[int, dict]:
        content = b"" if body is None else orjson.dumps(body)
        said = {"content-type": "application/json"} | (headers or bearer(self.key))
        connection.request(method, path, content, said)
        answer = connection.getresponse()
        return answer.status, orjson.loads(answer.read())

    def mine(self, method, path, body=None, status=200) -> dict:
        """What the person asks for, on any connection."""
        token = mint(SECRET, KID, ME, audience="dapei", at=now(), life=LIFE)
        got, said = self.ask(self.connections[0], method, path, body, bearer(token))
        assert got == status, said
        return said

    def lists(self, user_id: str | None) -> list[dict]:
        """A list on each connection."""
        body = {"scene": "home", "k": 10} | ({"user_id": user_id} if user_id else {})
        found = [self.ask(one, "POST", "/v1/lists", body) for one in self.connections]
        assert {status for status, _ in found} == {200}
        return [said for _, said in found]

    def n_personal(self, rounds: int = 1) -> tuple[int, int]:
        """Lists that are not what nobody gets in the same minute, and how many were asked for."""
        personal = total = 0
        for _ in range(rounds):
            nobodys = [one["items"] for one in self.lists(None)]
            mine = self.lists(ME)
            nobodys += [one["items"] for one in self.lists(None)]
            personal += sum(one["personalised"] or one["items"] not in nobodys for one in mine)
            total += len(mine)
        return personal, total

    def close(self) -> None:
        for one in self.connections:
            one.close()


def now():
    return datetime.now(UTC)


def publish_bundle(home: Home, bundle_id: str) -> None:
    key = SigningKey.load_or_make(home.keys)
    made = bundle_of(Catalog.of(ITEMS), {"tags": TagProfile()})
    write(replace(made, bundle_id=bundle_id), home.bundles, key)
    publish(home.bundles, bundle_id, key)


def shop_with(folder: Path, redis) -> tuple[Home, str]:
    """A shop whose workers share that Redis; its person has liked one taste."""
    home = Home(folder)
    home.root.mkdir()
    (home.root / "dapei.toml").write_text(f'[hot]\nurl = "{redis.url}"\n')
    publish_bundle(home, "bundle-1")
    kept = [{"kid": KID, "secret": SECRET.hex(), "until_ms": None}]
    write_private(home.keys / NAME, orjson.dumps(kept))
    record = Record.of(home)
    record.put_items(ITEMS, at=NOW)
    key = record.server_keys.new("backend", list(Scope), at=NOW, who="test")
    record.close()
    return home, key


@contextmanager
def everywhere(home: Home, key: str, **more) -> Iterator[Everywhere]:
    with serving(home.root, workers=WORKERS, **more) as served:
        found = Everywhere(served, key)
        with closing(found):
            yield found


def act(at: Everywhere, n: int, user_id: str = ME) -> dict:
    event = {"event_id": f"e-{user_id}-{n}", "user_id": user_id, "item_id": "item-1000"}
    event |= {"type": "like", "at": now().isoformat()}
    status, said = at.ask(at.connections[0], "POST", "/v1/events", {"events": [event]})
    assert status == 202, said
    return said


def with_copies(at: Everywhere) -> None:
    """Return when every worker gives the person lists from copies in Redis."""
    time.sleep(5.5)
    for _ in range(2):
        assert all(one["personalised"] for one in at.lists(ME)), "otherwise off shows nothing"


def switch(at: Everywhere, *, on: bool) -> None:
    assert at.mine("PUT", "/v1/me/personalisation", {"on": on})["on"] is on


@pytest.mark.nightly
def test_off_holds_on_every_worker_whatever_becomes_of_redis(tmp_path, redis_server):
    """C01: a thousand lists, with copies, without, with new ones, another bundle, a new service."""
    home, key = shop_with(tmp_path / "home", redis_server)
    counts = {}
    with everywhere(home, key) as at:
        act(at, 1)
        with_copies(at)
        switch(at, on=False)
        counts["with copies"] = at.n_personal(14)
        switch(at, on=True)
        assert all(one["personalised"] for one in at.lists(ME))
        redis_server.signal(signal.SIGKILL)
        assert all(one["personalised"] for one in at.lists(ME)), "the record is read"
        switch(at, on=False)
        counts["Redis killed"] = at.n_personal(14)
        redis_server.start()
        time.sleep(6.0)
        counts["Redis back"] = at.n_personal(14)
        redis_server.ask("FLUSHALL")
        counts["Redis emptied"] = at.n_personal(14)
        publish_bundle(home, "bundle-2")
        until(lambda: {one["bundle"] for one in at.lists(ME)} == {"bundle-2"})
        counts["another bundle"] = at.n_personal(14)
    with everywhere(home, key) as at:
        counts["a new service"] = at.n_personal(14)
        switch(at, on=True)
        assert all(one["personalised"] for one in at.lists(ME)), "and on again is on"
    assert {personal for personal, _ in counts.values()} == {0}
    assert sum(total for _, total in counts.values()) >= 1_000


@pytest.mark.nightly
def test_a_worker_that_tells_nobody_would_be_seen(tmp_path, redis_server):
    """The negative control: copies of before are used, and lists stay personal."""
    home, key = shop_with(tmp_path / "home", redis_server)
    with everywhere(home, key, program=(sys.executable, "-c", UNTOLD)) as at:
        act(at, 1)
        with_copies(at)
        switch(at, on=False)
        assert at.n_personal(2)[0] > 0


# What is kept under numbers of before stays in Redis until its hour is over.
NEWEST_ALONE = "import serving.persons as p; p.OLDER_FENCES = 0\nimport dapei; dapei.main()"


def in_redis(redis, user_id: str) -> bool:
    """Whether a key of this person is there."""
    return user_id.encode() in redis.ask("KEYS", "*")


def erased_while_redis_is(signal_number: int, at: Everywhere, redis) -> None:
    """Ask to be forgotten while Redis is away; what is told meanwhile must be true."""
    redis.signal(signal_number)
    for n in range(8):
        # So often in vain that Redis is left alone: what is asked of it now never reaches it.
        act(at, 10 + n, OTHER)
    told = at.mine("POST", "/v1/me/erase", status=202)
    assert told["state"] in ("asked", "running")
    assert at.n_personal(2)[0] == 0
    assert act(at, 2)["rejected"][0]["error"] == "not_kept"
    until(lambda: len(at.mine("GET", "/v1/me/erase")["steps"]) == 5)
    for _ in range(20):
        told = at.mine("GET", "/v1/me/erase")
        assert (told["state"], told["done_at"]) == ("running", None), "Redis may hold copies"
        assert "copies" in told["left"]
        time.sleep(0.1)


def until_done(at: Everywhere) -> None:
    until(lambda: at.mine("GET", "/v1/me/erase")["state"] == "done", 60)


@pytest.mark.nightly
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_erased_while_redis_is_away_it_ends_when_redis_is_back(tmp_path, redis_server, number):
    """C16: a Redis that was only frozen still has the copies of before."""
    home, key = shop_with(tmp_path / "home", redis_server)
    with everywhere(home, key) as at:
        act(at, 1)
        act(at, 1, OTHER)
        with_copies(at)
        assert in_redis(redis_server, ME), "otherwise nothing is shown"
        erased_while_redis_is(number, at, redis_server)
        redis_server.start() if number == signal.SIGKILL else redis_server.signal(signal.SIGCONT)
        until_done(at)
        assert not in_redis(redis_server, ME)
        time.sleep(6.0)
        # With copies in use again, and after another event that comes late.
        assert act(at, 3)["rejected"][0]["error"] == "not_kept"
        assert at.n_personal(4)[0] == 0
        assert all(one["personalised"] for one in at.lists(OTHER))


@pytest.mark.nightly
def test_copies_under_an_older_number_would_be_seen(tmp_path, redis_server):
    """The negative control of the frozen Redis: it is told to be done, and a copy is there."""
    home, key = shop_with(tmp_path / "home", redis_server)
    with everywhere(home, key, program=(sys.executable, "-c", NEWEST_ALONE)) as at:
        act(at, 1)
        with_copies(at)
        erased_while_redis_is(signal.SIGSTOP, at, redis_server)
        redis_server.signal(signal.SIGCONT)
        until_done(at)
        assert in_redis(redis_server, ME)
