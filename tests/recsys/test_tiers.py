from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.audience import AUDIENCES, mask_of
from recsys.bars import Bar
from recsys.catalog import Catalog, Kind
from recsys.errors import InvalidItem
from recsys.events import EventType, millis
from recsys.recommend import Request, recommend
from recsys.stages import STAGES
from recsys.tiers import NOBODY, Standing, Tier, Tiers, Treatment, standing_of
from tests.planted import NOW, Fixed, FixedForAll, bundle_of, event, history_of, item

TIERS = Tiers(member_orders=3, member_spend_minor=10_000, member_days=100, lapsed_days=30)
CATALOG = Catalog.of([item(0, price_minor=3_000), item(1, price_minor=9_000), item(2)])


def order(number: int, item_number: int = 0, days_ago: float = 1, **more):
    said = {"event_id": f"order-{number}", "order_id": f"order-{number}"}
    said["at"] = NOW - timedelta(days=days_ago)
    return event(f"item-{1000 + item_number}", EventType.ORDER, **(said | more))


def standing(*events) -> Standing:
    return standing_of(history_of(CATALOG, *events), CATALOG, TIERS, millis(NOW))


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        ((), NOBODY),
        ((order(1),), Standing(tier=Tier.RETURNING)),
        ((order(1), order(2), order(3)), Standing(tier=Tier.MEMBER)),
        # 3 × 30 + 90 yuan is what a member spends; two lines of one order are one order.
        ((order(1), order(2, 1)), Standing(tier=Tier.MEMBER)),
        ((order(1), order(1, order_id="order-1", event_id="e-2")), Standing(tier=Tier.RETURNING)),
        ((order(1, quantity=4),), Standing(tier=Tier.MEMBER)),
        # What is not priced costs nothing anybody knows of.
        ((order(1, 2, quantity=400),), Standing(tier=Tier.RETURNING)),
        # Recency: orders of before `member_days` make no member, and who stayed away has lapsed.
        (
            (order(1, days_ago=150), order(2, days_ago=140), order(3, days_ago=120)),
            Standing(tier=Tier.RETURNING, is_lapsed=True),
        ),
        (
            (order(1, days_ago=50), order(2, days_ago=50), order(3, days_ago=40)),
            Standing(tier=Tier.MEMBER, is_lapsed=True),
        ),
        # Without a time they count, and say nothing of recency.
        ((order(1, at=None),), Standing(tier=Tier.RETURNING)),
    ],
)
def test_standing(orders, expected):
    assert standing(*orders) == expected


def test_what_was_given_back_makes_nobody_a_customer():
    refund = event("item-1000", EventType.REFUND, order_id="order-1")
    assert standing(order(1), refund) == NOBODY
    assert standing(order(1), refund, order(2)).tier is Tier.RETURNING


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0, 300)), max_size=8), st.floats(0, 300))
def test_more_orders_never_lower_a_tier(said, days_ago):
    rank = [Tier.NEW, Tier.RETURNING, Tier.MEMBER]
    orders = [order(n, item_number, days) for n, (item_number, days) in enumerate(said)]
    before, after = standing(*orders), standing(*orders, order(99, 0, days_ago))
    assert rank.index(after.tier) >= rank.index(before.tier)
    assert not (after.is_lapsed and not before.is_lapsed and orders)


def test_unknown_audience_is_refused():
    with pytest.raises(
        InvalidItem, match="audience is unknown, got 'vip'; allowed: new, returning"
    ):
        item(1, audience=("vip",))
    assert mask_of(("new", "lapsed", "new")) == AUDIENCES["new"] | AUDIENCES["lapsed"]


MEANT = {"new": 10, "returning": 11, "member": 12, "lapsed": 13}
PEOPLE = {
    ("new",): (),
    ("returning",): (order(1, days_ago=1),),
    ("member",): (order(1), order(2), order(3)),
    ("returning", "lapsed"): (order(1, days_ago=90),),
}


def world(model=FixedForAll, **more):
    catalog = Catalog.of(
        [item(n, price_minor=3_000, durable=False) for n in range(10)]
        + [item(n, audience=(word,)) for word, n in MEANT.items()]
        + [item(14, tags=("欢迎",))]
    )
    bundle = bundle_of(catalog, {"any": model(items=tuple(range(15)))})
    return catalog, bundle, TIERS


def list_of(bundle, catalog, orders, **asked):
    request = Request(scene=asked.pop("scene", "home"), kinds=(Kind.PRODUCT,), **asked)
    history = history_of(catalog, *orders)
    return recommend(request, history, bundle, at=NOW, list_id="list-1").served.items


@pytest.mark.parametrize("people", PEOPLE, ids="+".join)
@pytest.mark.parametrize("scene", ["home", "post_checkout"])
# Fixed says nothing to a stranger, so that their list comes from the ladder.
@pytest.mark.parametrize("model", [Fixed, FixedForAll])
def test_items_reach_exactly_their_audience_on_every_rung(people, scene, model):
    catalog, bundle, tiers = world(model)
    bundle = replace(bundle, tiers=tiers).ready()
    found = list_of(bundle, catalog, PEOPLE[people], scene=scene)
    shown = {int(one.item_id[-4:]) - 1000 for one in found}
    assert shown & set(MEANT.values()) == {MEANT[word] for word in people}


def test_without_the_filter_everybody_sees_everything(monkeypatch):
    catalog, bundle, _ = world()
    monkeypatch.setitem(STAGES, "audience", lambda *_: Bar())
    shown = {int(one.item_id[-4:]) - 1000 for one in list_of(bundle, catalog, ())}
    assert set(MEANT.values()) <= shown


def test_what_is_meant_for_a_person_has_a_seat_and_says_so():
    catalog, bundle, tiers = world()
    bundle.models["any"].items = tuple(range(10))
    bundle = replace(bundle, tiers=tiers).ready()
    second = list_of(bundle, catalog, PEOPLE["member",])[1]
    assert (second.item_id, second.source, second.reason) == ("item-1012", "claims", "for members")


def test_treatment_welcomes_in_its_scene_only():
    catalog, bundle, tiers = world()
    bundle.models["any"].items = tuple(range(10))
    treatments = {"post_checkout": {"new": Treatment(tags=("欢迎",), every=2)}}
    bundle = replace(bundle, tiers=tiers, treatments=treatments).ready()
    basket = ("item-1000",)
    found = list_of(bundle, catalog, (), scene="post_checkout", basket=basket)
    assert (found[1].item_id, found[1].reason) == ("item-1014", "for new customers")
    for scene, orders in (("home", ()), ("post_checkout", PEOPLE["member",])):
        found = list_of(bundle, catalog, orders, scene=scene, k=8)
        assert "item-1014" not in {one.item_id for one in found}
