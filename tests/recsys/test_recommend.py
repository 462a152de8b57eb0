import pytest

from recsys.catalog import Catalog, Kind
from recsys.errors import InvalidInput
from recsys.events import EventType
from recsys.histories import History
from recsys.pipeline import Source
from recsys.recommend import Request, recommend
from tests.planted import NOW, Broken, Fixed, FixedForAll, bundle_of, event, history_of, item

# Positions 0–5 products, 6–9 videos; video 6 sells product 0.
CATALOG = Catalog.of(
    [item(n, category=("类", str(n)), durable=n != 2) for n in range(6)]
    + [item(6, Kind.VIDEO, cards=("item-1000",))]
    + [item(n, Kind.VIDEO) for n in range(7, 10)]
)
MODELS = {"near": Fixed(items=(3, 1, 0, 7, 6)), "popular": FixedForAll(items=(5, 4, 9, 8))}


def shown(bundle, *events, scene="home", **more):
    request = Request(scene=scene, user_id="user-5001", **more)
    history = history_of(bundle.catalog, *events)
    return recommend(request, history, bundle, at=NOW, list_id="list-1").served


def test_new_person_gets_both_kinds_and_is_told_so():
    served = shown(bundle_of(CATALOG, MODELS), k=4)
    assert [i.kind for i in served.items] == ["video", "product", "video", "product"]
    assert [i.item_id for i in served.items] == ["item-1009", "item-1005", "item-1008", "item-1004"]
    assert not served.personalised
    assert {i.reason for i in served.items} == {"popular now"}


def test_known_person_gets_what_is_near():
    served = shown(bundle_of(CATALOG, MODELS), event("item-1002"), kinds=(Kind.PRODUCT,), k=2)
    assert served.personalised
    assert {i.item_id for i in served.items} == {"item-1003", "item-1005"}
    assert {i.reason for i in served.items} == {"looked at 标题2", "popular now"}


@pytest.mark.parametrize(
    ("type", "reason"),
    [
        (EventType.ORDER, "bought 标题2"),
        (EventType.CART, "put 标题2 in the cart"),
        (EventType.SHARE, "liked 标题2"),
        (EventType.PLAY, "watched 标题2"),
        (EventType.VIEW, "looked at 标题2"),
    ],
)
def test_reason_names_the_act(type, reason):
    bundle = bundle_of(CATALOG, {"near": Fixed(items=(3,))})
    served = shown(bundle, event("item-1002", type), kinds=(Kind.PRODUCT,), k=1)
    assert served.items[0].reason == reason


def test_reason_can_be_chinese():
    bundle = bundle_of(CATALOG, {"near": Fixed(items=(3,))})
    history = history_of(CATALOG, event("item-1002", EventType.ORDER))
    request = Request(scene="home", kinds=(Kind.PRODUCT,), k=1)
    answer = recommend(request, history, bundle, at=NOW, list_id="l", language="zh")
    assert answer.served.items[0].reason == "买过标题2"


def test_broken_source_is_left_out_and_named():
    bundle = bundle_of(CATALOG, {"near": Broken(items=()), "popular": FixedForAll(items=(5, 9))})
    served = shown(bundle, event("item-1002"), k=2)
    assert [i.item_id for i in served.items] == ["item-1009", "item-1005"]
    assert served.degraded == ("source:near",)


def test_page_is_full_even_when_every_source_fails():
    served = shown(bundle_of(CATALOG, {"near": Broken(items=())}), event("item-1002"), k=10)
    assert len(served.items) == 10
    assert {i.source for i in served.items} == {"selection"}
    assert {i.reason for i in served.items} == {"from the shop's selection"}


def test_filled_up_page_keeps_the_filters():
    bundle = bundle_of(CATALOG, MODELS)
    bought = event("item-1001", EventType.ORDER)
    served = shown(bundle, bought, k=50, exclude=("item-1004", "item-7777"))
    ids = [i.item_id for i in served.items]
    assert len(ids) == len(set(ids)) == 8
    assert not {"item-1001", "item-1004"} & set(ids)


def test_after_checkout_the_basket_speaks_and_does_not_come_back():
    served = shown(bundle_of(CATALOG, MODELS), scene="post_checkout", basket=("item-1000",), k=4)
    ids = [i.item_id for i in served.items]
    assert "item-1000" not in ids
    reasons = {i.item_id: i.reason for i in served.items}
    assert reasons["item-1003"] == "goes with 标题0 of this order"
    assert not served.personalised


def test_a_video_that_shows_the_order_says_so():
    bundle = bundle_of(CATALOG, {"near": Fixed(items=(6,))})
    served = shown(bundle, scene="post_checkout", basket=("item-1000",), k=1)
    assert served.items[0].reason == "shows 标题0 of this order"


def test_after_checkout_without_items_means_the_latest_order():
    events = [event("item-1000", EventType.ORDER, order_id="order-1"), event("item-1003")]
    served = shown(bundle_of(CATALOG, MODELS), *events, scene="post_checkout", k=3)
    assert "goes with 标题0 of this order" in {i.reason for i in served.items}
    assert served.personalised


def test_product_of_a_watched_video_says_where_it_is_sold():
    bundle = bundle_of(CATALOG, {"near": Fixed(items=(0,))})
    served = shown(bundle, event("item-1006", EventType.PLAY), kinds=(Kind.PRODUCT,), k=1)
    assert served.items[0].reason == "sold in 标题6, which you watched"


def test_empty_shop_gives_an_empty_valid_list():
    served = shown(bundle_of(Catalog.of([]), {"near": Fixed(items=())}))
    assert served.items == ()


def test_same_request_same_list():
    bundle = bundle_of(CATALOG, MODELS)
    assert shown(bundle, event("item-1002")) == shown(bundle, event("item-1002"))


def test_source_with_more_weight_comes_first():
    sources = (Source(name="near", model="near", weight=0.1), Source(name="pop", model="popular"))
    served = shown(bundle_of(CATALOG, MODELS, sources), event("item-1002"), k=2)
    assert [i.source for i in served.items] == ["pop", "pop"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"scene": "basement"}, "scene is unknown, got 'basement'; allowed: home, post_checkout"),
        ({"k": 0}, "k is out of range, got 0; allowed: 1 to 100"),
        ({"kinds": ()}, "kinds is empty or repeats"),
        ({"kinds": (Kind.VIDEO, Kind.VIDEO)}, "kinds is empty or repeats"),
        ({"exclude": ("x",) * 1001}, "exclude is too long, got 1001"),
        ({"basket": ("x",) * 101}, "basket is too long, got 101"),
        ({"user_id": ""}, "user_id is missing"),
    ],
)
def test_bad_request_is_refused(more, message):
    with pytest.raises(InvalidInput, match=message):
        Request(**({"scene": "home"} | more))


def test_empty_history_is_a_person_too():
    bundle = bundle_of(CATALOG, MODELS)
    answer = recommend(Request(scene="home"), History.empty(), bundle, at=NOW, list_id="l")
    assert [bundle.catalog.ids[int(i)] for i in answer.items] == [
        i.item_id for i in answer.served.items
    ]
