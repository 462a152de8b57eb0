"""Effects are checked against planted ones, and against what a choice model must keep."""

import numpy as np
import pytest

from recsys.models.effects import Choices, learn

TRUE = np.array([1.5, -1.0, 0.0])


def choices(n: int, seed: int = 0) -> Choices:
    """Each of n persons chooses one of eight options by the planted effects."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(n):
        evidence = rng.normal(size=(8, 3)).astype(np.float32)
        # The largest of sums with Gumbel noise is a draw of the choice model.
        best = np.argmax(evidence @ TRUE + rng.gumbel(size=8))
        parts.append((evidence, np.eye(8)[best], np.zeros(8)))
    return Choices.of(parts, 3)


def test_planted_effects_are_found():
    np.testing.assert_allclose(learn(choices(3_000), np.zeros(3), 1.0), TRUE, atol=0.12)


def test_without_choices_the_prior_stands():
    prior = np.array([0.5, 0.2, 0.0])
    assert learn(choices(0), prior, 10.0).tolist() == prior.tolist()


def test_caution_keeps_few_choices_near_the_prior():
    prior = np.array([0.5, 0.0, 0.0])
    bold, cautious = (learn(choices(5), prior, caution) for caution in (0.1, 1_000.0))
    assert np.abs(cautious - prior).max() < 0.02 < np.abs(bold - prior).max()


def test_an_effect_that_is_not_free_stays_nothing():
    effects = learn(choices(500), np.ones(3), 1.0, np.array([True, False, True]))
    assert effects[1] == 0
    assert effects[0] > 1


def test_leaving_out_what_counts_costs_and_what_does_not_is_free():
    told = choices(2_000)
    losses = [
        told.chances(learn(told, np.zeros(3), 1.0, np.arange(3) != left_out))[1]
        for left_out in range(3)
    ]
    whole = told.chances(learn(told, np.zeros(3), 1.0))[1]
    assert losses[0] - whole > 200
    assert losses[2] - whole < 5


def test_an_option_that_stands_for_many_counts_as_many():
    """Of 1 + 4 alike options the first has a chance of 1 in 5, so has it of 1 and one for 4."""
    evidence = np.zeros((2, 1), dtype=np.float32)
    both = Choices.of([(evidence, np.array([1.0, 0.0]), np.log([1.0, 4.0]))], 1)
    chance, loss = both.chances(np.zeros(1))
    assert chance == pytest.approx([0.2, 0.8])
    assert loss == pytest.approx(np.log(5))
