from dataclasses import replace
from math import log2

import numpy as np
import pytest

from recsys.catalog import Catalog, Kind
from recsys.evaluation import (
    CHANCE,
    GAIN,
    PIPELINE,
    POPULARITY,
    Case,
    Chance,
    Question,
    contenders,
    evaluate,
)
from recsys.events import EventType
from recsys.interactions import Rows
from recsys.pipeline import Source
from tests.planted import NOW, Fixed, FixedForAll, bundle_of, event, history_of, item

# Positions 0–9 products, 10–19 videos.
CATALOG = Catalog.of([item(n) for n in range(10)] + [item(n, Kind.VIDEO) for n in range(10, 20)])
PRODUCTS = (Kind.PRODUCT,)
KNOWN = event("item-1009")


def a_bundle():
    near = Fixed(items=(3, 1, 2, 13, 11))
    models = {"near": near, "popular": FixedForAll(items=(7, 8, 17, 18))}
    return bundle_of(CATALOG, models, sources=(Source(name="near", model="near"),))


def case_of(*targets, events=(KNOWN,), **more):
    history = history_of(CATALOG, *events)
    found = np.array(targets, dtype=np.int32)
    return Case(user_id="user-5001", history=history, at=NOW, targets=found, **more)


def asked(*cases, bundle=None, **more):
    question = Question(**{"scene": "home", "kinds": PRODUCTS, "ks": (2, 3)} | more)
    return evaluate(question, cases, bundle or a_bundle())


def mean(answers, contender, metric, k):
    return answers.find(contender, metric, k).mean


def test_figures_by_hand():
    # The pipeline lists 3, 1, 2 and popularity 7, 8.
    answers = asked(case_of(1, 8), case_of(3))
    assert mean(answers, PIPELINE, "recall", 2) == pytest.approx((1 / 2 + 1) / 2)
    assert mean(answers, POPULARITY, "recall", 2) == pytest.approx((1 / 2 + 0) / 2)
    ndcg = (1 / log2(3)) / (1 + 1 / log2(3))
    assert mean(answers, PIPELINE, "ndcg", 2) == pytest.approx((ndcg + 1) / 2)
    assert mean(answers, GAIN, "recall", 2) == pytest.approx((0 + 1) / 2)
    assert answers.find(GAIN, "recall", 2).n == 2


def test_gain_has_the_interval_of_the_difference():
    answers = asked(case_of(3), case_of(3), case_of(3))
    gain = answers.find(GAIN, "hit_rate", 2)
    assert (gain.low, gain.mean, gain.high) == (1, 1, 1)


def test_only_targets_of_the_kinds_asked_count():
    assert asked(case_of(13)).n_persons == 0
    assert mean(asked(case_of(13, 3)), PIPELINE, "recall", 2) == 1
    both = asked(case_of(13, 3), kinds=(Kind.VIDEO, Kind.PRODUCT))
    assert mean(both, PIPELINE, "recall", 2) == 1


@pytest.mark.parametrize(("new_only", "n_persons", "recall"), [(True, 1, 1.0), (False, 2, 0.5)])
def test_known_targets_count_only_if_asked(new_only, n_persons, recall):
    answers = asked(case_of(9), case_of(3), new_only=new_only)
    assert answers.n_persons == n_persons
    assert mean(answers, PIPELINE, "recall", 2) == recall
    assert answers.plain()["new_only"] is new_only


def test_item_that_no_list_can_hold_counts_as_missed():
    assert mean(asked(case_of(3, len(CATALOG))), PIPELINE, "recall", 2) == pytest.approx(1 / 2)


def test_strangers_are_counted_and_get_a_list():
    answers = asked(case_of(3), case_of(3, events=()))
    assert (answers.n_persons, answers.n_strangers) == (2, 1)


def test_basket_reaches_the_pipeline():
    sources = (Source(name="near", model="near", of="basket"),)
    bundle = bundle_of(CATALOG, {"near": Fixed(items=(3, 1))}, sources=sources)
    told = asked(case_of(3, basket=("item-1005",)), bundle=bundle, scene="post_checkout")
    assert mean(told, PIPELINE, "recall", 2) == 1


def test_stages_hold_for_every_contender():
    played = event("item-1017", EventType.PLAY)
    videos = (Kind.VIDEO,)
    answers = asked(case_of(18, events=(played,)), kinds=videos, ks=(1,))
    # 17 is the most popular video, but it was seen.
    assert mean(answers, POPULARITY, "recall", 1) == 1


def test_at_most_so_many_people_are_asked():
    cases = [case_of(n % 4) for n in range(20)]
    assert asked(*cases, people=5).n_persons == 5
    assert asked(*cases, people=50).n_persons == 20


def test_same_seed_gives_the_same_figures():
    cases = [case_of(n) for n in range(9)]
    assert asked(*cases, people=5).plain() == asked(*cases, people=5).plain()


def test_progress_comes_to_its_end():
    told = []
    question = Question(scene="home", kinds=PRODUCTS, ks=(2,))
    evaluate(question, [case_of(3)], a_bundle(), progress=lambda *at: told.append(at))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_pairs_can_be_judged_alone():
    # Lists 3, 1, 2: of the four pairs (3), (1), (0), (2) two are in the first two places.
    answers = asked(case_of(0, 1, 3), case_of(2), ks=(2,), per_pair=True)
    assert mean(answers, PIPELINE, "hit_rate", 2) == pytest.approx(2 / 4)
    assert mean(answers, PIPELINE, "ndcg", 2) == pytest.approx((1 + 1 / log2(3)) / 4)
    assert mean(answers, GAIN, "hit_rate", 2) == pytest.approx(2 / 4)
    assert answers.plain()["per_pair"] is True


def test_nobody_to_ask_gives_no_estimate():
    answers = asked()
    assert (answers.n_persons, np.isnan(mean(answers, PIPELINE, "ndcg", 2))) == (0, True)


def test_metric_that_was_not_measured_is_refused():
    with pytest.raises(KeyError):
        asked(case_of(3)).find(PIPELINE, "ndcg", 5)


def test_coverage_and_novelty_are_of_the_lists():
    answers = asked(case_of(3), case_of(1))
    assert mean(answers, PIPELINE, "coverage", 2) == pytest.approx(2 / 10)
    assert mean(answers, POPULARITY, "coverage", 2) == pytest.approx(2 / 10)
    with pytest.raises(KeyError):
        answers.find(GAIN, "coverage", 2)


def test_what_is_popular_is_less_novel():
    class Counted(FixedForAll):
        def score(self, rows):
            return np.tile(np.arange(20, 0, -1, dtype=np.float32), (len(rows), 1))

    models = {"near": Fixed(items=(9, 8)), "popular": Counted(items=(0, 1))}
    bundle = bundle_of(CATALOG, models, sources=(Source(name="near", model="near"),))
    answers = asked(case_of(3), bundle=bundle)
    shares = np.arange(20, 0, -1) / 210
    assert mean(answers, POPULARITY, "novelty", 2) == pytest.approx(-np.log2(shares[:2]).mean())
    # The person knows item 9, and knowing it is no reason to leave a product out.
    assert mean(answers, PIPELINE, "novelty", 2) == pytest.approx(-np.log2(shares[[9, 8]]).mean())


def test_bundle_without_popularity_has_no_gain():
    bundle = bundle_of(CATALOG, {"near": Fixed(items=(3,))})
    assert set(contenders(bundle, seed=1)) == {PIPELINE, CHANCE}
    with pytest.raises(KeyError):
        asked(case_of(3), bundle=bundle).find(GAIN, "ndcg", 2)


def test_chance_finds_what_chance_would():
    cases = [case_of(n % 9) for n in range(180)]
    # One target among 10 products, 3 places; one standard error is 0.034.
    estimate = asked(*cases).find(CHANCE, "hit_rate", 3)
    assert estimate.mean == pytest.approx(0.3, abs=0.11)


@pytest.mark.parametrize(("within", "expected"), [(None, 20), (Kind.VIDEO, 10)])
def test_chance_gives_each_item_once(within, expected):
    model = Chance(seed=1).fit(Rows.of([], 20), CATALOG)
    ranking = model.candidates(None, 100, within)
    assert len(set(ranking.items.tolist())) == expected
    assert model.score(Rows.of([], 20)).shape == (0, 20)
    assert model.because(None, np.array([3])) == [None]


def test_sold_out_items_are_not_among_those_that_could_be_shown():
    on_sale = CATALOG.on_sale.copy()
    on_sale[4:10] = False
    bundle = a_bundle()
    bundle = replace(bundle, catalog=replace(CATALOG, on_sale=on_sale))
    assert mean(asked(case_of(3), bundle=bundle), PIPELINE, "coverage", 2) == pytest.approx(2 / 4)
