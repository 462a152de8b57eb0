from dataclasses import replace

import numpy as np
import pytest

from recsys.catalog import Kind
from recsys.errors import InvalidInput
from recsys.events import EventType
from recsys.figures import CHANCE, GAIN, PIPELINE
from recsys.scenes import MEASURED
from tests.training.planted_home import CONFIG, N_EACH, planted_shop, without
from training.cases import HeldOut
from training.evaluate import (
    ALL_KINDS,
    Plan,
    evaluate_by_time,
    evaluate_on_file,
    questions,
    scenes_asked,
    takers,
)
from training.report import ablation, answers_table, cell, split_line, summary_table

BOTH = (Kind.PRODUCT, Kind.VIDEO)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return planted_shop(tmp_path_factory.mktemp("evaluate") / "home")


@pytest.fixture(scope="module")
def found(shop):
    asked = questions(scenes_asked(has_times=True), ks=(5, 8), people=40, new_only=False)
    return evaluate_by_time(shop, CONFIG, asked)


def test_every_scene_and_choice_of_kinds_is_asked():
    asked = questions(list(MEASURED), ks=(5,), people=7)
    every = [(scene, kinds) for scene in MEASURED for kinds in ALL_KINDS]
    assert [(one.scene, one.kinds) for one in asked] == every
    assert {one.people for one in asked} == {7}


def test_unknown_scene_is_refused():
    with pytest.raises(InvalidInput, match="scene is unknown, got 'attic'"):
        questions(["attic"], ks=(5,), people=7)


def test_scene_whose_lists_nothing_judges_is_refused():
    with pytest.raises(InvalidInput, match="cart cannot be evaluated; allowed: home, post_checko"):
        questions(["cart"], ks=(5,), people=7)


def test_scene_of_an_order_needs_times():
    assert scenes_asked(has_times=True) == ["home", "post_checkout"]
    assert scenes_asked(has_times=False) == ["home"]


def test_planted_taste_beats_chance(found):
    answers = found.about("home", (Kind.PRODUCT,))
    # Half of the products are of the person's taste, so all targets are among 8 of 16.
    assert answers.find(PIPELINE, "recall", N_EACH // 2).mean > 0.95
    assert answers.find(CHANCE, "recall", N_EACH // 2).mean < 0.65
    assert answers.find(GAIN, "ndcg", 5).low > 0


def test_lists_after_checkout_are_measured(found):
    answers = found.about("post_checkout", (Kind.PRODUCT,))
    assert answers.n_persons > 20
    assert answers.find(PIPELINE, "recall", N_EACH // 2).mean > 0.8


def test_what_was_not_asked_was_not_found(found):
    assert found.about("home", ()) is None
    assert found.about("home", BOTH) is found.about("home", BOTH[::-1])


def test_future_does_not_leak(shop, found):
    """The same figures if what comes after the split says something else to the learners."""
    split_ms = shop.split_ms(CONFIG.holdout_days)
    events = shop.histories.events
    late = (events.at_ms >= split_ms) & (events.type == EventType.PLAY)
    # Later plays of seconds that no play had before; as targets they stay what they were.
    value = np.where(late, 19.5, events.value).astype(np.float32)
    changed = replace(shop, histories=replace(shop.histories, events=replace(events, value=value)))
    asked = questions(["home"], [(Kind.PRODUCT,)], ks=(5, 8), people=40, new_only=False)
    again = evaluate_by_time(changed, CONFIG, asked)
    assert again.answers[0].plain() == found.about("home", (Kind.PRODUCT,)).plain()


def test_held_out_file_is_asked_with_everything_learned(shop):
    acts = [HeldOut(f"user-{5000 + n}", f"item-{1000 + n % 2}", EventType.ORDER) for n in range(20)]
    acts += [HeldOut("user-5001", "item-9999", EventType.ORDER)]
    asked = questions(["home"], [(Kind.PRODUCT,)], ks=(8,), people=0, new_only=False)
    found = evaluate_on_file(shop, CONFIG, asked, acts)
    assert found.split["events_before"] == len(shop.histories.events)
    assert found.answers[0].n_persons == 20
    # One of 21 targets is unknown to the catalogue: that person finds one of two.
    recall = found.answers[0].find(PIPELINE, "recall", 8).mean
    assert recall == pytest.approx((19 + 0.5) / 20)
    assert "1 items among them unknown and so missed" in split_line(found)


def test_ablation_shows_the_source_that_knows(shop):
    """Tags tell the planted taste, and popularity does not."""
    config = without(CONFIG, "item_knn", "als", "cards", "newness", "transitions")
    asked = questions(["home"], [(Kind.PRODUCT,)], ks=(8,), people=60, new_only=False)
    found = evaluate_by_time(shop, config, asked, plan=Plan(is_ablated=True))
    added = {rival: by["recall"] for rival, by in ablation(found.answers[0]).items()}
    assert added["without tags"].low > 0.2
    assert added["popular alone"].low > 0.2
    assert added["without popular"].high < 0.1
    assert added["tags alone"].high < 0.1


def test_takers_are_persons_not_acts(shop):
    found = takers(shop, CONFIG)
    events = shop.histories.events
    persons = shop.histories.persons()[events.item == 3]
    assert found.counts[3] == len(np.unique(persons)) < len(persons)
    assert found.n_persons == len(np.unique(shop.histories.persons()))
    ordered = replace(CONFIG, weights={EventType.ORDER: 1.0, EventType.PLAY: -1.0})
    kinds = shop.catalog.kind
    assert takers(shop, ordered).counts[kinds == Kind.VIDEO].sum() == 0


def test_progress_names_each_question(shop):
    told = set()
    asked = questions(["home"], [(Kind.VIDEO,)], ks=(5,), people=5)
    evaluate_by_time(shop, CONFIG, asked, progress=lambda what, *_: told.add(what))
    assert "asking home video" in told


def rendered(table):
    return [[str(cell) for cell in column.cells] for column in table.columns]


def test_table_has_a_column_a_contender_and_a_row_a_metric(found):
    answers = found.about("home", (Kind.PRODUCT,))
    columns = rendered(answers_table(answers))
    assert columns[0][:3] == ["recall@5", "recall@8", "ndcg@5"]
    estimate = answers.find(PIPELINE, "recall", 5)
    assert columns[1][0] == f"{estimate.mean:.4f} ±{estimate.high - estimate.mean:.4f}"
    assert [column.header for column in answers_table(answers).columns][
        -1
    ] == "pipeline −\npopularity"


def test_title_says_what_was_asked(found):
    question = replace(found.answers[0].question, per_pair=True)
    title = answers_table(replace(found.answers[0], question=question, n_strangers=3)).title
    assert "home, product: 40 persons, 3 strangers; targets known ones too, each judged" in title
    question = replace(question, new_only=True)
    assert (
        "targets new to them" in answers_table(replace(found.answers[0], question=question)).title
    )


def test_summary_has_a_row_a_question(found):
    columns = rendered(summary_table(found))
    assert columns[0][0] == "home, product"
    assert len(columns[0]) == len(found.answers)


def test_cell_of_what_is_unknown_is_empty(found):
    assert cell(None, 4) == ""
    estimate = found.answers[0].find(PIPELINE, "ndcg", 5)
    assert cell(replace(estimate, mean=float("nan")), 4) == ""
    assert cell(replace(estimate, mean=0.5, low=float("nan")), 2) == "0.50"


def test_split_line_names_the_moment(found):
    assert "asked about" in split_line(found)
    assert found.split["at"] in split_line(found)
