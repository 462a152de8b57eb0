"""Who is paid to lift a product teaches little; who is not paid loses nothing worth telling."""

import numpy as np
import pytest

from recsys.events import EventType
from recsys.histories import Histories, History
from recsys.models.popularity import Popularity
from recsys.models.trend import Trend
from recsys.trust import PairCap, rings, trusted
from tests.planted import event, taste_of
from tests.recsys.planted_brushers import (
    CATALOG,
    DAYS,
    DISLIKE,
    PERSONS,
    START_MS,
    TARGET,
    VIEW,
    Acts,
    best_seller,
    brushers,
    honest,
    neighbours,
)

HONEST = honest()
BASE = HONEST.histories(PERSONS)
BEST = best_seller()
CLEAN = neighbours(BASE, BEST)
UNKNOWN = 10_000


def rank(found, item_idx):
    return found.index(item_idx) + 1 if item_idx in found else UNKNOWN


def taught(acts, n_more):
    """What may be learned from with these acts of more persons, and all of it."""
    whole = (HONEST + acts).histories(PERSONS + n_more)
    return whole.keeping(trusted(whole).kept), whole


def popular(model, histories):
    taste, as_of_ms = taste_of(CATALOG), START_MS + DAYS * 86_400_000
    fitted = model().fit(taste.rows(histories, as_of_ms), CATALOG)
    return fitted.candidates(taste.row(History.empty(), as_of_ms), 999, None).items.tolist()


@pytest.mark.parametrize(
    ("share", "days", "daily"),
    [(0.01, 7, True), (0.05, 7, True), (0.05, 7, False), (0.05, 1, True)],
)
def test_brushers_of_a_week_do_not_get_a_product_beside_the_best_seller(share, days, daily):
    """S16: not among the first 50, and nine of ten honest neighbours stay."""
    kept, _ = taught(*brushers(share, days, daily=daily))
    found = neighbours(kept, BEST)
    assert rank(found, TARGET) > 50
    assert len(set(found[:10]) & set(CLEAN[:10])) >= 9


@pytest.mark.parametrize(("share", "at_most"), [(0.01, 20), (0.05, 1)])
def test_without_the_cap_they_get_it_there(share, at_most):
    """The control of the test above."""
    _, whole = taught(*brushers(share, 7, daily=True))
    assert rank(neighbours(whole, BEST), TARGET) <= at_most


def test_a_few_who_take_a_month_stay_out_of_the_first_twenty():
    kept, _ = taught(*brushers(0.002, 30, daily=True))
    assert rank(neighbours(kept, BEST), TARGET) > 20


def test_honest_people_lose_next_to_nothing():
    once = trusted(BASE, PairCap(factor=1e9)).kept
    found = trusted(BASE)
    assert found.kept.sum() > 0.99 * once.sum()
    assert rings(BASE, found) == []
    kept = neighbours(BASE.keeping(found.kept), BEST)
    assert len(set(kept[:10]) & set(CLEAN[:10])) >= 9


@pytest.mark.parametrize(("share", "daily"), [(0.005, True), (0.05, True), (0.01, False)])
def test_a_ring_is_reported_with_most_of_its_accounts_and_nobody_else(share, daily):
    """S17: recall of 0.8 or more on planted rings, no more than 1 % of honest people."""
    acts, n = brushers(share, 7 if daily else 1, daily=daily)
    whole = (HONEST + acts).histories(PERSONS + n)
    (ring,) = rings(whole, trusted(whole))
    assert ring.item_idx == TARGET
    assert ring.others[0] == BEST
    assert (ring.persons >= PERSONS).sum() >= 0.8 * n
    assert (ring.persons < PERSONS).sum() <= 0.01 * PERSONS


def flood(times):
    n = np.zeros(times, dtype=np.int64)
    return Acts(n, n + TARGET, n + DAYS - 1, n + VIEW)


@pytest.mark.parametrize("model", [Popularity, Trend])
def test_ten_thousand_clicks_of_one_account_move_nothing(model):
    """S15: every other item's rank moves by one at most, and the product stays where it was."""
    before = popular(model, BASE.keeping(trusted(BASE).kept))
    kept, whole = taught(flood(10_000), 0)
    after = popular(model, kept)
    moved = [abs(before.index(one) - place) for place, one in enumerate(after) if one in before]
    assert max(moved) <= 1
    assert rank(after, TARGET) > 500
    assert rank(popular(model, whole), TARGET) <= 5


def pushed(share, times):
    n = round(share * PERSONS)
    who = np.repeat(PERSONS + np.arange(n), times)
    one = np.ones(len(who), dtype=np.int64)
    return Acts(who, one * TARGET, one * (DAYS - 1), one * VIEW), n


@pytest.mark.parametrize("model", [Popularity, Trend])
def test_fakes_alone_bring_nothing_among_what_is_popular(model):
    """S18: accounts of 1 % for a day, however often they click."""
    kept, whole = taught(*pushed(0.01, 50))
    assert rank(popular(model, kept), TARGET) > 20
    assert rank(popular(model, whole), TARGET) <= 5


@pytest.mark.parametrize("model", [Popularity, Trend])
def test_dislikes_of_strangers_take_nothing_down(model):
    """S19: what 1 % dislike is shown to others as before."""
    shown = popular(model, BASE.keeping(trusted(BASE).kept))[4]
    n = round(0.01 * PERSONS)
    who, one = PERSONS + np.arange(n), np.ones(n, dtype=np.int64)
    kept, _ = taught(Acts(who, one * shown, one * (DAYS - 1), one * DISLIKE), n)
    assert rank(popular(model, kept), shown) == 5


def test_a_slow_campaign_of_many_is_not_stopped():
    """What is said of it in the guide: weeks of few votes a day look like liking."""
    kept, whole = taught(*brushers(0.05, 30, daily=False))
    assert abs(rank(neighbours(kept, BEST), TARGET) - rank(neighbours(whole, BEST), TARGET)) < 20


def test_who_the_shop_distrusts_teaches_nothing_and_the_doubtful_lose_first():
    acts, n = brushers(0.01, 1, daily=True)
    whole = (HONEST + acts).histories(PERSONS + n)
    risk = np.zeros(PERSONS + n, dtype=np.int8)
    risk[PERSONS : PERSONS + 2] = 4
    risk[PERSONS + 2 :] = 1
    risk[PERSONS + 2] = 0
    kept = whole.keeping(trusted(whole, risk=risk).kept)
    left = np.unique(kept.persons()[kept.events.item == TARGET])
    assert PERSONS not in left and PERSONS + 1 not in left
    assert PERSONS + 2 in left
    assert len(left) == 2


def days_of(*acts):
    """One person's events on days of one after the other."""
    history = History.of(
        [
            (
                idx,
                event(f"item-{idx}", kind, event_id=str(n), at=None if day is None else when(day)),
            )
            for n, (idx, kind, day) in enumerate(acts)
        ]
    )
    return Histories.of([history])


def when(day):
    return event("x").at.replace(day=1 + day)


def test_the_same_act_on_one_day_counts_once_and_orders_as_they_are():
    like, order, refund = EventType.LIKE, EventType.ORDER, EventType.REFUND
    acts = [(1, like, 1), (1, like, 1), (1, like, 2), (2, like, 1), (1, order, 2), (1, order, 2)]
    found = trusted(days_of(*acts, (1, refund, 2)))
    assert found.kept.sum() == 6
    assert trusted(days_of((1, like, None), (1, like, None))).kept.all()
    assert trusted(Histories.of([History.empty()])).kept.tolist() == []
