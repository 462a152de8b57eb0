"""C01, C02, C04, C11, C17, C26, C27 over HTTP: a choice holds at the next request."""

import pytest

from recsys.controls import Purpose
from recsys.errors import StoreUnavailable
from serving import service
from tests.security.conftest import keyed_in

ME = "user-5001"


def act(keyed, n, item_id, kind="view", user_id=ME, **more):
    body = {"item_id": item_id, "type": kind, "at": keyed.shop.clock.at.isoformat()}
    said = body | {"event_id": f"event-{user_id}-{n}", "user_id": user_id} | more
    answer = keyed.client.post("/v1/events", json={"events": [said]}, headers=keyed.as_server())
    assert answer.status_code == 202
    return answer.json()


def listed(keyed, user_id=ME, **more):
    body = {"scene": "home", "k": 10} | more | ({"user_id": user_id} if user_id else {})
    return keyed.client.post("/v1/lists", json=body, headers=keyed.as_server()).json()


def asked(keyed, method, path, body=None, user_id=ME, status=200):
    answer = keyed.client.request(method, path, json=body, headers=keyed.as_user(user_id))
    assert answer.status_code == status, answer.text
    return answer.json()


def off(keyed, user_id=ME):
    return asked(keyed, "PUT", "/v1/me/personalisation", {"on": False}, user_id)


def test_off_is_byte_equal_to_nobody_and_on_is_as_before(keyed):
    act(keyed, 1, "item-1002")
    before = listed(keyed)
    nobody = listed(keyed, None)["items"]
    assert before["personalised"]
    assert before["items"] != nobody, "otherwise this test shows nothing"
    assert off(keyed) == {"on": False, "personalised": False}
    now = listed(keyed)
    assert (now["personalised"], now["items"]) == (False, nobody)
    asked(keyed, "PUT", "/v1/me/personalisation", {"on": True})
    assert listed(keyed)["items"] == before["items"]


def test_off_keeps_what_was_refused_and_bought_out_of_the_difference(keyed):
    """Whatever the person did before, the list is nobody's."""
    for n, (item_id, kind) in enumerate(
        [("item-1005", "order"), ("item-1009", "play"), ("item-1004", "dislike")]
    ):
        act(keyed, n, item_id, kind)
    asked(keyed, "POST", "/v1/me/not-interested", {"item_id": "item-1008"})
    asked(keyed, "DELETE", "/v1/me/tags/x")
    off(keyed)
    assert listed(keyed)["items"] == listed(keyed, None)["items"]


def test_a_list_of_who_is_off_is_kept_as_nobodys(keyed):
    act(keyed, 1, "item-1002")
    off(keyed)
    list_id = listed(keyed)["list_id"]
    keyed.service.writer.close()
    assert keyed.service.record.served(list_id).user_id is None


def test_off_stays_off_after_400_days_a_new_bundle_and_a_restart(keyed, tmp_path):
    act(keyed, 1, "item-1002")
    off(keyed)
    keyed.shop.clock.move(days=400)
    keyed.shop.publish("bundle-2")
    with keyed.shop.client() as client:
        keyed.client = client
        assert not listed(keyed)["personalised"]
        assert listed(keyed)["items"] == listed(keyed, None)["items"]


def test_what_cannot_be_read_is_not_personalised(keyed, monkeypatch):
    act(keyed, 1, "item-1002")
    assert listed(keyed)["personalised"]

    def broken(*args, **more):
        raise StoreUnavailable("the record cannot be read now")

    monkeypatch.setattr(keyed.service.record, "since", broken)
    answer = listed(keyed)
    assert not answer["personalised"]
    assert answer["items"] == listed(keyed, None)["items"]
    assert "record" in answer["degraded"]


@pytest.mark.parametrize(
    ("path", "body"), [("personalisation", {"on": False}), ("consent", {"personalise": False})]
)
def test_a_choice_that_is_not_kept_would_be_seen(keyed, monkeypatch, path, body):
    """The negative control of C01, C02 and C17: answered, and forgotten."""
    act(keyed, 1, "item-1002")

    def forgotten(self, user_id, change, *_args, **_more):
        return change(self.of(user_id))

    monkeypatch.setattr(type(keyed.service.record.choices), "change", forgotten)
    assert not asked(keyed, "PUT", f"/v1/me/{path}", body)["personalised"]
    assert listed(keyed)["personalised"]


def test_every_list_says_where_the_controls_are(keyed):
    for user_id in (ME, None):
        answer = listed(keyed, user_id)
        assert answer["controls"] == {
            "off": "/v1/me/personalisation",
            "tags": "/v1/me/tags",
            "appeal": None,
        }
        assert isinstance(answer["personalised"], bool)


def test_a_list_without_its_controls_would_be_seen(keyed, monkeypatch):
    """The negative control of C27."""
    real = service.encoded
    monkeypatch.setattr(
        service, "encoded", lambda *said: real(*said).replace(b'"controls":', b'"else":')
    )
    assert "controls" not in listed(keyed)


def test_refused_items_do_not_come_and_may_come_back(keyed):
    act(keyed, 1, "item-1002")
    first = listed(keyed)["items"][0]["item_id"]
    asked(keyed, "POST", "/v1/me/not-interested", {"item_id": first})
    shown = {one["item_id"] for _ in range(20) for one in listed(keyed)["items"]}
    assert first not in shown
    asked(keyed, "DELETE", f"/v1/me/not-interested/{first}")
    assert first in {one["item_id"] for one in listed(keyed)["items"]}


def test_who_declines_gets_lists_and_leaves_no_event(keyed):
    asked(keyed, "PUT", "/v1/me/consent", {"personalise": False})
    answer = act(keyed, 1, "item-1002")
    assert [one["error"] for one in answer["rejected"]] == ["not_kept"]
    assert keyed.events_of(ME) == []
    assert keyed.service.record.last_seq() == 0
    assert keyed.service.record.quarantined(9) == []
    assert sum(keyed.service.record.choices.anonymous().values()) == 1
    assert listed(keyed)["items"] == listed(keyed, None)["items"]


def test_a_refused_event_of_who_declines_is_not_looked_at_either(keyed):
    asked(keyed, "PUT", "/v1/me/consent", {"personalise": False})
    act(keyed, 1, "item-1002", at="2020-01-01T00:00:00+00:00")
    assert keyed.service.record.quarantined(9) == []
    act(keyed, 1, "item-1002", at="2020-01-01T00:00:00+00:00", user_id="user-5002")
    assert len(keyed.service.record.quarantined(9)) == 1


@pytest.fixture
def asking(tmp_path):
    """A shop whose basis is consent."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "dapei.toml").write_text('[privacy]\nbasis = "consent"\n')
    yield from keyed_in(tmp_path)


def test_where_the_basis_is_consent_silence_is_a_no(asking):
    assert act(asking, 1, "item-1002")["accepted"] == 0
    asked(asking, "PUT", "/v1/me/consent", {"personalise": True})
    assert act(asking, 2, "item-1002")["accepted"] == 1
    assert listed(asking)["personalised"]
    asked(asking, "PUT", "/v1/me/consent", {"personalise": False})
    assert not listed(asking)["personalised"]
    assert asking.service.record.last_seq() == 1


def test_a_control_before_the_gate_would_be_seen(asking, monkeypatch):
    """The gate taken out: the test above must go red."""
    choices = type(asking.service.record.choices)
    monkeypatch.setattr(
        choices,
        "sifted",
        lambda self, connection, batches, received: [[True] * len(rows) for rows in batches],
    )
    assert act(asking, 1, "item-1002")["accepted"] == 1


def test_minors_get_nothing_personal_and_only_a_guardian_lets_them_out(keyed):
    act(keyed, 1, "item-1002")
    asked(keyed, "PUT", "/v1/me/minors", {"age": "under_14"})
    answer = listed(keyed)
    assert (answer["personalised"], answer["minors"]["night"]) == (False, False)
    assert act(keyed, 2, "item-1003")["rejected"][0]["error"] == "not_kept"
    for body in ({"age": "adult"}, {"age": "minor"}, {"age": "under_14", "guardian": True}):
        asked(keyed, "PUT", "/v1/me/minors", body, status=403)
    path = f"/v1/users/{ME}/minors"
    said = keyed.client.put(path, json={"age": "adult"}, headers=keyed.as_server())
    assert said.json() == {"age": "adult", "guardian": False}
    assert listed(keyed)["personalised"]


def test_what_a_guest_chose_holds_for_the_person_they_become(keyed):
    off(keyed, "guest-7001")
    body = {"guest_id": "guest-7001", "user_id": ME}
    keyed.client.post("/v1/aliases", json=body, headers=keyed.as_server())
    act(keyed, 1, "item-1002")
    assert not listed(keyed)["personalised"]
    asked(keyed, "PUT", "/v1/me/personalisation", {"on": True}, "guest-7001")
    assert listed(keyed)["personalised"]


def test_every_choice_is_in_the_audit_by_a_name_that_is_no_id(keyed):
    off(keyed)
    asked(keyed, "PUT", "/v1/me/consent", {"learn": False})
    headers = keyed.as_server() | {"x-reason": "ticket 17"}
    keyed.client.get(f"/v1/users/{ME}/choices", headers=headers)
    deeds = [row.deed for row in keyed.service.record.audit.after(0, limit=99)]
    told = [
        (one.who, one.what, one.why)
        for one in deeds
        if one.about == keyed.service.record.choices.privacy.name_of(ME)
    ]
    assert told == [
        ("the person", "personalisation off", "asked for"),
        ("the person", "consent: learn no", "asked for"),
        ("all", "look", "ticket 17"),
    ]
    assert ME not in str(deeds)


def test_a_choice_may_not_learn_either(keyed):
    off(keyed)
    choices = keyed.service.record.choices
    assert choices.silent([ME, "user-5002"]) == [True, False]
    asked(keyed, "PUT", "/v1/me/personalisation", {"on": True})
    asked(keyed, "PUT", "/v1/me/consent", {"learn": False})
    assert choices.silent([ME]) == [True]
    assert choices.of(ME).consents == {Purpose.LEARN: False}
