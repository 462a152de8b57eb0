"""Rules over HTTP: in force at the next list, on every worker, through every swap."""

from dataclasses import replace

import pytest

from recsys.rules import DEFAULTS
from serving.bundles import Watcher
from tests.planted import item
from tests.serving.conftest import ITEMS, TABLE

PIN = {"effect": "pin", "items": ["item-1002"], "seat": 2, "who": "li", "why": "autumn"}
LIST = {"scene": "home", "user_id": "user-5001"}


def shown(client, **said):
    answer = client.post("/v1/lists", json=LIST | said)
    assert answer.status_code == 200, answer.text
    return [one["item_id"] for one in answer.json()["items"]]


def put(client, rule_id="autumn-pin", **said):
    return client.put(f"/v1/rules/{rule_id}", json=PIN | said)


def test_a_rule_holds_at_the_next_list_until_it_is_dropped(client):
    before = shown(client)
    assert put(client).json() == {"rule_id": "autumn-pin", "version": 1}
    with_rule = shown(client)
    assert with_rule[1] == "item-1002"
    assert sorted(with_rule) == sorted(before)
    told = client.get("/v1/rules").json()
    own = [one for one in told["rules"] if not one["is_default"]]
    assert own == [{"rule_id": "autumn-pin", "is_default": False} | PIN]
    gone = client.delete("/v1/rules/autumn-pin", params={"why": "over"})
    assert gone.json() == {"rule_id": "autumn-pin", "version": 2}
    assert shown(client) == before


@pytest.mark.parametrize(
    ("said", "detail"),
    [
        ({"items": ["item-9"]}, "rule autumn-pin: items are unknown, got 'item-9'"),
        ({"seat": 0}, "rule autumn-pin: seat is out of range, got 0; allowed: 1 to 100"),
        ({"effect": "ban"}, "effect is unknown, got 'ban'"),
        ({"tags": ["x"]}, "tags means nothing to a pin"),
        ({"seats": 1}, "seats: Extra inputs are not permitted"),
        ({"until": "tomorrow"}, "until is unknown, got 'tomorrow'; allowed: a time in ISO 8601"),
    ],
)
def test_a_wrong_rule_is_refused_with_the_reason_and_changes_nothing(client, said, detail):
    answer = put(client, **said)
    assert answer.status_code == 422
    assert detail in answer.json()["detail"]
    assert client.get("/v1/rules").json()["version"] == 0


def test_two_pins_on_one_seat_are_refused(client):
    put(client)
    answer = put(client, "other", items=["item-1004"])
    assert answer.status_code == 422
    assert "rules autumn-pin and other pin to seat 2 at once" in answer.json()["detail"]


def test_what_is_not_there_cannot_be_dropped(client):
    answer = client.delete("/v1/rules/nothing", params={"why": "tidy"})
    assert (answer.status_code, answer.json()["error"]) == (404, "unknown")
    assert client.delete("/v1/rules/nothing").status_code == 422


def test_defaults_are_told_and_can_be_dropped(client):
    told = client.get("/v1/rules").json()
    assert [one["rule_id"] for one in told["rules"]] == [one.rule_id for one in DEFAULTS]
    assert all(one["is_default"] for one in told["rules"])
    client.delete("/v1/rules/default-home-explore", params={"why": "not here"})
    assert client.get("/v1/rules").json()["dropped"] == ["default-home-explore"]


def test_other_workers_follow_by_themselves(shop, client, wait_for):
    with shop.client() as other:
        assert shown(other)[1] != "item-1002"
        put(client)
        wait_for(lambda: shown(other)[1] == "item-1002")


def test_a_rule_outlives_a_new_bundle_and_changes_of_items(shop, client, wait_for):
    put(client)
    shop.publish("bundle-2")
    wait_for(lambda: client.post("/v1/lists", json=LIST).json()["bundle"] == "bundle-2")
    assert shown(client)[1] == "item-1002"
    put(client, "new", effect="block", items=["item-1003"], seat=None)
    client.put("/v1/items", json={"items": [{"item_id": "item-1900", "kind": "product"}]})
    assert shown(client)[1] == "item-1002"
    assert "item-1003" not in shown(client)
    gone = {"item_id": "item-1002", "kind": "product", "available": False}
    client.put("/v1/items", json={"items": [gone]})
    assert "item-1002" not in shown(client)


def test_a_new_item_can_be_pinned_at_once(client):
    client.put("/v1/items", json={"items": [{"item_id": "item-1900", "kind": "product"}]})
    assert put(client, items=["item-1900"], seat=1).status_code == 200
    assert shown(client)[0] == "item-1900"


def impression(shop, number, item_id):
    return shop.body(number, type="impression", item_id=item_id)


def test_what_was_on_the_screen_gives_way_where_a_rule_says_so(shop, client):
    first = shown(client, k=3)
    events = [impression(shop, n, one) for n, one in enumerate(first)]
    client.post("/v1/events", json={"events": events})
    assert shown(client, k=3) == first
    cap = {"effect": "cap", "times": 1, "days": 7, "items": [], "seat": None}
    assert put(client, "never-twice", **cap).status_code == 200
    assert not set(first) & set(shown(client, k=3))
    shop.clock.move(days=8)
    assert shown(client, k=3) == first


def test_promised_impressions_are_counted_from_events(shop, client):
    said = {"effect": "expose", "items": ["item-1002"], "impressions": 3, "seat": None}
    times = {"from": "2026-05-20T00:00:00+00:00", "until": "2026-05-30T00:00:00+00:00"}
    put(client, "new", **said, **times)
    client.post("/v1/events", json={"events": [impression(shop, 1, "item-1002")]})
    service = shop.service()
    service.watcher.look()
    service.watcher.look_for_counts()
    (exposing,) = service.watcher.current.bundle.rules.orders("home", "", 1779300000000).exposing
    assert (exposing.owed[-1], exposing.opportunities) == (2, 1)
    service.close()


def test_defaults_are_in_force_where_nobody_says_otherwise(shop):
    """Of one interest alone a page of the service is made, unless the defaults hold."""
    filed = [
        replace(one, category=(str(n % 7),), creator_id=f"c{n % 4}") for n, one in enumerate(ITEMS)
    ]
    filed += [item(n, category=("7",), creator_id="c9") for n in range(20, 60)]
    shop.near, shop.popular = tuple(range(10, 50)), tuple(range(50))
    shop.publish(items=filed)
    service = shop.service()
    service.watcher.look()
    plain = service.watcher.current.bundle
    watcher = Watcher(shop.home, service.record, table=TABLE, defaults=DEFAULTS)
    watcher.look()
    assert plain.rules.rules == ()
    assert watcher.current.bundle.rules.rules == DEFAULTS
    service.close()
