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

        Parameters
        ----------
        left_out
            Shape (n,). How much smaller the share is without each person.
        """
        n = len(left_out)
        if n < 2:
            return cls(share, float("nan"), float("nan"), n)
        spread = float(np.sum((left_out - left_out.mean()) ** 2))
        return cls._around(share, ((n - 1) / n * spread) ** 0.5, n)


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


def coverage(lists: Sequence[Idxs], k: int, n_items: int) -> Estimate:
    """Share of the `n_items` that could be shown which are among anybody's first k."""
    if n_items == 0 or not lists:
        return Estimate.of([])
    firsts = [one[:k] for one in lists]
    shown, counts = np.unique(np.concatenate(firsts), return_counts=True)
    only_once = shown[counts == 1]
    left_out = np.array([np.isin(one, only_once).sum() for one in firsts]) / n_items
    return Estimate.of_share(len(shown) / n_items, left_out)


def novelty(lists: Sequence[Idxs], k: int, popularity: NDArray[Any]) -> Estimate:
    """Mean surprise of the items among the first k, in bits (Zhou et al. 2010).

    Parameters
    ----------
    popularity
        Shape (n_items,). Share of persons or acts each item has; an item without any counts as
        half of the smallest share there is, for its surprise would be endless.
    """
    known = popularity[popularity > 0]
    floor = known.min() / 2 if len(known) else 1.0
    surprise = -np.log2(np.maximum(popularity, floor))
    return Estimate.of([float(surprise[one[:k]].mean()) for one in lists if len(one)])
