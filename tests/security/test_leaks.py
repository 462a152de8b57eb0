"""S07, S23, S24, S26: nothing of a person or key in logs, no id gets at another, no plain names."""

import io
import logging
from contextlib import nullcontext
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from data.record import Record
from data.record_audit import Deed, note
from data.record_tables import audit
from recsys.errors import StoreUnavailable
from serving import logs
from serving.logs import JsonLines
from serving.tokens import pseudonym
from tests.planted import NOW
from tests.security.conftest import bearer
from tests.security.test_planes import own, told

# What must be nowhere but where it belongs; each is unlike any other text.
CANARIES = {
    "app_secret": "canary-appsecret-5f3c19",
    "session_key": "canary-sessionkey-77ab",
    "open_id": "oCANARY_1234567890abcdefghij",
    "phone": "13800138042",
    "user_id": "canary-user-9d1e",
    "guest_id": "canary-guest-4c2f",
    "item_id": "canary-item-18bd",
    "header": "canary-header-aa01",
}


@pytest.fixture
def lines():
    """Everything that is logged, at DEBUG, as the service writes it."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    # The client of the test logs the addresses it asks; it is no part of the service.
    handler.addFilter(lambda record: not record.name.startswith("httpx"))
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(before)


def live(keyed) -> list[str]:
    """A day of a shop with the canaries in every place a caller can put them; error answers."""
    said, client = CANARIES, keyed.client
    server = keyed.as_server() | {"x-custom": said["header"], "cookie": said["session_key"]}
    user = keyed.as_user(said["user_id"])
    event = keyed.shop.body(user_id=said["user_id"], item_id=said["item_id"])
    query = {"code": said["session_key"], "token": said["app_secret"], "user_id": said["user_id"]}
    answers = [
        client.post("/v1/events", json={"events": [event, event | {"type": "?"}]}, headers=server),
        client.post("/v1/lists", json={"scene": "home", "user_id": said["phone"]}, headers=server),
        client.post("/v1/lists", json={"scene": "home"}, headers=user),
        client.post("/v1/lists", json={"scene": said["open_id"]}, headers=server),
        client.post("/v1/lists", json={"scene": "home", "cursor": said["phone"]}, headers=user),
        client.post("/v1/lists", content=said["app_secret"].encode(), headers=server),
        client.get("/v1/prefetch/home", params=query, headers=server),
        client.get(f"/v1/users/{said['user_id']}/history", headers=server),
        client.get(f"/v1/items/{said['item_id']}", headers=server),
        client.get(f"/{said['app_secret']}", headers=server),
        client.post("/v1/aliases", json=pair(said["guest_id"], said["user_id"]), headers=server),
        client.post("/v1/aliases", json=pair(said["guest_id"], "user-2"), headers=server),
        client.post("/v1/lists", json={"scene": "home"}, headers=bearer(said["app_secret"])),
        client.post("/v1/lists", json={"scene": "home"}, headers=bearer("dpt1.00c0ffee.x.y")),
    ]
    broken(keyed)
    answers.append(client.post("/v1/lists", json={"scene": "home"}, headers=user))
    return [answer.text for answer in answers if answer.status_code in (401, 403, 404, 500, 503)]


def pair(guest_id, user_id):
    return {"guest_id": guest_id, "user_id": user_id}


def broken(keyed) -> None:
    """A mistake of ours, whose traceback would quote the person it happened to."""
    logging.getLogger("serving").error("failed", exc_info=StoreUnavailable(CANARIES["user_id"]))
    logging.getLogger("uvicorn.error").error("Exception\n%s", CANARIES["user_id"])


def found(text: str, keyed) -> set[str]:
    """Names of canaries in a text; those of keys and tokens as well."""
    secrets = CANARIES | {f"key {name}": key for name, key in keyed.keys.items()}
    secrets |= {"secret": keyed.secret.secret.hex(), "token": keyed.as_user()["authorization"]}
    secrets |= {"token of canary": keyed.as_user(CANARIES["user_id"])["authorization"][7:]}
    return {name for name, one in secrets.items() if one in text}


def test_no_log_line_and_no_number_tells_of_a_person_or_a_key(keyed, lines):
    live(keyed)
    assert lines.getvalue().count("\n") == 2
    assert found(lines.getvalue(), keyed) == set()
    assert found(keyed.client.get("/metrics", headers=keyed.as_server()).text, keyed) == set()


def test_lines_that_quoted_errors_would_be_seen(keyed, lines, monkeypatch):
    monkeypatch.setattr(logs, "_words", lambda record: f"{record.getMessage()} {record.exc_info}")
    live(keyed)
    assert "user_id" in found(lines.getvalue(), keyed)


def test_no_refusal_tells_a_key_or_a_token_or_a_header(keyed):
    said = "\n".join(live(keyed))
    assert found(said, keyed) <= {"item_id"}


IDS = st.text(
    st.sampled_from(":*?[]\\\r\n\0\u202e\u200f'\";%/ \ud7ff{}") | st.characters(codec="utf-8"),
    min_size=1,
    max_size=40,
)


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(user_id=IDS, number=st.integers(1, 10**9))
def test_no_id_gets_at_what_is_another_persons(still_keyed, user_id, number):
    keyed = still_keyed
    told(keyed, [keyed.shop.body(1, user_id="user-5001")], keyed.as_server())
    body = keyed.shop.body(f"{number}-x", user_id=user_id, item_id="item-1005")
    said = told(keyed, [body], keyed.as_server())
    assert said["accepted"] + said["duplicates"] == (1 if user_id.isprintable() else 0) or (
        said["rejected"][0]["error"] == "id_conflict"
    )
    assert [one["item_id"] for one in keyed.events_of("user-5001")] == ["item-1002"]
    history = keyed.service.record.events_of(user_id, after_seq=0, limit=9)
    assert {one.user_id for one in history} <= {user_id}


@pytest.mark.parametrize("user_id", ["a\r\nb", "a\0b", "x" * 900_000, "", "\u202eb"])
def test_an_id_that_stores_or_logs_cannot_carry_is_refused(still_keyed, user_id, lines):
    said = told(still_keyed, [still_keyed.shop.body(7, user_id=user_id)], still_keyed.as_server())
    assert said["accepted"] == 0
    assert user_id[:50] not in lines.getvalue() or user_id == ""


def test_without_the_check_of_ids_it_would_be_kept(keyed, monkeypatch):
    """The negative control of S23; lines are checked below."""
    monkeypatch.setattr("recsys.events.check_text", lambda *_args, **_more: None)
    said = told(keyed, [keyed.shop.body(7, user_id="a\r\nb")], keyed.as_server())
    assert said["accepted"] == 1


def test_a_line_that_is_not_json_would_be_two(monkeypatch):
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "a\nforged", (), None)
    assert "\n" not in JsonLines().format(record)
    monkeypatch.setattr(JsonLines, "format", lambda _self, record: record.getMessage())
    assert "\n" in JsonLines().format(record)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(said=st.text(max_size=200))
def test_whatever_is_said_is_one_log_line(said):
    record = logging.LogRecord("x", logging.ERROR, "f", 1, said.replace("%", ""), (), None)
    line = JsonLines().format(record)
    assert "\n" not in line and "\r" not in line


# The chain of the audit.


def chained(tmp_path, n: int) -> Record:
    record = Record.open(tmp_path / "record.db")
    with record._store.writing() as connection:
        for at in range(n):
            deed = Deed("olga", "key_new", f"key-{at}", f"why {at}")
            note(connection, deed, at=NOW + timedelta(seconds=at))
    return record


@pytest.fixture(scope="module")
def thousand(tmp_path_factory):
    record = chained(tmp_path_factory.mktemp("audit"), 1_000)
    yield record
    record.close()


FIELDS = {"who": "ivan", "what": "key_revoke", "about": "key-x", "why": "because", "at_ms": 5}
TAMPERED = [("change", name) for name in FIELDS] + [("drop", ""), ("swap", ""), ("hash", "")]


def tamper(connection, how, name, at: int) -> None:
    its = audit.c.audit_idx == at
    if how == "change":
        connection.execute(update(audit).where(its).values({name: FIELDS[name]}))
    elif how == "drop":
        connection.execute(delete(audit).where(its))
    elif how == "hash":
        connection.execute(update(audit).where(its).values(chain_hash=bytes(16)))
    else:
        for old, new in ((at, 0), (at + 1, at), (0, at + 1)):
            moved = update(audit).where(audit.c.audit_idx == old)
            connection.execute(moved.values(audit_idx=new))


class Undone(Exception):
    """Takes a change back."""


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(at=st.integers(1, 998), how=st.sampled_from(TAMPERED))
def test_whatever_is_done_to_any_of_1000_deeds_is_seen(thousand, monkeypatch, at, how):
    assert seen_after(thousand, monkeypatch, at, how) == at


def seen_after(record, monkeypatch, at, how) -> int | None:
    """Where the chain breaks after a deed was changed; the change is taken back."""
    where = None
    try:
        with record._store.writing() as connection:
            tamper(connection, *how, at)
            with monkeypatch.context() as patch:
                patch.setattr(record.audit._store, "reading", lambda: _given(connection))
                where = record.audit.broken_at()
            raise Undone
    except Undone:
        return where


def _given(connection):
    return nullcontext(connection)


def test_an_untouched_chain_is_whole(thousand):
    assert thousand.audit.broken_at() is None


def test_without_the_chain_a_change_would_not_be_seen(thousand, monkeypatch):
    kept = {row.audit_idx: chain for row, chain in thousand.audit._all()}
    monkeypatch.setattr("data.record_audit._chained", lambda _before, row: kept[row.audit_idx])
    assert seen_after(thousand, monkeypatch, 500, ("change", "who")) is None


# Pseudonyms.

BACKENDS_SECRET = bytes(range(100, 132))
PEOPLE = [("wx0123456789abcdef", f"oPERSON_{n:020}") for n in range(20)]


def test_after_a_day_with_pseudonyms_the_home_holds_no_plain_name(keyed):
    for number, (app_id, open_id) in enumerate(PEOPLE):
        headers = keyed.as_user(pseudonym(BACKENDS_SECRET, app_id, open_id))
        assert told(keyed, [own(keyed, number)], headers)["accepted"] == 1
        keyed.client.post("/v1/lists", json={"scene": "home"}, headers=headers)
    keyed.service.writer.close()
    kept = [path.read_bytes() for path in keyed.shop.home.root.rglob("*") if path.is_file()]
    assert any(pseudonym(BACKENDS_SECRET, *PEOPLE[0]).encode() in one for one in kept)
    assert not [one for one in kept for _, open_id in PEOPLE if open_id.encode() in one]


def guessed(secret: bytes, n: int) -> int:
    """How many of n guesses at phone numbers meet the pseudonyms of 20 of them."""
    phones = [f"138{n:08}" for n in range(n)]
    real = {pseudonym(BACKENDS_SECRET, "wx01", phone) for phone in phones[:20]}
    return sum(pseudonym(secret, "wx01", phone) in real for phone in phones)


def test_without_the_secret_no_guess_meets_a_pseudonym():
    assert guessed(bytes(32), 20_000) == 0


def test_with_it_every_guess_would():
    assert guessed(BACKENDS_SECRET, 1_000) == 20


@pytest.mark.nightly
def test_without_the_secret_none_of_a_million_guesses_meets_a_pseudonym():
    assert guessed(bytes(32), 1_000_000) == 0
