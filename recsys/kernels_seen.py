"""Compiled loops over what persons saw: what each kind brought, and on how many seats."""

import numpy as np
from numpy.typing import NDArray

from recsys.kernels import F4, I1, I4, I8, INT, REAL, inside, kernel, together

DAY_MS = 86_400_000
UNDATED = np.iinfo(np.int64).min
# Where the sums of a person stand; a video's and a product's lie beside each other.
GAINS, SEEN, ACTS = 0, 2, 4
N_SUMS = 6
# What led to an act is looked for among so many events before it: undated ones have no day to stop.
MOST_BACK = 500


@inside
def _fading(at_ms: int, as_of_ms: int, half_life_days: float) -> float:
    """What an event counts for being old, 0 to 1; one of unknown time is not old."""
    if half_life_days == 0 or at_ms == UNDATED:
        return 1.0
    return float(2.0 ** (-(as_of_ms - at_ms) / (DAY_MS * half_life_days)))


@inside
def _brought_by(
    item: NDArray[np.int32],
    type: NDArray[np.int8],
    at_ms: NDArray[np.int64],
    first: int,
    at: int,
    cards: tuple[NDArray[np.int64], NDArray[np.int32]],
) -> int:
    """Which kind's seat led to an act on a product: 0 a video's, 1 its own, −1 neither.

    Its own, if it was on a screen within a day before; a video's, if one that shows it was.
    """
    offsets, sold = cards
    product, has_video = item[at], False
    for before in range(at - 1, max(first, at - MOST_BACK) - 1, -1):
        if at_ms[at] != UNDATED and at_ms[at] - at_ms[before] > DAY_MS:
            break
        other = item[before]
        if other == product:
            if type[before] == 0:
                return 1
        elif not has_video:
            for place in range(offsets[other], offsets[other + 1]):
                has_video |= sold[place] == product
    return 0 if has_video else -1


@inside
def _sum_up(
    events: tuple[NDArray[np.int32], NDArray[np.int8], NDArray[np.int64], NDArray[np.float32]],
    span: tuple[int, int],
    kind: NDArray[np.int8],
    cards: tuple[NDArray[np.int64], NDArray[np.int32]],
    as_of_ms: int,
    half_life_days: float,
    sums: NDArray[np.float64],
) -> None:
    """Adds what one person saw, and what came of it, by kind."""
    item, type, at_ms, gains = events
    told = False
    for at in range(span[0], span[1]):
        if type[at] == 0 and kind[item[at]] == 0 and at_ms[at] <= as_of_ms:
            told = True
            break
    for at in range(span[0], span[1]):
        if at_ms[at] != UNDATED and at_ms[at] > as_of_ms:
            continue
        of_kind = 1 - kind[item[at]]
        counts = _fading(at_ms[at], as_of_ms, half_life_days)
        if type[at] == 0:
            sums[SEEN + of_kind] += counts
        elif gains[at] != 0:
            if of_kind == 1 and told:
                of_kind = _brought_by(item, type, at_ms, span[0], at, cards)
            if of_kind >= 0:
                sums[GAINS + of_kind] += gains[at]
                sums[ACTS + of_kind] += counts


@kernel(I4, I1, I8, F4, I8, I1, together(I8, I4), REAL, INT)
def seen_and_done(
    item: NDArray[np.int32],
    type: NDArray[np.int8],
    at_ms: NDArray[np.int64],
    gains: NDArray[np.float32],
    offsets: NDArray[np.int64],
    kind: NDArray[np.int8],
    cards: tuple[NDArray[np.int64], NDArray[np.int32]],
    half_life_days: float,
    as_of_ms: int,
) -> NDArray[np.float64]:
    """For each person their sums; `recsys.mix.Mix.seen_by` says which and what they are for.

    Parameters
    ----------
    kind, cards
        By item: 0 for a product, 1 for a video; offsets and products of the videos' cards.
    half_life_days
        After this long what was seen counts half; 0 means no decay.
    """
    found = np.zeros((len(offsets) - 1, N_SUMS))
    events = (item, type, at_ms, gains)
    for person in range(len(found)):
        span = (offsets[person], offsets[person + 1])
        _sum_up(events, span, kind, cards, as_of_ms, half_life_days, found[person])
    return found
