"""Compiled loops over acts: what each of them weighs."""

import numpy as np
from numpy.typing import NDArray

from recsys.kernels import F4, F4_2D, I1, I4, I8, INT, REAL, inside, kernel

DAY_MS = 86_400_000.0
UNDATED = np.iinfo(np.int64).min
# The numbers of plays and views in `recsys.events`.
PLAY, VIEW = 1, 9
# Who reads a note of pictures and text, a video of no length, watches it: what a play counts more
# than a view by default.
READ = 2.0


@inside
def _rank(quantiles: NDArray[np.float32], seconds: float) -> float:
    """The share of plays that were shorter; ties get the middle of their steps."""
    n_steps, below, upto = len(quantiles) - 1, 0, 0
    for step in range(n_steps + 1):
        below += quantiles[step] < seconds
        upto += quantiles[step] <= seconds
    return min(max((below + upto - 1) / (2 * n_steps), 0.0), 1.0)


@inside
def _strength(
    seconds: float,
    length: float,
    curve: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], float],
    unknown: tuple[float, float],
) -> float:
    (edges_s, quantiles_s, n_plays, prior_plays), (strength, length_s) = curve, unknown
    if np.isnan(seconds):
        return strength
    if np.isnan(length):
        length = length_s
    group = np.searchsorted(edges_s, np.float32(length), side="right")
    usual_s = 8.0 * (max(length, 1.0) / 10.0) ** 0.4
    share = n_plays[group] / (n_plays[group] + prior_plays)
    strength = (1 - share) * seconds / (seconds + usual_s)
    if share > 0:
        strength += share * _rank(quantiles_s[group], seconds)
    return strength if seconds > 0 else 0.0


@kernel(F4, F4, F4, F4_2D, F4, REAL, REAL, REAL)
def strengths(
    play_s: NDArray[np.float32],
    duration_s: NDArray[np.float32],
    edges_s: NDArray[np.float32],
    quantiles_s: NDArray[np.float32],
    n_plays: NDArray[np.float32],
    prior_plays: float,
    unknown_strength: float,
    unknown_duration_s: float,
) -> NDArray[np.float32]:
    """How strongly each play speaks; the formula is that of `recsys.watching.WatchCurve`."""
    found = np.empty(len(play_s), dtype=np.float32)
    curve, unknown = (
        (edges_s, quantiles_s, n_plays, prior_plays),
        (unknown_strength, unknown_duration_s),
    )
    for at in range(len(play_s)):
        found[at] = _strength(float(play_s[at]), float(duration_s[at]), curve, unknown)
    return found


@kernel(I1, I8, I4, F4, F4, F4, INT, REAL, F4, F4, F4_2D, F4, REAL, REAL, REAL)
def weighed(
    kind: NDArray[np.int8],
    at_ms: NDArray[np.int64],
    item: NDArray[np.int32],
    value: NDArray[np.float32],
    duration_s: NDArray[np.float32],
    worth: NDArray[np.float32],
    as_of_ms: int,
    half_life_days: float,
    video_s: NDArray[np.float32],
    edges_s: NDArray[np.float32],
    quantiles_s: NDArray[np.float32],
    n_plays: NDArray[np.float32],
    prior_plays: float,
    unknown_strength: float,
    unknown_duration_s: float,
) -> NDArray[np.float32]:
    """The worth of each act's type, halved every half-life; later acts count nothing.

    A play counts by how strongly it speaks; if it did not say how long the video is, `video_s` does
    by item. A note has no length: a view of it is read as long as it was looked at.
    """
    found = np.empty(len(kind), dtype=np.float32)
    curve, unknown = (
        (edges_s, quantiles_s, n_plays, prior_plays),
        (unknown_strength, unknown_duration_s),
    )
    for at in range(len(kind)):
        age_days = 0.0 if at_ms[at] == UNDATED else (as_of_ms - at_ms[at]) / DAY_MS
        if age_days < 0:
            found[at] = 0
        elif half_life_days == 0:
            found[at] = worth[kind[at]]
        else:
            found[at] = worth[kind[at]] * np.float32(2.0 ** (-age_days / half_life_days))
        if kind[at] == PLAY:
            length = float(duration_s[at])
            if np.isnan(length):
                length = float(video_s[item[at]])
            found[at] *= np.float32(_strength(float(value[at]), length, curve, unknown))
        elif kind[at] == VIEW and video_s[item[at]] == 0:
            found[at] *= np.float32(READ * _strength(float(value[at]), 0.0, curve, unknown))
    return found


@kernel(F4, I8, REAL, REAL)
def lately(
    weights: NDArray[np.float32], at_ms: NDArray[np.int64], more: float, half_life_ms: float
) -> NDArray[np.float32]:
    """Weights of one person's acts, of which the last that weighs anything counts 1 + more times.

    One that was a half-life before it counts 1 + more / 2 times; undated ones count once.
    """
    found, last = weights.copy(), UNDATED
    for at in range(len(weights)):
        if weights[at] != 0 and at_ms[at] > last:
            last = at_ms[at]
    for at in range(len(weights)):
        if weights[at] != 0 and at_ms[at] != UNDATED:
            found[at] *= np.float32(1.0 + more * 2.0 ** ((at_ms[at] - last) / half_life_ms))
    return found


@kernel(I4, I1, I4, I4, INT)
def lowest(
    item: NDArray[np.int32],
    kind: NDArray[np.int8],
    rank_of: NDArray[np.int32],
    asked: NDArray[np.int32],
    otherwise: int,
) -> NDArray[np.int32]:
    """For each item asked the lowest rank of an act on it by the act's type, or what is told."""
    found = np.full(len(asked), otherwise, dtype=np.int32)
    for number in range(len(asked)):
        for at in range(len(item)):
            if item[at] == asked[number]:
                found[number] = min(found[number], rank_of[kind[at]])
    return found
