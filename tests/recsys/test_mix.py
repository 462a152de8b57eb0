from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.catalog import Catalog, Kind
from recsys.events import EventType, millis
from recsys.histories import Histories, History
from recsys.interactions import DAY_MS
from recsys.kernels_seen import GAINS
from recsys.mix import Mix
from recsys.recommend import Request, recommend
from recsys.staying import Staying
from tests.planted import NOW, FixedForAll, bundle_of, item, taste_of

VIDEOS, PRODUCTS = range(40), range(40, 80)
CATALOG = Catalog.of(
    [item(n, Kind.VIDEO, duration_s=20.0) for n in VIDEOS] + [item(n) for n in PRODUCTS]
)
TASTE = taste_of(CATALOG)
WIDE = Mix(floor=0.0, ceiling=1.0, exploration=0.0, staying=0.0)
WHO = "user-1"


def visit(days_ago: float, n_products: int, n_videos: int, acts=()) -> list[tuple]:
    """Impressions of one visit, then acts (type, item)."""
    at_ms = millis(NOW) - round(days_ago * DAY_MS)
    shown = [*PRODUCTS[:n_products], *VIDEOS[:n_videos]]
    seen = [(one, EventType.IMPRESSION) for one in shown]
    return [(item_idx, type, at_ms) for item_idx, type in (*seen, *acts)]


def history(*visits) -> History:
    events = sorted((one for each in visits for one in each), key=lambda one: one[2])
    n = len(events)
    return History(
        item=np.array([one[0] for one in events], dtype=np.int32),
        type=np.array([one[1] for one in events], dtype=np.int8),
        at_ms=np.array([one[2] for one in events], dtype=np.int64),
        value=np.full(n, 20.0, dtype=np.float32),
        duration_s=np.full(n, 20.0, dtype=np.float32),
        order=np.zeros(n, dtype=np.int64),
        platform=np.zeros(n, dtype=np.int8),
    )


def row(past: History):
    return TASTE.row(past, millis(NOW))


def name(person: int) -> str:
    return f"user-{person}"


def commerce(mix: Mix, past: History) -> float:
    return mix.share(row(past), CATALOG, WHO).commerce


WATCHED = [(0, EventType.PLAY), (1, EventType.PLAY), (2, EventType.LIKE)]
BOUGHT = [(40, EventType.VIEW), (40, EventType.CART), (40, EventType.ORDER)]


def test_who_buys_sees_more_products_and_who_watches_fewer():
    buyer = history(*(visit(day, 5, 5, BOUGHT) for day in range(1, 8)))
    watcher = history(*(visit(day, 5, 5, WATCHED) for day in range(1, 8)))
    both = history(*(visit(day, 5, 5, [*BOUGHT, *WATCHED]) for day in range(1, 8)))
    shares = [commerce(WIDE, one) for one in (watcher, both, buyer)]
    assert shares[0] < shares[1] < shares[2]
    assert commerce(WIDE, history()) == 0.5


def test_share_is_what_kinds_bring_a_seat():
    # Equal weights on both sides: a view of a product against one of a note, each seen five times.
    views = [(40, EventType.VIEW), (41, EventType.VIEW), (42, EventType.VIEW), (0, EventType.VIEW)]
    past = history(*(visit(day / 10, 5, 5, views) for day in range(10)))
    mix = replace(WIDE, prior_seats=1e-6, half_life_days=0.0)
    sums = mix.seen_by(TASTE.acts(Histories.of([past]), millis(NOW)), CATALOG)[0].tolist()
    assert mix.rates(sums)[1] == pytest.approx(3 * mix.rates(sums)[0], rel=0.01)
    assert mix.best(sums) == pytest.approx(0.75, abs=0.01)


def brought(past: History, days_later: float = 0.0) -> list[float]:
    """What seats brought, in weights of events: of videos, of products."""
    found = replace(WIDE, half_life_days=0.0).seen_by(
        TASTE.acts(Histories.of([past]), millis(NOW) + round(days_later * DAY_MS)), SELLING
    )
    return found[0, GAINS : GAINS + 2].tolist()


# The first video sells product 79 on its card.
SELLING = Catalog.of(
    [item(0, Kind.VIDEO, duration_s=20.0, cards=("item-1079",))]
    + [item(n, Kind.VIDEO, duration_s=20.0) for n in VIDEOS[1:]]
    + [item(n) for n in PRODUCTS]
)
ORDERED = [(79, EventType.ORDER)]


def test_what_a_card_sold_is_the_videos_doing_and_what_was_on_a_screen_the_products():
    order = brought(history(visit(1, 40, 0, ORDERED)))[1]
    assert order > 0
    # Product 79 is on the screen, it is on a card of a video that is, it was looked for.
    assert brought(history(visit(1, 40, 1, ORDERED))) == [0.0, order]
    assert brought(history(visit(1, 5, 1, ORDERED))) == [order, 0.0]
    assert brought(history(visit(1, 5, 0, ORDERED))) == [0.0, 0.0]
    # A day later it is nobody's doing any more.
    assert brought(history(visit(1.5, 5, 1), visit(0.1, 0, 0, ORDERED))) == [0.0, 0.0]
    assert brought(history(visit(1.5, 40, 0), visit(0.1, 0, 0, ORDERED))) == [0.0, 0.0]


def test_where_no_product_was_told_to_be_seen_its_acts_are_its_own():
    order = brought(history(visit(1, 40, 0, ORDERED)))[1]
    assert brought(history(visit(1, 0, 5, ORDERED))) == [0.0, order]
    # What is on a screen later than the moment tells nothing yet.
    later = history(visit(1, 0, 5, ORDERED), visit(-1, 5, 5))
    assert brought(later) == [0.0, order]
    of_video, own = brought(later, days_later=2)
    assert of_video > 0 == own


def test_few_seats_are_drawn_to_what_is_usual():
    one_visit = history(visit(1, 5, 5, BOUGHT))
    shares = [commerce(replace(WIDE, prior_seats=n), one_visit) for n in (1.0, 100.0, 10_000.0)]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == 0.5


@given(
    floor=st.floats(0, 1),
    more=st.floats(0, 1),
    days=st.integers(0, 12),
    who=st.text(max_size=8),
    acts=st.lists(st.sampled_from([*WATCHED, *BOUGHT]), max_size=6),
    staying=st.floats(-20, 20),
)
def test_share_stays_between_floor_and_ceiling(floor, more, days, who, acts, staying):
    ceiling = min(1.0, floor + more)
    mix = Mix(floor=floor, ceiling=ceiling, exploration=0.5, staying=staying)
    share = mix.share(row(history(*(visit(d, 6, 4, acts) for d in range(days)))), CATALOG, who)
    assert floor - 1e-9 <= share.commerce <= ceiling + 1e-9
    assert 0 < share.probability <= 1 + 1e-9


@pytest.mark.parametrize("bounds", [(0.2, 0.6), (0.0, 0.1), (0.9, 1.0)])
def test_one_person_keeps_the_share_and_probabilities_are_true(bounds):
    floor, ceiling = bounds
    mix = Mix(floor=floor, ceiling=ceiling, exploration=0.3)
    past = row(history(*(visit(day, 5, 5, BOUGHT) for day in range(1, 4))))
    drawn = [mix.share(past, CATALOG, name(one)) for one in range(4_000)]
    assert drawn == [mix.share(past, CATALOG, name(one)) for one in range(4_000)]
    told = {one.commerce: one.probability for one in drawn}
    # The best one and those beside it, of which one may be beyond the bounds.
    assert 2 <= len(told) <= 3
    assert max(told.values()) >= 0.7
    assert sum(told.values()) == pytest.approx(1)
    # 4,000 draws: four standard deviations of a share of 0.73 are 0.028.
    for share, probability in told.items():
        n = sum(one.commerce == share for one in drawn)
        assert n / 4_000 == pytest.approx(probability, abs=0.028)


def test_nothing_is_tried_out_on_who_is_not_known():
    mix = Mix(exploration=1.0)
    known = row(history(visit(1, 5, 5, BOUGHT)))
    shares = {mix.share(row(history()), CATALOG, name(one)) for one in range(50)}
    shares.add(mix.share(row(history()), CATALOG, None))
    assert len(shares) == 1
    assert shares.pop().probability == 1.0
    assert mix.share(known, CATALOG, None).probability == 1.0


def test_usual_rates_and_share_are_learned_from_everybody():
    people = [history(*(visit(d, 2, 8, [BOUGHT[2], WATCHED[2]]) for d in (1, 2))) for _ in range(9)]
    mix = replace(WIDE, half_life_days=0.0)
    found = mix.fitted(Histories.of(people), name, TASTE, CATALOG, millis(NOW))
    assert found.usual == pytest.approx(0.2)
    # An order weighs 8 and a like 3; of each one in two, and eight, seats.
    assert found.product / found.video == pytest.approx((8 / 2) / (3 / 8), rel=0.01)


def test_log_of_impressions_of_one_kind_alone_does_not_make_the_other_rare():
    """Platforms tell which videos were seen, and of products only what was done."""
    told = history(*(visit(d, 0, 20, [*WATCHED, *BOUGHT]) for d in range(1, 8)))
    silent = history(*(visit(d, 0, 0, [*WATCHED, *BOUGHT]) for d in range(1, 8)))
    assert commerce(WIDE, told) == commerce(WIDE, silent)
    found = WIDE.fitted(Histories.of([told] * 5), name, TASTE, CATALOG, millis(NOW))
    assert found.usual == 0.5
    watcher = history(*(visit(d, 0, 20, WATCHED) for d in range(1, 8)))
    assert commerce(WIDE, watcher) < 0.5 < commerce(WIDE, history(visit(1, 0, 20, BOUGHT)))


def test_past_without_both_kinds_teaches_nothing():
    only_videos = Histories.of([history(visit(1, 0, 10, WATCHED))])
    found = WIDE.fitted(only_videos, name, TASTE, CATALOG, millis(NOW))
    assert (found.video, found.product, found.staying) == (1.0, 1.0, Staying().careful)


def is_crowded(is_commercial, in_row):
    """Whether more commercial items follow each other than may."""
    runs = "".join("x" if one else " " for one in is_commercial).split()
    return any(len(run) > in_row for run in runs)


def bundle(mix: Mix | None, n_ads: int = 0):
    catalog = Catalog.of(
        [item(n, Kind.VIDEO, promotional=n < n_ads) for n in VIDEOS] + [item(n) for n in PRODUCTS]
    )
    found = bundle_of(catalog, {"all": FixedForAll(items=(*VIDEOS, *PRODUCTS))})
    return replace(found, mixes={} if mix is None else {"home": mix}).ready()


def shown(found, k=20, past=None, **asked):
    request = Request(scene="home", k=k, **asked)
    return recommend(request, past or History.empty(), found, at=NOW, list_id="list-1").served


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_list_holds_the_share_and_tells_it(share):
    served = shown(bundle(Mix(floor=share, ceiling=share, in_row=0)))
    n_products = sum(one.kind == "product" for one in served.items)
    assert n_products == 20 * share
    assert served.mix == {"commerce": share, "probability": 1.0}


@pytest.mark.parametrize(("k", "least"), [(9, 0), (10, 1), (12, 1), (20, 1)])
@pytest.mark.parametrize("share", [0.03, 0.97])
def test_page_has_a_seat_for_each_kind_that_has_any_share(k, least, share):
    served = shown(bundle(Mix(floor=share, ceiling=share, in_row=0)), k=k)
    n_products = sum(one.kind == "product" for one in served.items)
    assert min(n_products, k - n_products) == least
    # Where the share comes to less than half a seat it is the last one.
    kinds = [one.kind for one in served.items]
    assert k * 0.03 >= 0.5 or len(set(kinds[:-1])) == 1


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_page_of_a_share_of_nothing_has_no_seat_for_it(share):
    served = shown(bundle(Mix(floor=share, ceiling=share, in_row=0)))
    assert sum(one.kind == "product" for one in served.items) == 20 * share


def test_scene_without_a_mix_keeps_its_pipelines_share():
    served = shown(bundle(None))
    assert served.mix is None
    assert sum(one.kind == "product" for one in served.items) == 10


@pytest.mark.parametrize("kind", Kind)
def test_list_of_one_kind_has_no_share_and_no_rows_to_break(kind):
    served = shown(bundle(Mix(floor=0.5, in_row=2)), kinds=(kind,))
    assert served.mix is None
    assert [one.kind for one in served.items] == [kind.word] * 20


def longest(served) -> int:
    runs = "".join("x" if one.kind == "product" or one.ad else " " for one in served.items)
    return max(map(len, runs.split()))


def test_no_more_commercial_items_in_a_row_than_may_be():
    crowded = Mix(floor=0.6, ceiling=0.6, in_row=0)
    assert longest(shown(bundle(crowded, n_ads=4))) > 2
    assert longest(shown(bundle(replace(crowded, in_row=2), n_ads=4))) == 2


def test_mix_survives_a_day_without_decay_in_time():
    past = history(*(visit(day, 5, 5, BOUGHT) for day in range(1, 4)))
    later = TASTE.row(past, millis(NOW + timedelta(days=1)))
    # What was seen and what was done fade alike, so the rates stay; only the past counts less.
    now, then = (WIDE.seen_by(r.acts, CATALOG)[0] for r in (row(past), later))
    assert now[1] / now[3] == pytest.approx(then[1] / then[3], rel=1e-5)
