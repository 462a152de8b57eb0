"""Compiled loops over persons' visits: what each kind brought and was seen, and who came back."""

import numpy as np
from numpy.typing import NDArray

from recsys.kernels import F4, I1, I4, I8, INT, REAL, inside, kernel

DAY_MS = 86_400_000
UNDATED = np.iinfo(np.int64).min
# Where the sums of a person stand; a video's and a product's lie beside each other.
GAINS, SEEN, ACTS, VISITS = 0, 2, 4, 6
N_SUMS = 11


@inside
def _come_back(days: NDArray[np.int64], at: int, n: int, within: int) -> int:
    """On how many of the next days there was a visit, too."""
    found = 0
    for later in range(at + 1, n):
        if days[later] - days[at] > within:
            break
        found += 1
    return found


@inside
def _fading(at_ms: int, as_of_ms: int, half_life_days: float) -> float:
    """What an event counts for being old, 0 to 1; one of unknown time is not old."""
    if half_life_days == 0 or at_ms == UNDATED:
        return 1.0
    return float(2.0 ** (-(as_of_ms - at_ms) / (DAY_MS * half_life_days)))


@inside
def _add_visits(
    days: NDArray[np.int64],
    shares: NDArray[np.float64],
    n: int,
    window: tuple[int, int],
    sums: NDArray[np.float64],
) -> None:
    """Adds one person's visits that are long enough ago to know what came of them."""
    last_day, within = window
    for at in range(n):
        if days[at] + within > last_day or np.isnan(shares[at]):
            continue
        share, came = shares[at], float(_come_back(days, at, n, within))
        sums[VISITS] += 1
        sums[VISITS + 1] += share
        sums[VISITS + 2] += came
        sums[VISITS + 3] += share * share
        sums[VISITS + 4] += share * came


@inside
def _sum_up(
    events: tuple[NDArray[np.int32], NDArray[np.int8], NDArray[np.int64], NDArray[np.float32]],
    span: tuple[int, int],
    kind: NDArray[np.int8],
    as_of_ms: int,
    half_life_days: float,
    sums: NDArray[np.float64],
) -> None:
    """Adds what one person saw and did of each kind."""
    item, type, at_ms, gains = events
    for at in range(span[0], span[1]):
        if at_ms[at] != UNDATED and at_ms[at] > as_of_ms:
            continue
        of_kind = 1 - kind[item[at]]
        counts = _fading(at_ms[at], as_of_ms, half_life_days)
        if type[at] == 0:
            sums[SEEN + of_kind] += counts
        elif gains[at] != 0:
            sums[GAINS + of_kind] += gains[at]
            sums[ACTS + of_kind] += counts


@inside
def _by_day(
    events: tuple[NDArray[np.int32], NDArray[np.int8], NDArray[np.int64], NDArray[np.float32]],
    span: tuple[int, int],
    kind: NDArray[np.int8],
    as_of_ms: int,
    least_seen: int,
    days: NDArray[np.int64],
    shares: NDArray[np.float64],
) -> int:
    """Writes one person's days and the share of products on each; how many there are."""
    item, type, at_ms, _ = events
    n, n_seen, n_products = 0, 0, 0
    for at in range(span[0], span[1]):
        if at_ms[at] == UNDATED or at_ms[at] > as_of_ms:
            continue
        today = at_ms[at] // DAY_MS
        if n == 0 or today != days[n - 1]:
            days[n], shares[n], n = today, np.nan, n + 1
            n_seen, n_products = 0, 0
        if type[at] == 0:
            n_seen += 1
            n_products += 1 - kind[item[at]]
            if n_seen >= least_seen:
                shares[n - 1] = n_products / n_seen
    return n


@kernel(I4, I1, I8, F4, I8, I1, REAL, INT, INT, INT)
def visited(
    item: NDArray[np.int32],
    type: NDArray[np.int8],
    at_ms: NDArray[np.int64],
    gains: NDArray[np.float32],
    offsets: NDArray[np.int64],
    kind: NDArray[np.int8],
    half_life_days: float,
    as_of_ms: int,
    within_days: int,
    least_seen: int,
) -> NDArray[np.float64]:
    """For each person their sums; `recsys.mix.Mix.seen_by` says which and what they are for.

    Parameters
    ----------
    half_life_days
        After this long what was seen counts half; 0 means no decay.
    least_seen
        A day with fewer items on the screen says nothing of the share of products.
    """
    found = np.zeros((len(offsets) - 1, N_SUMS))
    longest = 0
    for person in range(len(found)):
        longest = max(longest, offsets[person + 1] - offsets[person])
    days, shares = np.empty(longest, np.int64), np.empty(longest, np.float64)
    events = (item, type, at_ms, gains)
    for person in range(len(found)):
        span = (offsets[person], offsets[person + 1])
        _sum_up(events, span, kind, as_of_ms, half_life_days, found[person])
        n = _by_day(events, span, kind, as_of_ms, least_seen, days, shares)
        _add_visits(days, shares, n, (as_of_ms // DAY_MS, within_days), found[person])
    return found
