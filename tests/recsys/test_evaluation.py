from dataclasses import replace
from math import log2

import numpy as np
import pytest

from recsys.catalog import Catalog, Kind
from recsys.comparison import Verdict
from recsys.contenders import Contender
from recsys.evaluation import Case, Contest, Question, evaluate
from recsys.events import EventType
from recsys.figures import AGAINST, CHANCE, GAIN, PIPELINE, POPULARITY, TARGETS
from recsys.pipeline import Source
from recsys.variety import Takers, Traits
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


def asked(*cases, bundle=None, takers=None, **more):
    question = Question(**{"scene": "home", "kinds": PRODUCTS, "ks": (2, 3)} | more)
    return evaluate(question, cases, bundle or a_bundle(), takers=takers)


def mean(answers, contender, metric, k, *people):
    return answers.find(contender, metric, k, *people).mean


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


def test_nobody_to_ask_gives_no_figure():
    answers = asked()
    assert (answers.n_persons, answers.figures) == (0, ())


def test_metric_that_was_not_measured_is_refused():
    with pytest.raises(KeyError):
        asked(case_of(3)).find(PIPELINE, "ndcg", 5)


def test_coverage_and_novelty_are_of_the_lists():
    answers = asked(case_of(3), case_of(1))
    assert mean(answers, PIPELINE, "coverage", 2) == pytest.approx(2 / 10)
    assert mean(answers, POPULARITY, "coverage", 2) == pytest.approx(2 / 10)
    with pytest.raises(KeyError):
        answers.find(GAIN, "coverage", 2)


# Item n was had by 20 − n of 40 persons, the last of each kind by nobody.
COUNTS = np.where(np.isin(np.arange(20), [9, 19]), 0, np.arange(20, 0, -1))
TAKERS = Takers(COUNTS, 40)


def test_what_is_popular_is_less_novel():
    bundle = bundle_of(
        CATALOG,
        {"near": Fixed(items=(8, 9)), "popular": FixedForAll(items=(0, 1))},
        sources=(Source(name="near", model="near"),),
    )
    answers = asked(case_of(3), bundle=bundle, takers=TAKERS)
    assert mean(answers, POPULARITY, "novelty", 2) == pytest.approx(-np.log2([0.5, 19 / 40]).mean())
    # What nobody had counts as had by half a person.
    assert mean(answers, PIPELINE, "novelty", 2) == pytest.approx(
        -np.log2([12 / 40, 0.5 / 40]).mean()
    )


def test_popularity_shown_against_taken():
    # Of ten products, 9 is the least popular: 0.05; then 8: 0.15, … 3: 0.65, 1: 0.85.
    known = (event("item-1005"),)
    answers = asked(case_of(8), case_of(9, len(CATALOG), events=known), takers=TAKERS)
    assert mean(answers, PIPELINE, "popularity", 2) == pytest.approx((0.65 + 0.85) / 2)
    assert mean(answers, TARGETS, "popularity", 2) == pytest.approx((0.15 + 0.05) / 2)
    assert mean(answers, PIPELINE, "popularity_lift", 2) == pytest.approx(0.75 - 0.1)


def test_targets_nobody_had_before_are_judged_apart():
    bundle = bundle_of(CATALOG, {"near": Fixed(items=(9, 3))})
    known = event("item-1005")
    answers = asked(
        case_of(9, 1, events=(known,)),
        case_of(3, events=(known,)),
        case_of(1, len(CATALOG), events=(known,)),
        bundle=bundle,
        takers=TAKERS,
    )
    # Two of five targets were new to everybody, and the list held the one that it could.
    assert mean(answers, TARGETS, "cold_share", 2) == pytest.approx(2 / 5)
    hit_rate = answers.find(PIPELINE, "cold_hit_rate", 2)
    assert (hit_rate.mean, hit_rate.n) == (pytest.approx(1 / 2), 2)
    assert mean(answers, PIPELINE, "cold_recall", 2) == pytest.approx(1 / 2)
    assert mean(answers, PIPELINE, "cold_shown", 2) == pytest.approx(1 / 2)


def test_without_takers_nothing_is_said_of_popularity():
    answers = asked(case_of(3))
    told = {figure.metric for figure in answers.figures}
    assert not told & {"novelty", "popularity", "popularity_lift", "cold_recall", "cold_share"}


def test_people_are_judged_apart_by_what_was_known_of_them():
    seen = [event("item-1017", EventType.IMPRESSION)]
    many = [event("item-1009", event_id=f"view-{n}") for n in range(6)]
    cases = [case_of(3, events=seen), case_of(1), case_of(0, events=many)]
    answers = asked(*cases, *cases, ks=(3,))
    assert answers.n_strangers == 2
    assert [answers.find(PIPELINE, "recall", 3, part).n for part in ("0", "1-4", "5+")] == [2, 2, 2]
    assert mean(answers, PIPELINE, "recall", 3, "1-4") == 1
    assert mean(answers, PIPELINE, "recall", 3, "5-19") == 0
    with pytest.raises(KeyError):
        answers.find(PIPELINE, "recall", 3, "100+")


def test_share_of_products_in_a_mixed_list_and_by_place():
    answers = asked(case_of(3), kinds=(Kind.VIDEO, Kind.PRODUCT), ks=(2,))
    # Lists 13, 3: every second place is a product's.
    assert mean(answers, PIPELINE, "commerce", 2) == pytest.approx(1 / 2)
    assert mean(answers, PIPELINE, "commerce_at", 1) != mean(answers, PIPELINE, "commerce_at", 2)
    with pytest.raises(KeyError):
        asked(case_of(3)).find(PIPELINE, "commerce", 2)


def test_share_of_people_whose_list_is_not_theirs():
    answers = asked(case_of(3), case_of(3, events=()), case_of(1), ks=(2,))
    assert mean(answers, PIPELINE, "impersonal", 2) == pytest.approx(1 / 3)


def test_curve_is_measured_between_the_lengths_asked_for():
    answers = asked(case_of(1), ks=(3,))
    assert [mean(answers, PIPELINE, "recall", k) for k in (1, 2, 3)] == [0, 1, 1]


def contest(bundle, **more):
    traits = Traits.of(CATALOG, None)
    return Contest(bundle=Contender(bundle), catalog=CATALOG, traits=traits, **more)


def compared(cases, bundle, **more):
    question = Question(scene="home", kinds=PRODUCTS, ks=(2, 3))
    return contest(bundle, **more).answers(question, cases).comparisons


def only(*items):
    return bundle_of(CATALOG, {"near": Fixed(items=items)})


# Each of 40 people wants one of items 0 to 3.
MANY = [case_of(n % 4) for n in range(40)]


def verdict_of(comparisons):
    (found,) = [one for one in comparisons if one.verdict is not None]
    return found


def test_a_better_bundle_is_called_better():
    good, bad = only(0, 1, 2), only(4, 5, 6)
    found = verdict_of(compared(MANY, good, against=Contender(bad)))
    assert (found.verdict, found.look.metric, found.look.k) == (Verdict.BETTER, "ndcg", 3)
    assert found.difference.mean == pytest.approx((1 + 1 / log2(3) + 1 / 2) / 4)
    assert verdict_of(compared(MANY, bad, against=Contender(good))).verdict is Verdict.WORSE


def test_the_same_bundle_cannot_be_told_apart():
    found = compared(MANY, only(0, 1, 2), against=Contender(only(0, 1, 2)))
    assert verdict_of(found).verdict is Verdict.UNSURE
    assert {one.difference.mean for one in found} == {0}
    assert {one.look.theirs for one in found} == {AGAINST}


def test_comparisons_are_told_as_json_values():
    answers = contest(only(0), against=Contender(only(5))).answers(
        Question(scene="home", kinds=PRODUCTS, ks=(2,)), MANY
    )
    said = answers.plain()["comparisons"]
    (judged,) = [one for one in said if "verdict" in one]
    assert (judged["verdict"], judged["theirs"], judged["n"]) == ("better", AGAINST, 40)
    assert judged["verdict_low"] <= judged["mean"] <= judged["verdict_high"]


def test_ablation_shows_which_source_matters():
    models = {"near": Fixed(items=(0, 1)), "far": Fixed(items=(5, 6))}
    found = {
        one.look.theirs: one.difference.mean
        for one in compared(MANY, bundle_of(CATALOG, models), is_ablated=True)
        if (one.look.metric, one.look.k, one.look.people) == ("recall", 2, "all")
    }
    # The list of both holds 0 and 5; one source alone holds 0 and 1, the other neither.
    assert found == {
        "without near": pytest.approx(1 / 4),
        "without far": pytest.approx(-1 / 4),
        "near alone": pytest.approx(-1 / 4),
        "far alone": pytest.approx(1 / 4),
    }


def test_ablation_of_a_scorer_asks_what_reciprocal_ranks_give():
    bundle = only(0, 1)
    learned = {scene: replace(one, scorer="blend") for scene, one in bundle.pipelines.items()}
    found = compared(MANY, replace(bundle, pipelines=learned), is_ablated=True)
    assert {one.look.theirs for one in found} == {"without blend"}


def test_one_source_is_not_ablated():
    sources = (Source(name="near", model="near"),)
    bundle = bundle_of(CATALOG, {"near": Fixed(items=(0,))}, sources=sources)
    assert compared(MANY, bundle, is_ablated=True) == ()


def test_bundle_without_popularity_has_no_gain():
    bundle = bundle_of(CATALOG, {"near": Fixed(items=(3,))})
    assert {one.contender for one in asked(case_of(3), bundle=bundle).figures} == {PIPELINE, CHANCE}
    with pytest.raises(KeyError):
        asked(case_of(3), bundle=bundle).find(GAIN, "ndcg", 2)


def test_chance_finds_what_chance_would():
    cases = [case_of(n % 9) for n in range(180)]
    # One target among 10 products, 3 places; one standard error is 0.034.
    estimate = asked(*cases).find(CHANCE, "hit_rate", 3)
    assert estimate.mean == pytest.approx(0.3, abs=0.11)


def test_sold_out_items_are_not_among_those_that_could_be_shown():
    on_sale = CATALOG.on_sale.copy()
    on_sale[4:10] = False
    bundle = a_bundle()
    bundle = replace(bundle, catalog=replace(CATALOG, on_sale=on_sale))
    assert mean(asked(case_of(3), bundle=bundle), PIPELINE, "coverage", 2) == pytest.approx(2 / 4)
