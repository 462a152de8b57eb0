from dataclasses import replace

import numpy as np
import pytest

from recsys.catalog import Catalog
from recsys.evaluation import Answers, Question
from recsys.figures import Figure
from recsys.metrics import Estimate
from recsys.models.base import Ranking
from tests.planted import NOW, Broken, Fixed, FixedForAll, bundle_of, item
from tests.training.planted_home import CONFIG, planted_shop
from training.config import train_config
from training.evaluate import ALL_KINDS, Evaluation
from training.release import (
    GATE_RULE,
    KS,
    MIN_PERSONS,
    Judged,
    comparison_failures,
    golden_failures,
    new_bundle_id,
    release,
)

CATALOG = Catalog.of([item(n) for n in range(4)])


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return planted_shop(tmp_path_factory.mktemp("release") / "home")


@pytest.fixture(scope="module")
def made(shop):
    return release(shop, CONFIG, created_at=NOW, origin={"code_version": "1.2"})


def test_good_bundle_is_not_refused(made):
    assert made.refusals == ()
    assert made.bundle.figures["gate"] == {"rule": GATE_RULE, "refusals": []}


def test_bundle_carries_its_figures_and_origin(made):
    assert made.bundle.figures["evaluation"] == made.evaluation.plain()
    assert made.bundle.figures["served_recall"]["als"]["video"] > 0.9
    assert made.bundle.origin["code_version"] == "1.2"
    assert made.bundle.origin["created_at"] == NOW.isoformat()
    assert made.bundle.bundle_id == new_bundle_id(NOW) == "20260520T120000-000000"


def test_bundle_learns_from_what_the_evaluation_held_out(made, shop):
    assert made.bundle.data_until_ms == shop.until_ms
    assert made.evaluation.split["events_since"] > 0


def test_evaluation_can_be_left_out(shop):
    made = release(shop, CONFIG, created_at=NOW, origin={}, judged=Judged(is_evaluated=False))
    assert made.evaluation is None
    assert made.bundle.figures["evaluation"] == {"skipped": "not asked for"}


def test_shop_that_cannot_be_split_is_learned_all_the_same(shop):
    config = train_config({"train": {"holdout_days": 400}})
    made = release(shop, config, created_at=NOW, origin={})
    assert made.refusals == ()
    assert "leaves nothing to learn from" in made.bundle.figures["evaluation"]["skipped"]


def compared(low, high, n_persons=MIN_PERSONS):
    estimate = Estimate((low + high) / 2, low, high, n_persons)
    figure = Figure(contender="pipeline − popularity", metric="ndcg", k=KS[-1], estimate=estimate)
    question = Question(scene="home", kinds=ALL_KINDS[-1])
    answers = Answers(question=question, n_persons=n_persons, n_strangers=0, figures=(figure,))
    return comparison_failures(Evaluation(split={}, answers=(answers,)))


@pytest.mark.parametrize(
    ("low", "high", "n_persons", "n_failures"),
    [(-0.2, -0.1, 30, 1), (-0.2, 0.0, 30, 0), (0.1, 0.2, 30, 0), (-0.2, -0.1, 29, 0)],
)
def test_only_a_significant_loss_is_refused(low, high, n_persons, n_failures):
    assert len(compared(low, high, n_persons)) == n_failures


def test_refusal_names_the_figures():
    (refusal,) = compared(-0.2, -0.1)
    assert refusal == (
        "NDCG@20 of the home list is below that of popularity alone by 0.1500, "
        "95 % interval -0.2000 to -0.1000, 30 persons"
    )


def test_without_evaluation_nothing_is_compared():
    assert comparison_failures(None) == []


def test_working_bundle_has_no_golden_failure():
    bundle = bundle_of(CATALOG, {"near": Fixed(items=(0, 1)), "popular": FixedForAll(items=(2, 3))})
    assert golden_failures(bundle, NOW) == []


def test_empty_list_is_a_golden_failure():
    bundle = bundle_of(CATALOG, {"near": Fixed(items=(0, 1))})
    bundle = replace(bundle, catalog=replace(CATALOG, on_sale=np.zeros(4, np.bool_)))
    assert golden_failures(bundle, NOW) == [
        "home gives a stranger an empty list",
        "post_checkout gives a stranger an empty list",
    ]


def test_failing_source_is_a_golden_failure():
    bundle = bundle_of(CATALOG, {"broken": Broken(items=()), "popular": FixedForAll(items=(2,))})
    failures = golden_failures(bundle, NOW)
    assert "home gives a stranger a degraded list: ('source:broken',)" in failures
    assert any("a person who had the most popular item" in failure for failure in failures)


def test_infinite_score_is_a_golden_failure():
    class Endless(FixedForAll):
        def candidates(self, row, k, within):
            return Ranking(np.array([1], np.int32), np.array([1], np.float32))

    bundle = bundle_of(CATALOG, {"popular": Endless(items=())})
    home = bundle.pipelines["home"]
    sources = (replace(home.sources[0], weight=float("inf")),)
    bundle = replace(
        bundle, pipelines=dict.fromkeys(bundle.pipelines, replace(home, sources=sources))
    )
    assert "home gives a stranger scores that are not finite" in golden_failures(bundle, NOW)
