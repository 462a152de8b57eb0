import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.watching import MIN_GROUP, UNKNOWN_STRENGTH, WatchCurve, prior_strength

SECONDS = st.floats(0, 3_600, width=32)
LENGTHS = st.floats(1, 3_600, width=32)


def plays(n=20_000, seed=0):
    """Lengths from 5 s to 20 min; people watch longer what is longer, but a smaller share of it."""
    rng = np.random.default_rng(seed)
    duration_s = np.exp(rng.uniform(np.log(5), np.log(1_200), n))
    play_s = 2 * duration_s**0.6 * rng.lognormal(0, 0.7, n)
    return np.minimum(play_s, duration_s), duration_s


PRIOR = WatchCurve.prior()
LEARNED = WatchCurve.fit(*plays())


def strength(curve, play_s, duration_s):
    return float(curve.strength(np.array([play_s]), np.array([duration_s]))[0])


@pytest.fixture(params=[PRIOR, LEARNED], ids=["prior", "learned"])
def curve(request):
    return request.param


def test_a_whole_clip_says_less_than_a_whole_long_video(curve):
    assert strength(curve, 10, 10) < strength(curve, 600, 600)


def test_the_same_seconds_say_less_of_a_long_video(curve):
    assert strength(curve, 10, 600) < strength(curve, 10, 10)


def test_nothing_watched_says_nothing(curve):
    assert strength(curve, 0, 30) == 0


def test_unknown_seconds_say_half(curve):
    assert strength(curve, np.nan, 30) == UNKNOWN_STRENGTH


def test_an_unknown_length_is_a_usual_one(curve):
    assert strength(curve, 12, np.nan) == strength(curve, 12, 30)


def test_the_prior_as_its_docstring_says():
    assert prior_strength(np.array([10.0]), np.array([10.0]))[0] == pytest.approx(10 / 18)
    assert prior_strength(np.array([600.0]), np.array([600.0]))[0] == pytest.approx(0.94, abs=0.005)


@pytest.mark.parametrize(("low", "high"), [(5, 15), (15, 60), (60, 300), (300, 1_200)])
def test_the_length_no_longer_tells_the_strength(low, high):
    play_s, duration_s = plays(seed=1)
    chosen = (duration_s >= low) & (duration_s < high)
    assert LEARNED.strength(play_s[chosen], duration_s[chosen]).mean() == pytest.approx(
        0.5, abs=0.05
    )


def test_few_plays_leave_the_prior():
    play_s, duration_s = plays(MIN_GROUP - 1)
    few = WatchCurve.fit(play_s, duration_s)
    assert strength(few, 10, 60) == strength(PRIOR, 10, 60)


def test_plays_without_seconds_or_length_teach_nothing():
    play_s, duration_s = plays()
    unknown = np.full(500, np.nan)
    more = WatchCurve.fit(
        np.concatenate([play_s, unknown, np.ones(500)]),
        np.concatenate([duration_s, np.ones(500), unknown]),
    )
    np.testing.assert_array_equal(more.quantiles_s, LEARNED.quantiles_s)


@pytest.mark.parametrize("learned", [False, True])
@given(less=SECONDS, more=SECONDS, duration_s=LENGTHS)
def test_more_seconds_never_say_less(learned, less, more, duration_s):
    curve = LEARNED if learned else PRIOR
    low, high = sorted((less, more))
    assert 0 <= strength(curve, low, duration_s) <= strength(curve, high, duration_s) <= 1
