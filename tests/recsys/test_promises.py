"""Promised impressions: kept by the end, evenly, and said to be what they are."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from recsys.pacing import Counts
from recsys.recommend import Request, recommend
from tests.planted import NOW, history_of, item
from tests.recsys.steered import (
    ITEMS,
    LIKED,
    bundle,
    rule,
    shown,
)


def lived(goal, *, days=7, per_day=500, new_only=False, seed=0):
    """Impressions of promised items by day, of lists that arrive at random moments."""
    rng = np.random.default_rng(seed)
    said = {"from": NOW, "until": NOW + timedelta(days=days), "items": ["item-1050", "item-1110"]}
    made = bundle(rule("expose", impressions=goal, **said), near=tuple(range(40)))
    moments = np.sort(rng.uniform(0, days, int(days * per_day)))
    counts, opportunities, by_day = {}, 0, np.zeros(days)
    for number, moment in enumerate(moments):
        if number % 10 == 0:
            told = {"expose": Counts(opportunities, dict(counts))}
            made = replace(made, rules=made.rules.counting(told))
        at = NOW + timedelta(days=float(moment))
        request = Request(scene="home", k=10)
        served = recommend(
            request, history_of(made.catalog), made, at=at, list_id=f"{seed}-{number}"
        ).served
        # People look at the first places more often than at the last.
        for one in served.items:
            if rng.random() < 1 / (1 + one.rank / 5):
                opportunities += 1
                if one.source == "exposure":
                    counts[one.item_id] = counts.get(one.item_id, 0) + 1
                    by_day[int(moment)] += 1
    return counts, by_day


@pytest.mark.parametrize("seed", [1])
def test_a_promise_is_kept_by_its_end_and_evenly(seed):
    counts, by_day = lived(120, per_day=120, seed=seed)
    assert min(counts.values()) >= 120
    assert sum(counts.values()) <= 2 * 120 * 1.15
    # Nothing is left for the last tenth, so that nobody waits for traffic that may not come.
    assert by_day[:6].max() < 2.2 * by_day[:6].mean()
    assert by_day[:6].min() > 0.4 * by_day[:6].mean()


def test_an_impression_that_is_owed_says_so_and_does_not_open_the_list():
    said = {"from": NOW - timedelta(days=1), "until": NOW + timedelta(days=1)}
    made = bundle(
        rule("expose", items=["item-1050"], impressions=10**6, share=0.05, **said),
        near=tuple(range(40)),
    )
    made = replace(made, rules=made.rules.counting({"expose": Counts(10**4, {})}))
    found = [
        one
        for number in range(50)
        for one in shown(made, *LIKED, list_id=f"list-{number}").items
        if one.source == "exposure"
    ]
    assert len(found) == 50
    assert {one.reason for one in found} == {"recommended by the shop for a while"}
    assert min(one.rank for one in found) >= 10


def test_new_creators_are_promised_impressions_together():
    young = [item(300, creator_id="c9", published_at=NOW), item(301, creator_id="c9")]
    old = [replace(one, published_at=NOW - timedelta(days=99)) for one in ITEMS]
    said = {"from": NOW - timedelta(days=1), "until": NOW + timedelta(days=1)}
    one = rule("expose", by="creator", new_days=7, impressions=100, **said)
    made = bundle(one, items=old, new=young)
    (exposing,) = made.rules.orders("home", "", int(NOW.timestamp() * 1000)).exposing
    assert made.catalog.ids[int(exposing.members[0])] == "item-1300"
    assert exposing.owed[-1] == pytest.approx(100)
    counted = made.rules.counting({"expose": Counts(1_000, {"item-1301": 60, "item-1300": 40})})
    assert counted.orders("home", "", int(NOW.timestamp() * 1000)).exposing == ()
