"""/v1/items: put, switched, read back; what lists show of it at once, on every worker."""

import json
from threading import Event

import pytest

from data.record import Record
from recsys.errors import StoreUnavailable
from recsys.events import EventType
from recsys.recommend import Request
from serving.openapi_examples import EXAMPLES
from tests.planted import NOW, event, item
from tests.serving.conftest import ITEMS
from tests.serving.test_lists import ask, ids

EXAMPLE = EXAMPLES["put /v1/items"]["body"]["items"][0]


def put(client, *items):
    answer = client.put("/v1/items", json={"items": list(items)})
    assert answer.status_code == 200, answer.text
    return answer.json()


def switch(client, item_id, available):
    return client.patch(f"/v1/items/{item_id}", json={"available": available})


def test_what_was_put_is_read_back(client):
    assert put(client, EXAMPLE) == {"accepted": 1, "changed": 1, "rejected": []}
    assert client.get("/v1/items/product-1121").json() == EXAMPLE
    assert put(client, EXAMPLE)["changed"] == 0


def test_what_is_read_can_be_put_again(client):
    put(client, {"item_id": "item-1", "kind": "video", "cards": ["item-1000"], "duration_s": 9})
    told = client.get("/v1/items/item-1").json()
    assert put(client, told) == {"accepted": 1, "changed": 0, "rejected": []}


def test_the_same_id_twice_in_a_batch_is_the_last_one(client):
    first, last = EXAMPLE | {"title": "旧"}, EXAMPLE | {"title": "新"}
    assert put(client, first, last)["accepted"] == 2
    assert client.get("/v1/items/product-1121").json()["title"] == "新"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"kind": "song"}, "kind: Input should be 'product' or 'video'"),
        ({"item_id": ""}, "item_id is missing"),
        ({"price_minor": -1}, "price_minor is out of range"),
        ({"price_minor": 1.5}, "price_minor: Input should be a valid integer"),
        ({"published_at": "yesterday"}, "published_at is no time"),
        ({"published_at": "2026-01-01T00:00:00"}, "published_at has no time zone"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"tags": ["x" * 65]}, "tags is too long"),
    ],
)
def test_a_wrong_item_is_refused_and_the_others_kept(client, wrong, why):
    said = put(client, EXAMPLE, {**EXAMPLE, **wrong})
    assert said["accepted"] == 1
    ((refused,),) = [said["rejected"]]
    assert (refused["index"], refused["error"]) == (1, "invalid_item")
    assert why in refused["detail"]


@pytest.mark.parametrize("body", [7, None, [], "item"])
def test_what_is_no_item_is_refused(client, body):
    assert put(client, body)["rejected"][0]["error"] == "invalid_item"


def test_too_many_items_are_refused_at_once(client):
    answer = client.put("/v1/items", json={"items": [{}] * 1_001})
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")


def test_an_unknown_item_is_404(client):
    for answer in (client.get("/v1/items/item-7777"), switch(client, "item-7777", False)):
        assert (answer.status_code, answer.json()["error"]) == (404, "unknown")
        assert "item-7777" in answer.json()["detail"]


def test_an_id_may_hold_a_slash(client):
    put(client, EXAMPLE | {"item_id": "shop/7/a b"})
    assert client.get("/v1/items/shop%2F7%2Fa%20b").json()["item_id"] == "shop/7/a b"
    assert switch(client, "shop%2F7%2Fa%20b", False).json() == {
        "item_id": "shop/7/a b",
        "available": False,
    }


def test_a_record_that_cannot_be_written_keeps_no_item(shop):
    shop.publish()
    service = shop.service()

    def fail(*_args, **_more):
        raise StoreUnavailable("the record cannot be written now: on purpose")

    service.record.put_items = fail
    with shop.client_of(service) as client:
        answer = client.put("/v1/items", json={"items": [EXAMPLE]})
    assert (answer.status_code, answer.json()["error"]) == (503, "store_unavailable")


def stocked(shop):
    """The items of the bundle are in the record too, as after an import."""
    record = Record.open(shop.home.record_path)
    record.put_items(ITEMS, at=NOW)
    version = record.item_version()
    record.close()
    shop.publish(item_version=version)


def test_an_item_switched_off_is_gone_from_the_very_next_list(shop):
    stocked(shop)
    with shop.client() as client:
        gone = ids(ask(client))[0]
        assert switch(client, gone, False).status_code == 200
        assert gone not in ids(ask(client, k=100))
        assert switch(client, gone, True).status_code == 200
        assert gone in ids(ask(client, k=100))


def test_it_is_gone_from_another_workers_lists_and_cards_at_its_next_look(shop):
    stocked(shop)
    other = shop.service()
    other.watcher.look()
    with shop.client() as client:
        switch(client, "item-1001", False)
        switch(client, "item-1007", False)
    other.watcher.look_for_items()
    answer = json.loads(other.recommend(Request(scene="home", k=100)))
    assert not {"item-1001", "item-1007"} & set(ids(answer))
    (video,) = [one for one in answer["items"] if one["item_id"] == "item-1006"]
    assert [card["item_id"] for card in video["cards"]] == ["item-1000"]
    other.close()


def test_two_running_workers_both_see_it_in_time(shop, wait_for):
    stocked(shop)
    with shop.client() as one, shop.client() as other:
        switch(one, "item-1004", False)
        assert "item-1004" not in ids(ask(one, k=100))
        wait_for(lambda: "item-1004" not in ids(ask(other, k=100)))
        put(one, {"item_id": "item-new", "kind": "product", "title": "新"})
        assert "item-new" in ids(ask(one, k=100))
        wait_for(lambda: "item-new" in ids(ask(other, k=100)))


def test_a_bundle_that_is_being_read_keeps_nothing_on_sale(shop, wait_for, monkeypatch):
    """Reading a large bundle takes seconds; what is switched off meanwhile goes at once."""
    stocked(shop)
    service = shop.service()
    with shop.client_of(service) as client:
        started, finish = Event(), Event()

        def slow():
            started.set()
            finish.wait(60)

        monkeypatch.setattr(service.watcher, "_new_bundle", slow)
        try:
            assert started.wait(10)
            record = Record.open(shop.home.record_path)
            record.switch_items(["item-1004"], available=False, at=NOW)
            record.close()
            wait_for(lambda: "item-1004" not in ids(ask(client, k=100)))
        finally:
            finish.set()


def test_many_are_switched_at_once(shop):
    stocked(shop)
    with shop.client() as client:
        many = {"item_ids": ["item-1003", "item-1004", "item-7777"], "available": False}
        answer = client.post("/v1/items/availability", json=many)
        assert answer.json() == {"switched": 2, "unknown": ["item-7777"]}
        assert not {"item-1003", "item-1004"} & set(ids(ask(client, k=100)))


def test_a_new_price_and_title_are_shown(shop):
    stocked(shop)
    with shop.client() as client:
        put(client, {"item_id": "item-1005", "kind": "product", "title": "改", "price_minor": 1})
        shown = {one["item_id"]: one for one in ask(client, k=100)["items"]}
    assert (shown["item-1005"]["title"], shown["item-1005"]["price_minor"]) == ("改", 1)


def test_an_item_that_became_an_advertisement_carries_the_mark(shop):
    stocked(shop)
    with shop.client() as client:
        put(client, {"item_id": "item-1005", "kind": "product", "sponsored": True})
        shown = {one["item_id"]: one["ad"] for one in ask(client, k=100)["items"]}
    assert [item_id for item_id, ad in shown.items() if ad] == ["item-1005"]


def test_acts_on_a_new_item_count_and_it_is_no_longer_new_to_the_person(shop):
    stocked(shop)
    with shop.client() as client:
        put(client, {"item_id": "item-new", "kind": "video", "title": "新", "tags": ["奇"]})
        played = shop.body(item_id="item-new", type="play", play_s=9.0)
        client.post("/v1/events", json={"events": [played]})
        answer = ask(client, k=100)
    assert "item-new" not in ids(answer)
    assert answer["degraded"] == []


def test_an_act_that_came_before_its_item_counts_once_the_item_is_there(shop):
    stocked(shop)
    with shop.client() as client:
        bought = shop.body(item_id="item-new", type="order", quantity=1)
        client.post("/v1/events", json={"events": [bought]})
        ask(client)
        put(client, {"item_id": "item-new", "kind": "product", "durable": True})
        assert "item-new" not in ids(ask(client, k=100))
        assert "item-new" in ids(ask(client, k=100, user_id="user-5002"))


def test_what_was_imported_with_a_new_item_counts_too(shop):
    stocked(shop)
    played = item(77).item_id
    shop.write_histories("v1", event(played, EventType.ORDER))
    with shop.client() as client:
        put(client, {"item_id": played, "kind": "product", "durable": True})
        assert played not in ids(ask(client, k=100))
        assert played in ids(ask(client, k=100, user_id="user-5002"))


def test_a_new_bundle_that_knows_the_item_takes_it_over(shop, wait_for):
    stocked(shop)
    with shop.client() as client:
        put(client, {"item_id": "item-1050", "kind": "product"})
        assert "item-1050" in ids(ask(client, k=100))
        shop.publish("bundle-2", [*ITEMS, item(50)])
        wait_for(lambda: ask(client)["bundle"] == "bundle-2")
        assert ids(ask(client, k=100)).count("item-1050") == 1


def test_what_is_off_stays_off_through_a_swap_though_the_record_is_away(shop):
    stocked(shop)
    service = shop.service()
    service.watcher.look()
    service.record.switch_items(["item-1004"], available=False, at=NOW)
    service.watcher.look()
    shop.publish("bundle-2", item_version=service.record.item_version() - 1)
    version = service.record.item_version

    def away():
        raise StoreUnavailable("away on purpose")

    service.record.item_version = away
    service.watcher.look()
    assert service.watcher.bundle_id == "bundle-1"
    service.record.item_version = version
    service.watcher.look_for_items()
    assert service.watcher.bundle_id == "bundle-2"
    assert not service.watcher.current.bundle.catalog.on_sale[4]
    service.close()
