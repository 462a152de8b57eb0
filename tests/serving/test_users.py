"""Guests who log in, and what the shop's backend reads back of a person."""

from datetime import timedelta

import pytest

from data.record import Record
from recsys.events import EventType
from tests.planted import NOW, event
from tests.serving.test_lists import ask, ids

GUEST = {"user_id": None, "guest_id": "guest-7001"}


def join(client, guest_id="guest-7001", user_id="user-5001"):
    return client.post("/v1/aliases", json={"guest_id": guest_id, "user_id": user_id})


def send(client, *bodies):
    answer = client.post("/v1/events", json={"events": list(bodies)})
    assert answer.json()["accepted"] == len(bodies), answer.text


def history(client, user_id="user-5001", **query):
    return client.get(f"/v1/users/{user_id}/history", params=query).json()["events"]


def test_what_a_guest_did_is_the_persons_after_login(shop, client):
    send(client, shop.body(1, user_id="guest-7001", item_id="item-1002"))
    assert not ask(client)["personalised"]
    answer = join(client)
    assert (answer.status_code, answer.json()) == (200, {"joined": True})
    assert "looked at 标题2" in {one["reason"] for one in ask(client)["items"]}


def test_it_is_so_on_every_worker_though_it_knew_the_person_before(shop, client):
    with shop.client() as other:
        send(client, shop.body(1, user_id="guest-7001", item_id="item-1002"))
        send(client, shop.body(2, item_id="item-1004"))
        assert "looked at 标题4" in {one["reason"] for one in ask(other)["items"]}
        join(client)
        reasons = {one["reason"] for one in ask(other, k=100)["items"]}
    assert reasons & {"looked at 标题2", "looked at 标题4"}
    assert {one["item_id"] for one in history(client)} == {"item-1002", "item-1004"}


def test_both_ids_are_one_person_from_then_on(shop, client):
    join(client)
    send(client, shop.body(1, user_id="guest-7001", item_id="item-1002"))
    assert ask(client)["personalised"]
    assert ask(client, **GUEST)["personalised"]
    assert ids(ask(client)) == ids(ask(client, **GUEST))


def test_a_guest_is_joined_once(client):
    assert join(client).json() == {"joined": True}
    assert join(client).json() == {"joined": False}


def test_a_guest_cannot_become_somebody_else(client):
    join(client)
    answer = join(client, user_id="user-5002")
    assert (answer.status_code, answer.json()["error"]) == (409, "alias_conflict")
    assert "guest-7001" in answer.json()["detail"]


def test_a_join_is_in_the_audit_once(shop, client):
    join(client)
    join(client)
    record = Record.of(shop.home)
    (row,) = record.audit.after(0, limit=10)
    assert record.choices.privacy.name_of("guest-7001") in row.deed.why
    record.close()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"guest_id": "guest-7001"}, "user_id: Field required"),
        ({"guest_id": "user-5001", "user_id": "user-5001"}, "the same id"),
        ({"guest_id": "", "user_id": "user-5001"}, "guest_id is missing"),
        ({"guest_id": "g", "user_id": "u", "by": "me"}, "by: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_alias_is_refused(client, body, why):
    answer = client.post("/v1/aliases", json=body)
    assert answer.status_code == 422
    assert why in answer.json()["detail"]


def test_a_history_is_read_back_as_it_was_sent_newest_first(shop, client):
    first = shop.body(1, item_id="item-1002", props={"page": "a"})
    shop.clock.move(minutes=1)
    second = shop.body(2, item_id="item-1003", type="order", quantity=2, order_id="order-9")
    send(client, first, second)
    told = history(client)
    assert [one["event_id"] for one in told] == ["event-2", "event-1"]
    assert told[0].items() >= {"type": "order", "quantity": 2, "order_id": "order-9"}.items()
    assert told[1]["props"] == {"page": "a"}
    assert history(client, limit=1) == told[:1]


def test_what_was_imported_comes_behind_what_came_since(shop):
    shop.publish()
    shop.write_histories("v1", event("item-1003", EventType.ORDER, at=NOW - timedelta(days=40)))
    with shop.client() as client:
        send(client, shop.body(1, item_id="item-1002"))
        told = history(client)
    assert [one["item_id"] for one in told] == ["item-1002", "item-1003"]
    assert told[1] == {
        "user_id": "user-5001",
        "item_id": "item-1003",
        "type": "order",
        "at": (NOW - timedelta(days=40)).isoformat(),
    }


def test_of_a_stranger_there_is_nothing(client):
    assert history(client, "user/of a strange shop") == []


@pytest.mark.parametrize(
    ("query", "why"),
    [({"limit": 0}, "limit"), ({"limit": 1_001}, "limit"), ({"since": 1}, "since: Extra inputs")],
)
def test_a_wrong_query_is_refused(client, query, why):
    answer = client.get("/v1/users/user-5001/history", params=query)
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_input")
    assert why in answer.json()["detail"]
