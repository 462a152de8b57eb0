from math import log2

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import AP, RR, P, R, Success, nDCG

from recsys.metrics import METRICS, Estimate, PerPerson, judge

# Relevant items 3, 7, 9, 11; the list shows 3 at rank 2 and 9 at rank 4.
BY_HAND = judge(np.array([5, 3, 1, 9, 2]), np.array([3, 7, 9, 11]))
THEIRS = {"recall": R, "ndcg": nDCG, "hit_rate": Success, "precision": P, "map": AP, "mrr": RR}


@pytest.mark.parametrize(
    ("name", "k", "expected"),
    [
        ("recall", 3, 1 / 4),
        ("recall", 5, 2 / 4),
        ("precision", 4, 2 / 4),
        ("precision", 10, 2 / 10),
        ("hit_rate", 1, 0.0),
        ("hit_rate", 2, 1.0),
        ("mrr", 1, 0.0),
        ("mrr", 5, 1 / 2),
        ("map", 5, (1 / 2 + 2 / 4) / 4),
        ("ndcg", 2, (1 / log2(3)) / (1 + 1 / log2(3))),
        ("ndcg", 5, (1 / log2(3) + 1 / log2(5)) / (1 + 1 / log2(3) + 1 / 2 + 1 / log2(5))),
    ],
)
def test_metric_by_hand(name, k, expected):
    assert METRICS[name](BY_HAND, k) == pytest.approx(expected)


@st.composite
def judged_lists(draw):
    ranked = draw(st.lists(st.integers(0, 40), unique=True, max_size=25))
    relevant = draw(st.lists(st.integers(0, 40), unique=True, min_size=1, max_size=12))
    return ranked, relevant, draw(st.integers(1, 20))


@pytest.mark.parametrize("name", METRICS)
@settings(max_examples=40)
@given(case=judged_lists())
def test_metric_is_that_of_ir_measures(name, case):
    ranked, relevant, k = case
    ours = METRICS[name](judge(np.array(ranked, int), np.array(relevant)), k)
    run = {"user-5001": {f"item-{i}": -float(rank) for rank, i in enumerate(ranked)}}
    qrels = {"user-5001": {f"item-{i}": 1 for i in relevant}}
    measure = THEIRS[name] @ k
    theirs = ir_measures.calc_aggregate([measure], qrels, run if ranked else {})[measure]
    assert ours == pytest.approx(theirs)


@pytest.mark.parametrize("name", METRICS)
@given(case=judged_lists())
def test_metric_is_between_0_and_1(name, case):
    ranked, relevant, k = case
    value = METRICS[name](judge(np.array(ranked, int), np.array(relevant)), k)
    assert 0 <= value <= 1 + 1e-12


@pytest.mark.parametrize("name", sorted(set(METRICS) - {"precision"}))
def test_best_list_scores_1(name):
    relevant = np.array([4, 2])
    assert METRICS[name](judge(np.array([2, 4, 1]), relevant), 3) == pytest.approx(1)


def test_person_without_target_is_refused():
    with pytest.raises(ValueError, match="cannot be judged"):
        judge(np.array([1]), np.array([], dtype=int))


def test_estimate_by_hand():
    # Standard deviation 1, so the standard error is 0.5; Student's 97.5 % with 3 degrees is 3.182.
    values = np.array([1.0, 2.0, 3.0, 2.0]) * (3 / 2) ** 0.5
    estimate = Estimate.of(values)
    assert estimate.mean == pytest.approx(values.mean())
    assert estimate.high - estimate.mean == pytest.approx(0.5 * 3.18245, rel=1e-5)
    assert estimate.mean - estimate.low == pytest.approx(0.5 * 3.18245, rel=1e-5)
    assert estimate.n == 4


def test_interval_holds_the_truth_19_times_in_20():
    rng = np.random.default_rng(1)
    samples = rng.beta(0.5, 2, size=(2000, 200))
    estimates = [Estimate.of(sample) for sample in samples]
    share = np.mean([e.low <= 0.2 <= e.high for e in estimates])
    # 2,000 repeats: one standard error is 0.005.
    assert share == pytest.approx(0.95, abs=0.02)


def test_ratio_of_one_act_each_is_the_mean():
    values = np.array([0.0, 1.0, 1.0, 0.5])
    plain, ratio = Estimate.of(values), Estimate.of_ratio(values, np.ones(4))
    assert (ratio.mean, ratio.n) == (pytest.approx(plain.mean), 4)
    assert (ratio.low, ratio.high) == (pytest.approx(plain.low), pytest.approx(plain.high))


def test_ratio_weighs_each_act_alike():
    assert Estimate.of_ratio(np.array([1.0, 0.0]), np.array([1, 3])).mean == pytest.approx(1 / 4)
    assert np.isnan(Estimate.of_ratio(np.array([]), np.array([])).mean)


def test_interval_of_a_ratio_knows_that_acts_of_a_person_are_alike():
    rng = np.random.default_rng(2)
    held = []
    for _ in range(1000):
        counts = rng.integers(1, 9, size=150)
        sums = counts * rng.random(150)
        estimate = Estimate.of_ratio(sums, counts)
        held.append(estimate.low <= 0.5 <= estimate.high)
    # 1,000 repeats: one standard error is 0.007.
    assert np.mean(held) == pytest.approx(0.95, abs=0.025)


@pytest.mark.parametrize(("values", "mean"), [([], np.nan), ([0.25], 0.25)])
def test_too_few_persons_have_no_interval(values, mean):
    estimate = Estimate.of(values)
    assert estimate.mean == pytest.approx(mean, nan_ok=True)
    assert np.isnan(estimate.low)
    assert np.isnan(estimate.high)


def test_interval_of_a_share_stays_between_0_and_1():
    found = Estimate.of_share(0.9, np.array([0.5, -0.3, 0.1]))
    assert (found.mean, found.low, found.high) == (0.9, 0, 1)


def test_values_of_persons_add_up_and_subtract():
    ours, theirs = np.array([1.0, np.nan, 0.5]), np.array([0.0, 1.0, 0.25])
    one, other = PerPerson.of(ours), PerPerson.of(theirs)
    assert one.estimate() == Estimate.of([1.0, 0.5])
    difference = one.minus(other).estimate()
    assert (difference.mean, difference.n) == (pytest.approx((1.0 + 0.25) / 2), 2)


def test_values_of_some_persons_only():
    values = PerPerson.of(np.array([1.0, 0.0, 0.5]))
    some = values.among(np.array([True, False, True])).estimate()
    assert (some.mean, some.n) == (0.75, 2)
    assert values.among(np.zeros(3, dtype=bool)).estimate().n == 0
