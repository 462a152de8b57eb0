"""POST /v1/lists: the shape of the answer, and what makes the next list another."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from data.record import Record
from recsys.errors import StoreUnavailable
from recsys.events import EventType
from recsys.recommend import Request
from serving.bench_faults_shop import until
from serving.persons import Persons
from serving.remembered import Remembered
from serving.schemas import ListBody
from tests.planted import NOW, event, item
from tests.serving.conftest import ITEMS

FIELDS = [
    "list_id",
    "scene",
    "personalised",
    "degraded",
    "bundle",
    "pipeline",
    "arms",
    "cursor",
    "controls",
    "minors",
    "items",
]
ITEM_FIELDS = [
    "item_id",
    "kind",
    "rank",
    "score",
    "source",
    "reason",
    "ad",
    "coupon",
    "title",
    "price_minor",
    "cover",
    "link",
    "cards",
]


def ask(client, **said):
    answer = client.post("/v1/lists", json={"scene": "home", "user_id": "user-5001"} | said)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(answer):
    return [one["item_id"] for one in answer["items"]]


def test_an_answer_has_every_field_in_order(still):
    answer = ask(still, k=4)
    assert list(answer) == FIELDS
    assert [list(one) for one in answer["items"]] == [ITEM_FIELDS] * 4
    assert [one["rank"] for one in answer["items"]] == [0, 1, 2, 3]
    assert (answer["arms"], answer["minors"]) == ([], None)
    links = {"off": "/v1/me/personalisation", "tags": "/v1/me/tags", "appeal": None}
    assert answer["controls"] == links
    assert (answer["bundle"], answer["pipeline"]) == ("bundle-1", "home-test")


def test_an_item_carries_what_a_page_shows(still):
    shown = {one["item_id"]: one for one in ask(still)["items"]}
    product, video = shown["item-1003"], shown["item-1006"]
    assert (product["title"], product["price_minor"], product["link"]) == ("标题3", 993, "/p/3")
    assert (product["cover"], product["cards"]) == (None, [])
    assert video["cover"] == "/c/6.jpg"
    assert video["cards"][0] == {
        "item_id": "item-1000",
        "title": "标题0",
        "price_minor": 990,
        "cover": None,
        "link": "/p/0",
    }


def test_cards_that_are_not_on_sale_are_not_shown(shop):
    shop.publish()
    service = shop.service()
    service.record.put_items([item(1, available=False)], at=shop.clock.at)
    service.watcher.look()
    answer = json.loads(service.recommend(Request(scene="home", k=10)))
    (video,) = [one for one in answer["items"] if one["item_id"] == "item-1006"]
    assert [card["item_id"] for card in video["cards"]] == ["item-1000"]
    service.close()


def test_a_stranger_gets_what_is_popular(still):
    answer = ask(still, user_id="user-5999")
    assert not answer["personalised"]
    assert {one["reason"] for one in answer["items"][:4]} == {"popular now"}


def test_nobody_in_particular_gets_a_list_too(still):
    assert len(ask(still, user_id=None, k=5)["items"]) == 5


def test_an_event_changes_the_next_list_and_it_says_why(shop, client):
    before = ask(client, k=4)
    assert not before["personalised"]
    taken = client.post("/v1/events", json={"events": [shop.body(item_id="item-1002")]})
    assert taken.json()["accepted"] == 1
    after = ask(client, k=4)
    assert after["personalised"]
    assert ids(after) != ids(before)
    assert "looked at 标题2" in {one["reason"] for one in after["items"]}


def test_what_was_imported_and_what_came_since_make_one_history(shop):
    shop.publish()
    ordered = event("item-1003", EventType.ORDER, at=NOW - timedelta(days=400))
    shop.write_histories("v1", ordered, event("item-9999"), record_seq=1)
    with shop.client() as client:
        client.post("/v1/events", json={"events": [shop.body(1, item_id="item-1001")]})
        assert "bought 标题3" in {one["reason"] for one in ask(client)["items"]}
        client.post("/v1/events", json={"events": [shop.body(2, item_id="item-1002")]})
        answer = ask(client)
    assert "item-1003" not in ids(answer), "a durable bought long ago is shown again"
    reasons = {one["reason"] for one in answer["items"]}
    assert "looked at 标题2" in reasons
    # The first event of the record is in the histories already, as far as they say.
    assert "looked at 标题1" not in reasons


def test_a_guest_without_a_person_is_a_person_of_that_id(shop, client):
    client.post("/v1/events", json={"events": [shop.body(user_id="guest-7001")]})
    assert ask(client, user_id=None, guest_id="guest-7001")["personalised"]
    assert not ask(client, user_id="user-5002", guest_id="guest-7001")["personalised"]


def test_an_act_from_a_fast_clock_counts_at_once(shop, client):
    ahead = (shop.clock.at + timedelta(minutes=4)).isoformat()
    client.post("/v1/events", json={"events": [shop.body(at=ahead)]})
    assert ask(client)["personalised"]


def test_kinds_exclude_and_k_are_kept(still):
    answer = ask(still, k=3, kinds=["product"], exclude=["item-1005", "item-9999"])
    assert {one["kind"] for one in answer["items"]} == {"product"}
    assert len(answer["items"]) == 3
    assert "item-1005" not in ids(answer)


def test_after_checkout_the_order_decides(still):
    order = {"order_items": ["item-1002"], "item_id": None, "cart": []}
    answer = ask(still, scene="post_checkout", context=order)
    assert answer["scene"] == "post_checkout"
    assert "item-1002" not in ids(answer)
    assert "goes with 标题2 of this order" in {one["reason"] for one in answer["items"]}


def test_reasons_are_in_the_language_of_the_shop(shop):
    shop.publish()
    with shop.client(language="zh") as client:
        assert {one["reason"] for one in ask(client, k=2)["items"]} == {"正在热门"}


def test_the_time_it_took_is_in_a_header(still):
    answer = still.post("/v1/lists", json={"scene": "home"})
    assert answer.headers["server-timing"].startswith("list;dur=")


def test_the_served_list_is_in_the_record_afterwards(shop):
    shop.publish()
    with shop.client() as client:
        answer = ask(client, k=3)
    record = Record.open(shop.home.record_path)
    served = record.served(answer["list_id"])
    record.close()
    assert [one.item_id for one in served.items] == ids(answer)
    assert (served.user_id, served.at) == ("user-5001", shop.clock.at)


def test_without_a_bundle_the_list_is_valid_and_says_so(shop):
    with shop.client() as client:
        answer = ask(client)
    assert list(answer) == FIELDS
    assert (answer["items"], answer["degraded"]) == ([], ["no_bundle"])
    assert not answer["personalised"]


def test_without_a_bundle_the_list_is_of_what_the_shop_has(shop):
    record = Record.open(shop.home.record_path)
    record.put_items([*ITEMS[:4], ITEMS[6], item(5, available=False)], at=NOW)
    record.close()
    with shop.client() as client:
        answer = ask(client)
        assert set(ids(answer)) == {one.item_id for one in (*ITEMS[:4], ITEMS[6])}
        assert (answer["degraded"][0], answer["bundle"]) == ("no_bundle", "none")
        assert not answer["personalised"]
        assert client.get("/readyz").json()["bundle"] is None
        # What the person does counts at once: a refused item does not come again.
        said = [shop.body(1, item_id="item-1000", type="dislike", user_id="user-5001")]
        assert client.post("/v1/events", json={"events": said}).status_code == 202
        assert "item-1000" not in ids(ask(client))
        shop.publish()
        until(lambda: ask(client)["bundle"] == "bundle-1")
        assert "no_bundle" not in ask(client)["degraded"]


def test_without_a_bundle_an_item_put_in_is_shown_and_one_switched_off_is_not(shop):
    with shop.client() as client:
        assert ids(ask(client)) == []
        body = {"items": [{"item_id": "first", "kind": "product", "title": "first"}]}
        assert client.put("/v1/items", json=body).status_code == 200
        assert ids(ask(client)) == ["first"]
        off = {"item_ids": ["first"], "available": False}
        assert client.post("/v1/items/availability", json=off).status_code == 200
        assert ids(ask(client)) == []


def test_a_shop_without_items_gives_a_valid_list(shop):
    shop.near, shop.popular = (), ()
    shop.publish(items=[item(0, available=False)])
    with shop.client() as client:
        assert ask(client)["items"] == []


class Unreadable:
    """A record of which nothing can be read."""

    is_file = True

    def since(self, user_id, *, after_seq, limit):
        raise StoreUnavailable("the record cannot be read now")


def test_an_unreadable_record_degrades_the_list_and_breaks_nothing(shop):
    shop.publish()
    service = shop.service()
    service.watcher.look_for_bundle()
    broken = replace(service, persons=Persons(Unreadable(), Remembered(9), limit=100))
    answer = json.loads(broken.recommend(Request(scene="home", user_id="user-5001")))
    assert answer["degraded"] == ["record"]
    assert len(answer["items"]) == len(ITEMS)
    service.close()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"scene": "mars"}, "scene is unknown, got 'mars'; allowed: home, post_checkout"),
        ({"scene": None}, "scene: Input should be a valid string"),
        ({"k": 0}, "k is out of range, got 0; allowed: 1 to 100"),
        ({"k": 101}, "k is out of range"),
        ({"k": True}, "k: Input should be a valid integer"),
        ({"k": 10**19}, "k is out of range"),
        ({"k": 10**20}, "k: Input should be a valid integer"),
        ({"kinds": []}, "kinds is empty"),
        ({"kinds": ["product", "product"]}, "kinds is empty or repeats"),
        ({"kinds": ["song"]}, "kinds.0: Input should be 'product' or 'video'"),
        ({"exclude": ["x"] * 1_001}, "exclude is too long, got 1001 ids; allowed: up to 1000"),
        ({"exclude": ["x" * 129]}, "exclude.0: String should have at most 128 characters"),
        (
            {"context": {"order_items": ["x"] * 101}},
            "context.order_items: List should have at most 100 items",
        ),
        ({"context": {"basket": []}}, "context.basket: Extra inputs are not permitted"),
        ({"context": None}, "context: Input should be an object"),
        ({"user_id": ""}, "user_id is missing"),
        ({"user_id": "user\n5001"}, "user_id has unprintable characters"),
        ({"cursor": "page-2"}, "cursor is none of ours, got 'page-2'"),
        ({"arms": ["b"]}, "arms: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_request_is_refused_by_field(still, said, why):
    answer = still.post("/v1/lists", json={"scene": "home"} | said)
    assert answer.status_code == 422
    assert answer.json()["error"] == "invalid_input"
    assert why in answer.json()["detail"]


def test_a_page_learns_of_a_new_bundle_without_a_restart(shop, client, wait_for):
    shop.near = (4, 2)
    shop.publish("bundle-2")
    wait_for(lambda: ask(client)["bundle"] == "bundle-2")


def test_a_damaged_bundle_is_refused_while_the_old_one_serves(shop, client, wait_for, tmp_path):
    shop.publish("bundle-2")
    path = next((shop.home.bundles / "bundle-2").glob("*.npy"))
    path.write_bytes(path.read_bytes()[:-1])
    wait_for(lambda: client.get("/readyz").json()["refused_bundles"] == 1)
    assert ask(client)["bundle"] == "bundle-1"


def test_live_list_may_name_its_session():
    said = {"scene": "live", "context": {"session": "room-7"}}
    assert ListBody.model_validate(said).request().session == "room-7"
    assert ListBody.model_validate({"scene": "live"}).request().session == ""
