"""How good lists are: each metric one value a person, and estimates with their intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from recsys.catalog import Idxs
from recsys.ids import Mask

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over persons and the interval of 95 % confidence it lies in.

    Parameters
    ----------
    n
        How many persons; with fewer than two there is no interval and its ends are NaN.
    """

    mean: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float] | NDArray[Any]) -> Self:
        """The mean of one value a person, with Student's interval."""
        n = len(values)
        if n == 0:
            return cls(float("nan"), float("nan"), float("nan"), 0)
        mean = float(np.mean(values))
        if n == 1:
            return cls(mean, float("nan"), float("nan"), 1)
        return cls._around(mean, float(np.std(values, ddof=1)) / n**0.5, n)

    @classmethod
    def _around(cls, mean: float, standard_error: float, n: int) -> Self:
        half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * standard_error
        return cls(mean, mean - half, mean + half, n)

    @classmethod
    def of_ratio(cls, sums: NDArray[Any], counts: NDArray[Any]) -> Self:
        """The mean over many acts of each person; acts of one person are not independent.

        The interval is that of the ratio of two means (Cochran 1977, section 2.11).

        Parameters
        ----------
        sums, counts
            Shape (n,). The sum over each person's acts, and how many acts there were.
        """
        if len(sums) == 0:
            return cls.of([])
        ratio = float(np.sum(sums) / np.sum(counts))
        apart = cls.of((sums - ratio * counts) / np.mean(counts))
        return cls(ratio, ratio + apart.low, ratio + apart.high, len(sums))

    @classmethod
    def of_share(cls, share: float, left_out: NDArray[Any]) -> Self:
        """A share of all persons together, with the interval of the jackknife (Tukey 1958).

        No share is below 0 or above 1, so the interval is not either.

        Parameters
        ----------
        left_out
            Shape (n,). How much smaller the share is without each person.
        """
        n = len(left_out)
        if n < 2:
            return cls(share, float("nan"), float("nan"), n)
        spread = float(np.sum((left_out - left_out.mean()) ** 2))
        plain = cls._around(share, ((n - 1) / n * spread) ** 0.5, n)
        return cls(share, max(0.0, plain.low), min(1.0, plain.high), n)


@dataclass(frozen=True, slots=True, eq=False)
class PerPerson:
    """One value a person: the sum over their acts, and how many acts it is the sum of.

    Attributes
    ----------
    sums, counts
        Shape (n_persons,). A person for whom nothing is defined has 0 acts.
    """

    sums: NDArray[np.float64]
    counts: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[Any]) -> Self:
        """One act a person; NaN where a person has none."""
        is_there = ~np.isnan(values)
        return cls(np.where(is_there, values, 0.0), is_there.astype(np.float64))

    def estimate(self) -> Estimate:
        """The mean over acts, with the interval over persons."""
        there = self.counts > 0
        return Estimate.of_ratio(self.sums[there], self.counts[there])

    def among(self, persons: Mask) -> "PerPerson":
        """The same with nothing defined for everybody else."""
        return PerPerson(np.where(persons, self.sums, 0.0), np.where(persons, self.counts, 0.0))

    def minus(self, other: "PerPerson") -> "PerPerson":
        """The difference for each person for whom both are defined, over the same acts."""
        both = (self.counts > 0) & (other.counts > 0)
        return PerPerson(self.sums - other.sums, self.counts).among(both)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One person's list after it was compared with what they did.

    Attributes
    ----------
    hits
        Shape (n,), by rank. Whether the item was relevant.
    n_relevant
        How many relevant items there were in all.
    """

    hits: Mask
    n_relevant: int


def judge(ranked: Idxs, relevant: Idxs) -> Judged:
    """Compare a list, best first, with the distinct relevant items.

    Raises
    ------
    ValueError
        Nothing is relevant: no metric is defined, leave the person out.
    """
    if len(relevant) == 0:
        raise ValueError("relevant is empty; a person without a target cannot be judged")
    return Judged(np.isin(ranked, relevant), len(relevant))


def recall(judged: Judged, k: int) -> float:
    """Share of the relevant items among the first k."""
    return float(judged.hits[:k].sum() / judged.n_relevant)


def precision(judged: Judged, k: int) -> float:
    """Share of relevant items among k places; a list that is shorter left places empty."""
    return float(judged.hits[:k].sum() / k)


def hit_rate(judged: Judged, k: int) -> float:
    """1 if any relevant item is among the first k, else 0."""
    return float(judged.hits[:k].any())


def ndcg(judged: Judged, k: int) -> float:
    """Discounted gain over that of the best possible list (Järvelin and Kekäläinen 2002).

    Gains are 0 or 1; the best possible list holds min(k, n_relevant) of them.
    """
    discounts = 1 / np.log2(np.arange(2, k + 2))
    hits = judged.hits[:k]
    best = discounts[: min(k, judged.n_relevant)].sum()
    return float(discounts[: len(hits)][hits].sum() / best)


def average_precision(judged: Judged, k: int) -> float:
    """Mean, over the relevant items, of the precision at each one's rank; 0 for those after k."""
    ranks = np.flatnonzero(judged.hits[:k]) + 1
    return float((np.arange(1, len(ranks) + 1) / ranks).sum() / judged.n_relevant)


def reciprocal_rank(judged: Judged, k: int) -> float:
    """1 over the rank of the first relevant item; 0 if it comes after k."""
    hits = judged.hits[:k]
    return float(1 / (hits.argmax() + 1)) if hits.any() else 0.0


Metric = Callable[[Judged, int], float]

# By the names that reports use; MAP and MRR are the means of AP and RR over persons.
METRICS: dict[str, Metric] = {
    "recall": recall,
    "ndcg": ndcg,
    "hit_rate": hit_rate,
    "precision": precision,
    "map": average_precision,
    "mrr": reciprocal_rank,
}
