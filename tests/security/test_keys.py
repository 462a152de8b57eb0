"""S08: keys of servers in real processes: changed under load, revoked everywhere, or no start."""

import re
import threading
import time
from http.client import HTTPConnection
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from dapei import command_line
from data.home import Home
from data.record import Record
from recsys.errors import ConfigError, StoreUnavailable
from recsys.files import write_private
from serving import keyring
from serving.errors import Unauthorized
from serving.identity import Plane, Scope
from serving.keyring import Keyring
from serving.settings import TokenSettings
from serving.token_secrets import TokenSecrets
from tests.planted import NOW
from tests.security.conftest import bearer
from tests.serving.running import running

REVOKED_S = 5.0


def command(*words: str) -> str:
    """What `dapei keys` prints."""
    done = CliRunner().invoke(command_line("keys"), ["keys", *words])
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def new_key(home: Path, name: str = "backend") -> str:
    return command("new", name, "--home", str(home), "--scope", "lists", "--by", "olga")


def status(connection: HTTPConnection, key: str) -> int:
    body, headers = orjson.dumps({"scene": "home"}), {"content-type": "application/json"}
    connection.request("POST", "/v1/lists", body, headers | bearer(key))
    answer = connection.getresponse()
    answer.read()
    return answer.status


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    home = tmp_path_factory.mktemp("keyed") / "home"
    key = new_key(home)
    with running(home, workers=2, told="1 keys hold") as served:
        yield served, home, key


def asking(port, keys, stop, statuses):
    """Asks with the newest key, again and again, on one connection."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    while not stop.is_set():
        statuses.append(status(connection, keys[-1]))
    connection.close()


def test_keys_change_under_load_without_a_refusal_and_revoked_ones_end_on_every_worker(served):
    serving, home, first = served
    keys, stop, statuses = [first], threading.Event(), []
    threads = [
        threading.Thread(target=asking, args=(serving.port, keys, stop, statuses)) for _ in range(4)
    ]
    for one in threads:
        one.start()
    second = new_key(home, "second")
    # A new key is known two seconds later; until then its server uses the one it has.
    time.sleep(2.0)
    keys.append(second)
    time.sleep(0.5)
    command("revoke", first[4:12], "--home", str(home), "--why", "changed")
    revoked_at = time.monotonic()
    time.sleep(1.0)
    stop.set()
    for one in threads:
        one.join()
    assert set(statuses) == {200}
    assert len(statuses) > 50
    time.sleep(max(0.0, revoked_at + REVOKED_S - time.monotonic()))
    connections = [HTTPConnection("127.0.0.1", serving.port, timeout=10) for _ in range(20)]
    # Many connections, so that both workers are asked.
    assert {status(one, first) for one in connections} == {401}
    assert {status(one, second) for one in connections} == {200}
    for one in connections:
        one.close()


def test_the_home_holds_no_key(served):
    _, home, first = served
    secret = first.split("_", 2)[2].encode()
    kept = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    assert kept
    assert not [content for content in kept if secret in content]


def test_every_act_on_keys_is_in_the_audit(served):
    _, home, first = served
    record = Record.of(Home(home))
    deeds = [row.deed for row in record.audit.after(0, limit=99)]
    assert record.audit.broken_at() is None
    record.close()
    assert ("olga", "key_new", first[4:12], "backend: lists") in deeds


def started(home: Path, *words: str):
    """What comes of a start that is refused."""
    said = ["serve", "--home", str(home), "--port", "0", *words]
    return CliRunner().invoke(command_line("serve"), said)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "shop.example"])
def test_without_a_key_the_service_starts_on_loopback_only(tmp_path, host):
    done = started(tmp_path, "--host", host)
    assert done.exit_code == 2
    assert "no keys are configured" in re.sub(r"[│\s]+", " ", done.output)


def test_an_empty_secret_for_tokens_stops_the_start(tmp_path):
    empty = b'[{"kid": "00c0ffee", "secret": "", "until_ms": null}]'
    (tmp_path / "keys").mkdir()
    write_private(tmp_path / "keys" / "tokens.json", empty)
    done = started(tmp_path)
    assert isinstance(done.exception, ConfigError)
    assert "empty or short secret" in str(done.exception)


class Clock:
    at = 100.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def record(tmp_path):
    record = Record.open(tmp_path / "record.db")
    yield record
    record.close()


def ring(record, clock) -> Keyring:
    made = Keyring(
        record, TokenSecrets(Path("nowhere")), TokenSettings(), now=lambda: NOW, clock=clock
    )
    made.look()
    return made


def key_in(record, *scopes: str) -> str:
    return record.server_keys.new("backend", scopes or ("lists",), at=NOW, who="test")


def test_a_key_says_its_name_and_what_it_is_for(record):
    key = key_in(record, "lists", "items")
    caller = ring(record, Clock()).caller(key)
    assert (caller.plane, caller.name) == (Plane.SERVER, "backend")
    assert caller.scopes == {Scope.LISTS, Scope.ITEMS}
    assert caller.user_id is None


def test_a_scope_of_a_newer_program_opens_nothing(record):
    key = key_in(record, "time_travel")
    assert ring(record, Clock()).caller(key).scopes == frozenset()


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "dpk_",
        "dpk_{id}_",
        "dpk_{id}_" + "A" * 43,
        "dpk_{other}_{secret}",
        "{key}=",
        "{key} ",
        " {key}",
        "{key}{key}",
        "DPK_{id}_{secret}",
        "dpk_{id}_{cut}",
        "{secret}",
        "{digest}",
        "dpk_{id}_{digest43}",
        "é",
        "x" * 2_000,
    ],
)
def test_what_is_no_key_opens_nothing(record, wrong):
    key = key_in(record)
    _, key_id, secret = key.split("_", 2)
    digest = record.server_keys.all()[0].digest.hex()
    said = wrong.format(
        id=key_id, other="0" * 8, secret=secret, key=key, cut=secret[:-1], digest=digest,
        digest43=digest[:43],
    )  # fmt: skip
    with pytest.raises(Unauthorized) as caught:
        ring(record, Clock()).caller(said)
    assert secret not in str(caught.value)


def test_without_comparing_hashes_any_secret_would_do(record, monkeypatch):
    key = key_in(record)
    monkeypatch.setattr(keyring.hmac, "compare_digest", lambda _a, _b: True)
    assert ring(record, Clock()).caller(key[:13] + "A" * 43).name == "backend"


def test_a_worker_that_cannot_see_whether_keys_hold_lets_none_in(record):
    clock, key = Clock(), key_in(record)
    seeing = ring(record, clock)
    blind(seeing)
    clock.at += 3.9
    assert seeing.caller(key).name == "backend"
    clock.at += 0.2
    with pytest.raises(StoreUnavailable, match="nobody can say now which keys hold"):
        seeing.caller(key)


def blind(seeing: Keyring) -> None:
    """From now on the record cannot be read."""

    class Unreadable:
        class server_keys:  # noqa: N801
            @staticmethod
            def all():
                raise StoreUnavailable("gone")

    seeing._record = Unreadable()
    seeing.look()


def test_without_growing_old_a_revoked_key_would_hold_for_ever(record, monkeypatch):
    clock, key = Clock(), key_in(record)
    seeing = ring(record, clock)
    monkeypatch.setattr(keyring, "STALE_S", 1e9)
    blind(seeing)
    clock.at += 3_600
    assert seeing.caller(key).name == "backend"


def test_a_revoked_key_opens_nothing_after_the_next_look(record):
    key = key_in(record)
    seeing = ring(record, Clock())
    record.server_keys.revoke(key[4:12], at=NOW, who="test")
    seeing.look()
    with pytest.raises(Unauthorized):
        seeing.caller(key)


def test_when_the_last_key_is_revoked_the_service_is_not_open_again(record):
    key = key_in(record)
    record.server_keys.revoke(key[4:12], at=NOW, who="test")
    with pytest.raises(Unauthorized, match="there is no key"):
        ring(record, Clock()).caller(None)


def test_a_record_put_back_without_keys_does_not_open_the_service(record, tmp_path):
    key_in(record)
    seeing = ring(record, Clock())
    seeing._record = Record.open(tmp_path / "older.db")
    seeing.look()
    with pytest.raises(Unauthorized):
        seeing.caller(None)
    seeing._record.close()


def test_a_first_key_closes_a_service_that_was_open(record):
    seeing = ring(record, Clock())
    assert seeing.caller(None).plane is Plane.OPEN
    key = key_in(record)
    seeing.look()
    with pytest.raises(Unauthorized, match="there is no key"):
        seeing.caller(None)
    assert seeing.caller(key).plane is Plane.SERVER


def test_a_record_that_cannot_be_read_at_first_opens_nothing(record):
    seeing = Keyring(record, TokenSecrets(Path("nowhere")), TokenSettings(), now=lambda: NOW)
    blind(seeing)
    with pytest.raises(Unauthorized):
        seeing.caller(None)
