import numpy as np
import pytest

from recsys.comparison import (
    MIN_DIFFERING,
    MIN_PERSONS,
    RESAMPLES,
    Look,
    Verdict,
    compare,
    interval,
    resampled,
)
from recsys.metrics import Estimate, PerPerson

LOOK = Look(ours="pipeline", theirs="against", metric="ndcg", k=20, is_judged=True)


def verdict_of(differences, *, n_verdicts=1, seed=1):
    values = PerPerson.of(np.asarray(differences, dtype=float))
    (found,) = compare([(LOOK, values)], n_verdicts=n_verdicts, seed=seed)
    return found.verdict


def sparse(rng, n):
    """Differences as lists have them: of most people none, of the others either way."""
    return np.where(rng.random(n) < 0.15, rng.choice([-1, 1], n) * rng.beta(1, 2, n), 0.0)


@pytest.mark.parametrize("draw", [sparse, lambda rng, n: rng.exponential(1, n) - 1])
@pytest.mark.parametrize("n", [60, 160])
def test_two_that_are_alike_are_told_apart_one_time_in_twenty_at_most(draw, n):
    rng = np.random.default_rng(5)
    verdicts = [verdict_of(draw(rng, n), seed=seed) for seed in range(400)]
    wrong = np.mean([one is not Verdict.UNSURE for one in verdicts])
    # 5 % of 400 has a standard error of 1.1 points; three of them are allowed.
    assert wrong <= 0.05 + 3 * 0.011


def test_many_looks_err_together_as_often_as_one():
    rng = np.random.default_rng(6)
    wrong = [
        any(verdict_of(sparse(rng, 160), n_verdicts=4) is not Verdict.UNSURE for _ in range(4))
        for _ in range(100)
    ]
    # 5 % of 100 has a standard error of 2.2 points; three of them are allowed.
    assert np.mean(wrong) <= 0.05 + 3 * 0.022


def test_what_is_better_or_worse_is_called_so():
    differences = np.random.default_rng(7).normal(0.3, 1, 400)
    assert verdict_of(differences) == "better"
    assert verdict_of(-differences) == "worse"


def test_the_same_cannot_be_told_apart():
    assert verdict_of(np.zeros(500)) == "cannot tell"


def test_few_persons_give_no_verdict():
    assert verdict_of(np.ones(MIN_PERSONS - 1)) is Verdict.UNSURE
    assert verdict_of(np.ones(MIN_PERSONS)) is Verdict.BETTER


def test_few_persons_that_differ_give_no_verdict():
    few = np.where(np.arange(500) < MIN_DIFFERING - 1, 1.0, 0.0)
    assert verdict_of(few) is Verdict.UNSURE
    few[-1] = 1.0
    assert verdict_of(few) is Verdict.BETTER


def test_what_is_described_only_has_no_verdict():
    values = PerPerson.of(np.ones(100))
    (found,) = compare(
        [(Look(ours="a", theirs="b", metric="map", k=5), values)], n_verdicts=1, seed=1
    )
    assert found.verdict is None
    assert "verdict" not in found.plain()


def test_interval_is_that_of_student_where_the_data_are_normal():
    values = np.random.default_rng(8).normal(0, 1, 40)
    (found,) = compare([(LOOK, PerPerson.of(values))], n_verdicts=1, seed=2)
    plain = Estimate.of(values)
    # 2,000 resamples leave about 3 % of a half-width of noise.
    half = plain.high - plain.mean
    assert found.difference.low == pytest.approx(plain.low, abs=0.12 * half)
    assert found.difference.high == pytest.approx(plain.high, abs=0.12 * half)


def test_more_verdicts_need_a_wider_interval():
    values = PerPerson.of(np.random.default_rng(9).normal(0, 1, 100))
    (one,) = compare([(LOOK, values)], n_verdicts=1, seed=3)
    (many,) = compare([(LOOK, values)], n_verdicts=6, seed=3)
    assert (one.low, one.high) == (one.difference.low, one.difference.high)
    assert many.low < one.low < one.high < many.high
    assert many.difference == one.difference


def test_same_seed_gives_the_same_draws():
    values = [PerPerson.of(np.arange(10.0)), PerPerson.of(np.ones(10))]
    whole = resampled(values, seed=4)
    assert whole.shape == (RESAMPLES, 2)
    assert whole[:, 1] == pytest.approx(1)
    assert np.array_equal(whole, resampled(values, seed=4))


def test_persons_for_whom_nothing_is_defined_do_not_count():
    values = PerPerson.of(np.array([1.0, np.nan, 1.0, np.nan]))
    (found,) = compare([(LOOK, values)], n_verdicts=1, seed=1)
    assert (found.difference.mean, found.difference.n) == (1, 2)
    assert (found.difference.low, found.difference.high) == (1, 1)


def test_nothing_to_compare_gives_nothing():
    assert compare([], n_verdicts=1, seed=1) == ()
    assert compare([(LOOK, PerPerson.of(np.empty(0)))], n_verdicts=1, seed=1) == ()
    assert np.isnan(interval(np.array([0.5]), 1, 0.05)).all()
