"""How strongly a play speaks, corrected for the length of the video.

Seconds watched favour long videos and share watched favours short ones. We take the quantile of the
seconds among plays of similarly long videos: R. Zhan et al., "Deconfounding Duration Bias in
Watch-time Prediction for Video Recommendation" (D2Q), KDD 2022. Where they train one regressor a
duration group, we need only the quantile itself, shrunk to a prior curve while a group is small.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recsys import kernels_acts

Floats = NDArray[np.float32]

N_STEPS = 32
# A group of this many plays counts as much as the prior.
PRIOR_PLAYS = 200.0
MIN_GROUP = 500
MAX_GROUPS = 20
# A play without seconds is worth half: somebody watched, we do not know how long.
UNKNOWN_STRENGTH = 0.5
UNKNOWN_DURATION_S = 30.0


def prior_strength(play_s: NDArray[Any], duration_s: NDArray[Any]) -> NDArray[Any]:
    """Strength before any data: half at the seconds a video of this length usually holds.

    The usual seconds grow slower than the length, 8 s at 10 s and 41 s at 10 minutes, so that a
    10 s clip watched to the end gives 0.56 and a 10 minute one 0.94.
    """
    usual_s = 8.0 * (np.maximum(duration_s, 1.0) / 10.0) ** 0.4
    return np.asarray(play_s / (play_s + usual_s))


@dataclass(frozen=True, slots=True, eq=False)
class WatchCurve:
    """Seconds watched and length of the video → strength from 0 to 1.

    Attributes
    ----------
    edges_s
        Shape (n_groups − 1,), ascending. Lengths at which one group ends and the next begins.
    quantiles_s
        Shape (n_groups, N_STEPS + 1). Seconds watched at equal steps of probability.
    n_plays
        Shape (n_groups,). Plays the group was learned from.
    """

    edges_s: Floats
    quantiles_s: Floats
    n_plays: Floats

    @classmethod
    def prior(cls) -> Self:
        """The curve that learned nothing."""
        return cls(
            np.empty(0, dtype=np.float32),
            np.zeros((1, N_STEPS + 1), dtype=np.float32),
            np.zeros(1, dtype=np.float32),
        )

    @classmethod
    def fit(cls, play_s: NDArray[Any], duration_s: NDArray[Any]) -> Self:
        """Learn from plays; those without seconds or length are left out."""
        known = ~(np.isnan(play_s) | np.isnan(duration_s))
        play_s, duration_s = play_s[known], duration_s[known]
        if len(play_s) < MIN_GROUP:
            return cls.prior()
        n_groups = min(MAX_GROUPS, len(play_s) // MIN_GROUP)
        steps = np.linspace(0, 1, n_groups + 1)[1:-1]
        edges_s = np.unique(np.quantile(duration_s, steps)).astype(np.float32)
        group = np.searchsorted(edges_s, duration_s, side="right")
        probabilities = np.linspace(0, 1, N_STEPS + 1)
        quantiles = [_quantiles(play_s[group == g], probabilities) for g in range(len(edges_s) + 1)]
        counts = np.bincount(group, minlength=len(edges_s) + 1)
        return cls(edges_s, np.array(quantiles, dtype=np.float32), counts.astype(np.float32))

    def strength(self, play_s: NDArray[Any], duration_s: NDArray[Any]) -> Floats:
        """Strength of each play; both of shape (n,), seconds, NaN where not known."""
        found: Floats = kernels_acts.strengths(
            np.ascontiguousarray(play_s, dtype=np.float32),
            np.ascontiguousarray(duration_s, dtype=np.float32),
            *self.learned(),
        )
        return found

    def learned(self) -> tuple[Any, ...]:
        """What kernels need to know of it."""
        told = (PRIOR_PLAYS, UNKNOWN_STRENGTH, UNKNOWN_DURATION_S)
        return (self.edges_s, self.quantiles_s, self.n_plays, *told)


def _quantiles(play_s: NDArray[Any], probabilities: NDArray[Any]) -> NDArray[Any]:
    if len(play_s) == 0:
        return np.zeros(len(probabilities))
    return np.asarray(np.quantile(play_s, probabilities))
