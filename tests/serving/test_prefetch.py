"""GET /v1/prefetch/home: the home list in the form that a mini-program platform fetches ahead."""

import json

import pytest

from data.record import Record
from recsys.catalog import Item, Kind
from serving.routes.lists import PREFETCH_BYTES
from tests.serving.test_lists import ask, ids

# What the platform sends when somebody opens the mini-program.
PLATFORM = {
    "appid": "wx0123456789abcdef",
    "token": "of-the-shop",
    "timestamp": "1790000000000",
    "path": "pages/home",
    "query": "from=share",
    "scene": "1001",
}


def fetched(client, **more):
    answer = client.get("/v1/prefetch/home", params=PLATFORM | more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_it_is_the_home_list(shop, client):
    client.post("/v1/events", json={"events": [shop.body(item_id="item-1002")]})
    for who in ({"user_id": "user-5001"}, {"guest_id": "guest-7001"}):
        ahead = fetched(client, k=5, **who)
        asked = ask(client, k=5, **({"user_id": None} | who))
        assert ahead["items"] == asked["items"]
        assert (ahead["scene"], ahead["cursor"]) == ("home", asked["cursor"])


def test_cards_carry_what_a_page_shows(client):
    shown = {one["item_id"]: one for one in fetched(client)["items"]}
    assert [card["title"] for card in shown["item-1006"]["cards"]] == ["标题0", "标题1"]


def test_the_next_page_follows_on_it(client):
    ahead = fetched(client, k=4)
    assert not set(ids(ahead)) & set(ids(ask(client, k=6, cursor=ahead["cursor"])))
    assert not set(ids(ahead)) & set(ids(fetched(client, k=6, cursor=ahead["cursor"])))


@pytest.fixture
def heavy(shop):
    """Every item as long as it may be: a hundred of them would be megabytes."""

    def long(number, kind, **more):
        texts = {"title": "题" * 300, "cover": "图" * 1_000, "link": "链" * 1_000}
        return Item(item_id=f"item-{1000 + number}", kind=kind, **texts, **more)

    products = [long(n, Kind.PRODUCT) for n in range(20)]
    cards = tuple(one.item_id for one in products)
    videos = [long(n, Kind.VIDEO, cards=cards) for n in range(20, 40)]
    shop.near, shop.popular = (), tuple(range(40))
    shop.publish(items=[*products, *videos])
    with shop.client() as client:
        yield client


def test_it_is_cut_to_what_the_platform_keeps(shop, heavy):
    answer = heavy.get("/v1/prefetch/home", params=PLATFORM | {"k": 100})
    whole = ask(heavy, k=100)
    assert len(json.dumps(whole).encode()) > PREFETCH_BYTES
    assert PREFETCH_BYTES // 2 < len(answer.content) <= PREFETCH_BYTES
    assert answer.json()["items"] == whole["items"][: len(answer.json()["items"])]


def test_the_record_has_what_was_sent_and_the_cursor_begins_behind_it(shop, heavy):
    ahead = fetched(heavy, k=40)
    rest = ask(heavy, k=100, cursor=ahead["cursor"])
    assert len(ahead["items"]) + len(rest["items"]) == 40
    heavy.__exit__(None, None, None)
    record = Record.open(shop.home.record_path)
    served = record.served(ahead["list_id"])
    record.close()
    assert [one.item_id for one in served.items] == ids(ahead)
    heavy.__enter__()


def test_words_of_the_platform_that_nobody_knows_yet_are_no_error(client):
    assert fetched(client, something="new")["items"]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ({"k": 101}, "k is out of range"),
        ({"k": "many"}, "k: Input should be a valid integer"),
        ({"cursor": "x"}, "cursor is none of ours"),
        ({"user_id": "x" * 129}, "user_id is too long"),
    ],
)
def test_a_wrong_query_is_refused(client, query, why):
    answer = client.get("/v1/prefetch/home", params=query)
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_input")
    assert why in answer.json()["detail"]
