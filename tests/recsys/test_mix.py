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
from recsys.kernels_visits import N_SUMS
from recsys.mix import Mix
from recsys.recommend import Request, recommend
from tests.planted import NOW, FixedForAll, bundle_of, item, taste_of

VIDEOS, PRODUCTS = range(40), range(40, 80)
CATALOG = Catalog.of(
    [item(n, Kind.VIDEO, duration_s=20.0) for n in VIDEOS] + [item(n) for n in PRODUCTS]
)
TASTE = taste_of(CATALOG)
WIDE = Mix(floor=0.0, ceiling=1.0, exploration=0.0)


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


def commerce(mix: Mix, past: History, seed: int = 1) -> float:
    return mix.share(row(past), CATALOG, seed).commerce


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


def test_few_seats_are_drawn_to_what_is_usual():
    one_visit = history(visit(1, 5, 5, BOUGHT))
    shares = [commerce(replace(WIDE, prior_seats=n), one_visit) for n in (1.0, 100.0, 10_000.0)]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == 0.5


@given(
    floor=st.floats(0, 1),
    more=st.floats(0, 1),
    days=st.integers(0, 12),
    seed=st.integers(0, 2**63),
    acts=st.lists(st.sampled_from([*WATCHED, *BOUGHT]), max_size=6),
    staying=st.floats(-20, 20),
)
def test_share_stays_between_floor_and_ceiling(floor, more, days, seed, acts, staying):
    ceiling = min(1.0, floor + more)
    mix = Mix(floor=floor, ceiling=ceiling, exploration=0.5, staying=staying)
    share = mix.share(row(history(*(visit(d, 6, 4, acts) for d in range(days)))), CATALOG, seed)
    assert floor - 1e-9 <= share.commerce <= ceiling + 1e-9
    assert 0 < share.probability <= 1 + 1e-9


def test_same_seed_gives_the_same_share_and_probabilities_are_true():
    mix = Mix(floor=0.2, ceiling=0.6, exploration=0.3)
    past = row(history(*(visit(day, 5, 5, BOUGHT) for day in range(1, 4))))
    drawn = [mix.share(past, CATALOG, seed) for seed in range(4_000)]
    assert drawn == [mix.share(past, CATALOG, seed) for seed in range(4_000)]
    told = {one.commerce: one.probability for one in drawn}
    assert len(told) == 9
    assert sum(told.values()) == pytest.approx(1)
    # 4,000 draws: four standard deviations of a share of 0.73 are 0.028.
    for share, probability in told.items():
        n = sum(one.commerce == share for one in drawn)
        assert n / 4_000 == pytest.approx(probability, abs=0.028)


def test_nothing_is_tried_out_on_who_is_not_known():
    mix = Mix(exploration=1.0)
    shares = {mix.share(row(history()), CATALOG, seed) for seed in range(50)}
    assert len(shares) == 1
    assert shares.pop().probability == 1.0


def shop_of(n_persons: int, effect: float, seed: int = 3) -> Histories:
    """People whose visits are full of products or of videos by chance, and who then come back on
    the next days with a chance that falls by `effect` from none to all products."""
    rng = np.random.default_rng(seed)
    people = []
    for _ in range(n_persons):
        visits, day, keen = [], 60, rng.uniform(0.4, 0.9)
        while day > 0:
            n_products = int(rng.integers(0, 11))
            acts = [*BOUGHT] if rng.random() < n_products / 20 else []
            acts += [WATCHED[0]] * (rng.random() < (10 - n_products) / 10)
            visits.append(visit(day, n_products, 10 - n_products, acts))
            chance = keen - effect * n_products / 10
            day -= 1 + int(rng.geometric(max(chance, 0.05)))
        people.append(history(*visits))
    return Histories.of(people)


def test_what_shares_do_to_coming_back_is_learned_from_histories():
    at_ms = millis(NOW)
    cost = WIDE.fitted(shop_of(150, 0.4), TASTE, CATALOG, at_ms)
    none = WIDE.fitted(shop_of(150, 0.0), TASTE, CATALOG, at_ms)
    assert cost.staying < -0.4
    assert abs(none.staying) < 0.25
    # A shop that drives people away shows fewer products to who acts alike.
    past = history(*(visit(day, 5, 5, [*BOUGHT, *WATCHED]) for day in range(1, 8)))
    alike = replace(none, staying=cost.staying)
    assert commerce(alike, past) < commerce(none, past)


def test_keen_people_who_see_much_commerce_do_not_make_it_seem_to_bring_people_back():
    """About each person's own mean; without that, the planted difference of people would be told
    as an effect."""
    people = []
    for n_products, every in ((8, 1), (2, 4)):
        for person in range(20):
            days = range(1, 60, every)
            visits = (visit(d, n_products + (d + person) % 2, 8 - n_products + 3) for d in days)
            people.append(history(*visits))
    mix = WIDE.fitted(Histories.of(people), TASTE, CATALOG, millis(NOW))
    assert abs(mix.staying) < 0.3


def test_own_slope_outweighs_the_usual_one_when_there_are_visits_enough():
    """Somebody who comes back after visits of videos only."""
    days, visits = 200.0, []
    while days > 12:
        visits += [visit(days, 0, 10), visit(days - 1, 10, 0)]
        days -= 12
    patient = replace(WIDE, staying=0.0)
    sums = patient.seen_by(TASTE.acts(Histories.of([history(*visits)]), millis(NOW)), CATALOG)[0]
    assert len(sums) == N_SUMS
    assert patient.slope(sums.tolist()) < -0.5


def test_usual_rates_and_share_are_learned_from_everybody():
    people = [history(*(visit(d, 2, 8, [BOUGHT[2], WATCHED[2]]) for d in (1, 2))) for _ in range(9)]
    mix = replace(WIDE, half_life_days=0.0)
    found = mix.fitted(Histories.of(people), TASTE, CATALOG, millis(NOW))
    assert found.usual == pytest.approx(0.2)
    # An order weighs 8 and a like 3; of each one in two, and eight, seats.
    assert found.product / found.video == pytest.approx((8 / 2) / (3 / 8), rel=0.01)


def test_log_of_impressions_of_one_kind_alone_does_not_make_the_other_rare():
    """Platforms tell which videos were seen, and of products only what was done."""
    told = history(*(visit(d, 0, 20, [*WATCHED, *BOUGHT]) for d in range(1, 8)))
    silent = history(*(visit(d, 0, 0, [*WATCHED, *BOUGHT]) for d in range(1, 8)))
    assert commerce(WIDE, told) == commerce(WIDE, silent)
    found = WIDE.fitted(Histories.of([told] * 5), TASTE, CATALOG, millis(NOW))
    assert found.usual == 0.5
    watcher = history(*(visit(d, 0, 20, WATCHED) for d in range(1, 8)))
    assert commerce(WIDE, watcher) < 0.5 < commerce(WIDE, history(visit(1, 0, 20, BOUGHT)))


def test_past_without_both_kinds_teaches_nothing():
    only_videos = Histories.of([history(visit(1, 0, 10, WATCHED))])
    found = WIDE.fitted(only_videos, TASTE, CATALOG, millis(NOW))
    assert (found.video, found.product, found.staying) == (1.0, 1.0, 0.0)


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
