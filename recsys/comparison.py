"""Whether one contender is better than another, asked about the same persons."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from recsys.metrics import CONFIDENCE, Estimate, PerPerson

RESAMPLES = 2_000
# With fewer persons an interval says nothing; where fewer differ, resampling makes it too narrow.
MIN_PERSONS, MIN_DIFFERING = 30, 20
# Counts of this many persons in this many resamples are held at once.
CELLS_AT_ONCE = 4_000_000
VERDICT_RULE = (
    "A comparison is a paired bootstrap over persons; its verdict on each scene and choice of "
    "kinds comes from NDCG at the longest list alone: better or worse if the interval of the "
    "difference leaves 0 out at an error of 5 % divided by the number of questions, with "
    f"{MIN_PERSONS} persons or more of whom {MIN_DIFFERING} differ; else it cannot tell. All other "
    "differences are described, not judged."
)

Draws = NDArray[np.float64]


class Verdict(StrEnum):
    """What can be said of one contender against another."""

    BETTER = "better"
    WORSE = "worse"
    UNSURE = "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is compared: `ours` minus `theirs`, of one metric.

    Parameters
    ----------
    people
        Whom it is about, a key of the parts of people.
    is_judged
        Whether a verdict is given on it, or it is described only.
    """

    ours: str
    theirs: str
    metric: str
    k: int
    people: str = "all"
    is_judged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What one look found.

    Parameters
    ----------
    difference
        With its interval of 95 %.
    n_differing
        For how many persons it is not 0.
    low, high
        The interval that a verdict is taken from; wider, if several verdicts are given.
    """

    look: Look
    difference: Estimate
    n_differing: int
    low: float
    high: float

    @property
    def verdict(self) -> Verdict | None:
        """Better or worse if the interval leaves 0 out and persons enough differ."""
        if not self.look.is_judged:
            return None
        is_enough = self.difference.n >= MIN_PERSONS and self.n_differing >= MIN_DIFFERING
        if is_enough and self.low > 0:
            return Verdict.BETTER
        if is_enough and self.high < 0:
            return Verdict.WORSE
        return Verdict.UNSURE

    def plain(self) -> dict[str, Any]:
        """All of it as JSON values."""
        said = asdict(self.look)
        del said["is_judged"]
        verdict = {"verdict": self.verdict, "verdict_low": self.low, "verdict_high": self.high}
        difference = {**asdict(self.difference), "n_differing": self.n_differing}
        return said | difference | (verdict if self.look.is_judged else {})


def resampled(differences: Sequence[PerPerson], *, seed: int) -> Draws:
    """The mean of each difference in resamples of the persons, the same ones for all.

    Returns
    -------
    Shape (RESAMPLES, n differences). NaN where a resample holds nobody it is defined for.
    """
    n = len(differences[0].sums)
    sums = np.stack([one.sums for one in differences], axis=1)
    counts = np.stack([one.counts for one in differences], axis=1)
    rng = np.random.default_rng(seed)
    draws = np.empty((RESAMPLES, len(differences)))
    step = max(1, CELLS_AT_ONCE // max(1, n))
    for start in range(0, RESAMPLES, step):
        size = min(step, RESAMPLES - start)
        chosen = rng.integers(0, n, (size, n)) + np.arange(size)[:, None] * n
        times = np.bincount(chosen.ravel(), minlength=size * n).reshape(size, n).astype(float)
        acts = times @ counts
        draws[start : start + size] = np.where(
            acts > 0, times @ sums / np.maximum(acts, 1e-9), np.nan
        )
    return draws


def interval(draws: Draws, n: int, error: float) -> tuple[float, float]:
    """The expanded percentile interval of one difference (Hesterberg 2015, section 4.1.3).

    The plain percentiles of Efron 1979 are too narrow for few persons, as Student's interval would
    be with the normal quantile; expanded ones are as wide as Student's, and as skew as the data.

    Parameters
    ----------
    draws
        Shape (RESAMPLES,).
    n
        How many persons the difference is defined for.
    error
        How often the truth may lie outside.
    """
    there = draws[~np.isnan(draws)]
    if n < 2 or len(there) == 0:
        return float("nan"), float("nan")
    tail = float(ndtr(-((n / (n - 1)) ** 0.5) * stdtrit(n - 1, 1 - error / 2)))
    low, high = np.quantile(there, [tail, 1 - tail])
    return float(low), float(high)


def compare(
    looks: Sequence[tuple[Look, PerPerson]], *, n_verdicts: int, seed: int
) -> tuple[Comparison, ...]:
    """Paired bootstrap over persons of every difference (Efron 1979; Sakai 2006 for lists).

    Parameters
    ----------
    looks
        Each with the difference of every person, the same persons in the same order.
    n_verdicts
        How many verdicts are given in all. Each may err 5 % ÷ n_verdicts of the time (Bonferroni),
        so that all of them together err 5 % of the time at most when nothing differs.
    """
    if not looks or len(looks[0][1].sums) == 0:
        return ()
    draws = resampled([values for _, values in looks], seed=seed)
    return tuple(
        _compared(look, values, own, n_verdicts)
        for (look, values), own in zip(looks, draws.T, strict=True)
    )


def _compared(look: Look, values: PerPerson, draws: Draws, n_verdicts: int) -> Comparison:
    error, plain = 1 - CONFIDENCE, values.estimate()
    difference = Estimate(plain.mean, *interval(draws, plain.n, error), plain.n)
    low, high = interval(draws, plain.n, error / max(1, n_verdicts))
    return Comparison(
        look=look,
        difference=difference,
        n_differing=int((values.sums != 0).sum()),
        low=low,
        high=high,
    )
