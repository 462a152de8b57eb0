"""C12, C14, C16, C19 over HTTP: a whole copy, and a way out that is told truthfully."""

from hashlib import sha256

import orjson
import pytest

from data import export as exporting
from data.export import exported
from recsys.events import EventType
from serving.access import ACCESS
from tests.planted import NOW, event
from tests.privacy.test_hand import ME, act, asked, listed
from tests.security.conftest import keyed_in


def lines_of(answer):
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [orjson.loads(line) for line in answer.content.splitlines()]


def export(keyed, user_id=ME):
    return keyed.client.get("/v1/me/export", headers=keyed.as_user(user_id))


def test_a_copy_holds_everything_of_the_person_and_nothing_of_others(keyed):
    sent = [act(keyed, n, f"item-{1000 + n % 6}") for n in range(30)]
    act(keyed, 1, "item-1002", user_id="user-5002")
    assert sum(one["accepted"] for one in sent) == 30
    listed(keyed)
    keyed.service.writer.close()
    answer = export(keyed)
    lines = lines_of(answer)
    told = [line for line in lines if line["what"] == "event"]
    kept = keyed.service.record.events_of(ME, after_seq=0, limit=99)
    bodies = [orjson.loads(orjson.dumps(one.body())) for one in kept]
    assert [{k: v for k, v in one.items() if k != "what"} for one in told] == bodies
    assert [line["what"] for line in lines].count("list") == 1
    end = lines[-1]
    assert (end["what"], end["events"], end["lists"]) == ("end", 30, 1)
    body = answer.content[: answer.content.rindex(b"\n", 0, -1) + 1]
    assert end["sha256"] == sha256(body).hexdigest()
    assert b"user-5002" not in answer.content


@pytest.mark.parametrize("defect", ["cut", "others"])
def test_a_copy_that_is_not_whole_or_not_theirs_would_be_seen(keyed, monkeypatch, defect):
    """The negative control of C12."""
    for n in range(30):
        act(keyed, n, "item-1002")
    act(keyed, 1, "item-1002", user_id="user-5002")
    keyed.service.writer.close()
    if defect == "cut":
        monkeypatch.setattr(exporting, "EVERYTHING", 10)
    else:
        ids = type(keyed.service.record.aliases)
        monkeypatch.setattr(ids, "ids_of", lambda *_: [ME, "user-5002"])
    told = b"".join(exported(keyed.shop.home, keyed.service.record, ME))
    assert told.count(b'"what":"event"') != 30 or b"user-5002" in told


def test_nobody_else_gets_a_copy(keyed):
    path = f"/v1/users/{ME}/export"
    assert keyed.client.get(path, headers=keyed.as_user("user-5002")).status_code == 404
    assert keyed.client.get(path, headers=keyed.as_user()).status_code == 404
    assert keyed.client.get("/v1/me/export", headers=keyed.as_server()).status_code == 403


@pytest.mark.nightly
def test_a_hundred_thousand_events_are_copied_whole(keyed):
    """C12 in full; its seconds stand in benchmarks/RESULTS.md."""
    record = keyed.service.record
    for start in range(0, 100_000, 10_000):
        some = [
            event("item-1002", EventType.VIEW, event_id=f"e-{n}")
            for n in range(start, start + 10_000)
        ]
        record.append(some, received_at=NOW)
    lines = lines_of(export(keyed))
    assert lines[-1]["events"] == 100_000
    assert len({line.get("event_id") for line in lines if line["what"] == "event"}) == 100_000


def test_whoever_asks_to_be_forgotten_is_gone_at_once_and_stays_gone(keyed, wait_for):
    act(keyed, 1, "item-1002")
    assert listed(keyed)["personalised"]
    assert asked(keyed, "GET", "/v1/me/erase", status=404)["error"] == "unknown"
    told = asked(keyed, "POST", "/v1/me/erase", status=202)
    assert told["state"] == "asked"
    assert not listed(keyed)["personalised"]
    assert act(keyed, 2, "item-1003")["rejected"][0]["error"] == "not_kept"
    wait_for(lambda: asked(keyed, "GET", "/v1/me/erase")["state"] == "done", 60)
    done = asked(keyed, "GET", "/v1/me/erase")
    assert done["steps"] == ["record", "pages", "lake", "histories", "files", "copies"]
    assert act(keyed, 3, "item-1003")["rejected"][0]["error"] == "not_kept"
    assert listed(keyed)["items"] == listed(keyed, None)["items"]
    me = asked(keyed, "GET", "/v1/me")
    assert (me["erased"], me["kept"], me["personalised"]) == (True, False, False)
    marks = ME.encode(), b"event-" + ME.encode()
    files = [path for path in keyed.shop.home.root.rglob("*") if path.is_file()]
    assert [str(p) for p in files if any(mark in p.read_bytes() for mark in marks)] == []
    lines = list(exported(keyed.shop.home, keyed.service.record, ME))
    assert orjson.loads(lines[-1])["events"] == 0


# What only the person may see of themselves, and what leaves a deed when anybody else does.
PRIVACY = sorted(way for way, access in ACCESS.items() if access.scope == "privacy")


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """One shop for the whole walk; everybody is asked about once."""
    yield from keyed_in(tmp_path_factory.mktemp("walk"))


@pytest.mark.parametrize("way", PRIVACY, ids=" ".join)
def test_every_privacy_call_leaves_who_what_and_why(walked, way):
    """C19: a walk over the routes."""
    method, path = way
    keyed, me = walked, f"user-{6001 + PRIVACY.index(way)}"
    is_own = path.startswith("/v1/me")
    path = path.replace(":path", "").format(user_id=me, tag="x", item_id="item-1002")
    bodies = {
        "personalisation": {"on": False},
        "consent": {"learn": True},
        "minors": {"age": "minor"},
        "not-interested": {"item_id": "item-1002"},
    }
    body = bodies.get(path.split("/")[-1]) if method in ("PUT", "POST") else None

    def deeds_of(person):
        name = keyed.service.record.choices.privacy.name_of(person)
        rows = keyed.service.record.audit.after(0, limit=999)
        return [row.deed for row in rows if row.deed.about == name and row.deed.who != "dapei"]

    headers = (keyed.as_user(me) if is_own else keyed.as_server()) | {"x-reason": "ticket 17"}
    keyed.client.request(method, path, json=body, headers=headers)
    deeds = deeds_of(me)
    reads_own = is_own and method == "GET" and not path.endswith("export")
    assert len(deeds) == (0 if reads_own else 1), deeds
    for deed in deeds:
        assert deed.who == ("the person" if is_own else "all")
        assert deed.what
        assert deed.why == "ticket 17"


def test_a_look_that_leaves_no_deed_would_be_seen(keyed, monkeypatch):
    """The negative control of C19: the walk above finds no deed of this call."""
    choices = ("GET", "/v1/users/{user_id:path}/choices")
    test_every_privacy_call_leaves_who_what_and_why(keyed, choices)
    monkeypatch.setattr(type(keyed.service.record.audit), "add", lambda *_args, **_more: None)
    name = keyed.service.record.choices.privacy.name_of("user-7777")
    keyed.client.get("/v1/users/user-7777/choices", headers=keyed.as_server())
    rows = keyed.service.record.audit.after(0, limit=99)
    assert not [row for row in rows if row.deed.about == name]
