from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from recsys.campaigns import Campaign, Campaigns, Offer, campaign_of
from recsys.catalog import Catalog, Kind
from recsys.errors import InvalidItem
from recsys.events import EventType, millis
from recsys.histories import History
from recsys.mix import Mix
from recsys.overlay import Overlay
from recsys.recommend import Request, recommend
from tests.planted import NOW, FixedForAll, bundle_of, event, history_of, item

HOUR = timedelta(hours=1)


def sale(more: str = "", kind: str = "flash", begins=NOW - HOUR, ends=NOW + HOUR) -> str:
    return f"{kind}:618 {begins.isoformat()}/{ends.isoformat()}{more}"


def test_text_says_what_a_campaign_is():
    found = campaign_of("flash:618 2026-06-18T00:00:00Z/2026-06-18T02:00:00+00:00 limit=2")
    assert found == Campaign(
        offer=Offer.FLASH,
        name="618",
        starts_ms=1_781_740_800_000,
        ends_ms=1_781_748_000_000,
        per_person=2,
    )
    assert campaign_of("夏日") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gift:618 2026-06-18T00:00:00Z/2026-06-18T02:00:00Z", "allowed: flash, coupon, topic"),
        ("flash:618", "allowed: kind:name from/until"),
        ("flash:618 2026-06-18T00:00:00/2026-06-18T02:00:00", "times with a zone"),
        ("flash:618 2026-06-18T02:00:00Z/2026-06-18T02:00:00Z", "ends before it starts"),
        ("flash:618 2026-06-18T00:00:00Z/2026-06-18T02:00:00Z limit=0", "limit=1 or more"),
        ("flash:618 2026-06-18T00:00:00Z/2026-06-18T02:00:00Z 2", "limit=1 or more"),
        ("flash:618 2026-06-18T00:00:00Z/2026-06-18T02:00:00Z limit=1 limit=2", "limit=1 or more"),
        ("coupon:618 2026-06-18T00:00:00Z/2026-06-18T02:00:00Z stock=-1", "stock=0 or more"),
        ("", "campaigns is missing"),
    ],
)
def test_what_means_to_be_a_campaign_and_is_none_is_refused_at_birth(text, message):
    with pytest.raises(InvalidItem, match=message):
        item(1, campaigns=(text,))


def test_too_many_campaigns_are_refused():
    with pytest.raises(InvalidItem, match="campaigns has too many parts, got 17; max 16"):
        item(1, campaigns=tuple(map(str, range(17))))


def test_patched_items_have_the_campaigns_they_have_now():
    before = Campaigns.of([(0, [sale()]), (3, [sale(), sale(kind="topic")])])
    after = before.patched([(3, []), (1, [sale(" limit=1")])])
    assert after.item.tolist() == [0, 1]
    assert after.per_person.tolist() == [0, 1]
    assert [after.names[name] for name in after.name.tolist()] == ["618", "618"]


def shop(*campaigns: tuple[str, ...], **more):
    catalog = Catalog.of([item(n, campaigns=one, **more) for n, one in enumerate(campaigns)])
    models = {"popular": FixedForAll(items=tuple(range(len(campaigns))))}
    return catalog, bundle_of(catalog, models).ready()


def shown(bundle, at=NOW, history=None, **asked):
    request = Request(scene="home", kinds=(Kind.PRODUCT,), **asked)
    answer = recommend(request, history or History.empty(), bundle, at=at, list_id="list-1")
    return [int(one.item_id[-4:]) - 1000 for one in answer.served.items]


@pytest.mark.parametrize(
    ("at", "is_shown"),
    [
        (NOW - HOUR - timedelta(milliseconds=1), False),
        (NOW - HOUR, True),
        (NOW + HOUR - timedelta(milliseconds=1), True),
        (NOW + HOUR, False),
    ],
)
def test_flash_sale_is_shown_in_its_window_and_at_no_other_moment(at, is_shown):
    _, bundle = shop((), (sale(),), ())
    assert (1 in shown(bundle, at)) == is_shown
    assert {0, 2} <= set(shown(bundle, at))


def test_nobody_is_shown_a_sale_of_which_they_had_all_pieces():
    catalog, bundle = shop((), (sale(" limit=2"),), durable=False)

    def had(*orders):
        return history_of(catalog, *orders)

    def order(number, **more):
        said = {"event_id": f"order-{number}", "order_id": f"order-{number}", "at": NOW} | more
        return event("item-1001", EventType.ORDER, **said)

    assert 1 in shown(bundle, history=had(order(1)))
    assert 1 not in shown(bundle, history=had(order(1), order(2)))
    assert 1 not in shown(bundle, history=had(order(1, quantity=2)))
    # What was ordered before the sale, and what was given back, leaves their pieces to them.
    assert 1 in shown(bundle, history=had(order(1, at=NOW - 2 * HOUR), order(2)))
    refund = event("item-1001", EventType.REFUND, event_id="refund-1", order_id="order-2")
    assert 1 in shown(bundle, history=had(order(1), order(2), refund))


def test_sold_out_sale_is_gone():
    catalog, bundle = shop((), (sale(),))
    now = Overlay.of(catalog).with_items([item(1, campaigns=(sale(),), stock=0)])
    assert shown(bundle.now_with(now)) == [0]


def test_sale_that_starts_after_the_bundle_was_made_is_shown_at_once_and_can_be_ended():
    catalog, bundle = shop((), ())
    overlay = Overlay.of(catalog).with_items([item(7, campaigns=(sale(),), published_at=NOW)])
    begun = bundle.now_with(overlay)
    assert 7 in shown(begun)
    ended = sale(ends=NOW - timedelta(seconds=1))
    over = bundle.now_with(overlay.with_items([item(7, campaigns=(ended,), published_at=NOW)]))
    assert 7 not in shown(over)


def test_expired_and_unpublished_items_are_not_shown():
    catalog = Catalog.of(
        [
            item(0),
            item(1, expires_at=NOW),
            item(2, published_at=NOW + HOUR),
            item(3, expires_at=NOW + HOUR, published_at=NOW),
        ]
    )
    bundle = bundle_of(catalog, {"popular": FixedForAll(items=(0, 1, 2, 3))})
    assert sorted(shown(bundle)) == [0, 3]


def test_running_sale_gets_the_second_seat_and_says_why():
    catalog, bundle = shop(*[()] * 30, (sale(),), (sale(kind="topic"),))
    # No source sends them.
    bundle.models["popular"].items = tuple(range(30))
    assert {30, 31} == {shown(bundle)[1], shown(bundle)[6]}
    request = Request(scene="home", kinds=(Kind.PRODUCT,))
    answer = recommend(request, History.empty(), bundle, at=NOW, list_id="list-1")
    reasons = {one.item_id: (one.source, one.reason) for one in answer.served.items}
    assert reasons["item-1030"] == ("claims", "in the flash sale 618")
    assert reasons["item-1031"] == ("claims", "part of 618")
    # Without the mechanism they are not there.
    assert not {30, 31} & set(shown(bundle_of(catalog, dict(bundle.models))))


@pytest.mark.parametrize(("share", "rank"), [(0.05, 0), (0.1, 0), (0.2, 1), (0.5, 1)])
def test_running_sale_is_first_where_products_have_one_or_two_seats(share, rank):
    campaigns = {50: (sale(),)}
    catalog = Catalog.of(
        [
            item(n, Kind.VIDEO if n < 40 else Kind.PRODUCT, campaigns=campaigns.get(n, ()))
            for n in range(80)
        ]
    )
    made = bundle_of(catalog, {"popular": FixedForAll(items=tuple(range(50)))})
    found = replace(made, mixes={"home": Mix(floor=share, ceiling=share)}).ready()
    request = Request(scene="home", k=20)
    served = recommend(request, History.empty(), found, at=NOW, list_id="list-1").served
    sold = [one.item_id for one in served.items if one.kind == "product"]
    assert len(sold) == 20 * share
    assert sold.index("item-1050") == rank


def test_many_sales_take_turns_from_list_to_list():
    _, bundle = shop(*[(sale(),)] * 40)
    seconds = set()
    for number in range(20):
        request = Request(scene="home", user_id="user-5001", kinds=(Kind.PRODUCT,), k=5)
        answer = recommend(request, History.empty(), bundle, at=NOW, list_id=f"list-{number}")
        seconds.add(answer.served.items[1].item_id)
    assert len(seconds) > 10


def test_campaign_columns_ascend_by_item():
    found = Campaigns.of([(5, [sale()]), (2, [sale(kind="coupon")])])
    assert found.item.tolist() == [2, 5]
    assert found.offer.tolist() == [Offer.COUPON, Offer.FLASH]
    assert np.all(found.starts_ms == millis(NOW - HOUR))


def coupon(more: str = " limit=1", **window) -> str:
    return sale(more, "coupon", **window)


def evens(*campaigns: tuple[str, ...]):
    """Of these items half of the opinions hold the first best, and half the last."""
    catalog = Catalog.of([item(n, campaigns=one, durable=False) for n, one in enumerate(campaigns)])
    items = tuple(range(len(campaigns)))
    models = {"up": FixedForAll(items=items), "down": FixedForAll(items=items[::-1])}
    return catalog, bundle_of(catalog, models).ready()


def marks(bundle, at=NOW, history=None) -> dict[int, str | None]:
    request = Request(scene="home", kinds=(Kind.PRODUCT,))
    answer = recommend(request, history or History.empty(), bundle, at=at, list_id="list-1")
    return {int(one.item_id[-4:]) - 1000: one.coupon for one in answer.served.items}


@pytest.mark.parametrize(
    ("at", "runs"),
    [
        (NOW - HOUR - timedelta(milliseconds=1), False),
        (NOW - HOUR, True),
        (NOW + HOUR - timedelta(milliseconds=1), True),
        (NOW + HOUR, False),
    ],
)
def test_coupon_marks_its_item_and_breaks_a_tie_while_it_runs(at, runs):
    _, bundle = evens((), (coupon(),))
    assert marks(bundle, at) == {0: None, 1: "618" if runs else None}
    assert shown(bundle, at) == ([1, 0] if runs else [0, 1])


def test_coupon_passes_nothing_that_fits_better():
    """Of thirteen products no two are about as good: a place is a twelfth of all there is."""
    _, bundle = shop(*[()] * 12, (coupon(),))
    assert shown(bundle) == list(range(13))
    assert marks(bundle)[12] == "618"


def test_coupon_is_over_for_who_used_it_and_for_nobody_else():
    catalog, bundle = evens((), (coupon(),))
    used = event("item-1001", EventType.ORDER, order_id="order-1", at=NOW)
    before = event("item-1001", EventType.ORDER, order_id="order-1", at=NOW - 2 * HOUR)
    other = event("item-1000", EventType.ORDER, order_id="order-1", at=NOW)
    assert marks(bundle, history=history_of(catalog, used))[1] is None
    for history in (history_of(catalog, before), history_of(catalog, other), History.empty()):
        assert marks(bundle, history=history)[1] == "618"


def test_coupon_of_which_none_is_left_is_over():
    catalog, bundle = evens((), (coupon(" stock=3"),))
    assert marks(bundle)[1] == "618"
    gone = Overlay.of(catalog).with_items([item(1, campaigns=(coupon(" limit=1 stock=0"),))])
    assert marks(bundle.now_with(gone)) == {0: None, 1: None}


def test_sale_of_which_none_is_left_is_not_shown_outside_of_it_either():
    _, bundle = shop((), (sale(" stock=0"),))
    assert shown(bundle) == shown(bundle, NOW + 2 * HOUR) == [0]
