"""How well a model ranks in a trial: dense, when every item is scored, and as it is served."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from recsys.catalog import Idxs
from recsys.errors import RecsysError
from recsys.histories import Histories
from recsys.ids import Ints, Mask
from recsys.interactions import Acts, Rows
from recsys.metrics import (
    Estimate,
    Judged,
    Metric,
    hit_rate,
    judge,
    ndcg,
    recall,
    reciprocal_rank,
)
from recsys.models.base import Model, Ranking, Scores
from training.bench_trial import Trial


class NoOpinion(RecsysError):
    """A model has nothing to say about a set."""

    code = "no_opinion"


# A block of dense scores holds at most so many, 40 MB in single precision; a blend has several.
MAX_BLOCK_CELLS = 10_000_000
# So many of the people asked show whether a model has anything to say at all.
PROBED = 200
DENSE, SERVED = "dense", "served"
METRICS: dict[str, Metric] = {
    "Recall": recall,
    "NDCG": ndcg,
    "HR": hit_rate,
    "PHR": hit_rate,
    "MRR": reciprocal_rank,
}

Lists = list[Idxs]
Factory = Callable[[Trial], Model]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One estimate of one model in one form.

    Parameters
    ----------
    form
        Whether every item was scored or lists were made as for a request.
    metric
        With its length of list, and with the part of the set where it has several.
    """

    model: str
    form: str
    metric: str
    estimate: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Seconds spent in all, and the milliseconds that one served list took on average.

    Parameters
    ----------
    fit_s, fit_cpu_s
        To learn once, on the wall and of all processors.
    """

    fit_s: float
    fit_cpu_s: float
    dense_s: float
    list_ms: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answered:
    """The lists of a model for everybody asked in one trial, by form."""

    trial: Trial
    lists: dict[str, Lists]


def measure(trial: Trial, name: str, model: Model) -> list[Figure]:
    """What a model learns from the trial's rows is worth for its people; the model is fitted."""
    return measure_all([trial], name, lambda _: model)[0]


def measure_all(trials: Iterable[Trial], name: str, factory: Factory) -> tuple[list[Figure], Times]:
    """The figures of all trials; of those that share their rows the model learns once.

    Raises
    ------
    NoOpinion
        The model has no opinion on anything for anybody.
    """
    answered: list[Answered] = []
    times: list[Times] = []
    for trial, model, spent in _fitted(trials, factory):
        if not answered and not _has_opinion(trial, model):
            raise NoOpinion(f"{name} gave no score to any of the first {PROBED} people")
        lists, dense_s, list_ms = lists_of(trial, model)
        answered.append(Answered(trial=trial, lists=lists))
        fit_s, cpu_s = spent
        times.append(Times(fit_s=fit_s, fit_cpu_s=cpu_s, dense_s=dense_s, list_ms=list_ms))
    return figures(name, answered), Times(
        fit_s=times[0].fit_s,
        fit_cpu_s=times[0].fit_cpu_s,
        dense_s=sum(one.dense_s for one in times),
        list_ms=float(np.mean([one.list_ms for one in times])),
    )


def _fitted(
    trials: Iterable[Trial], factory: Factory
) -> Iterator[tuple[Trial, Model, tuple[float, float]]]:
    """Each trial with a model that has learned from its rows; seconds on the wall and of work."""
    learned: tuple[Rows, Model] | None = None
    spent, is_shared = (0.0, 0.0), not getattr(factory, "is_per_trial", False)
    for trial in trials:
        if learned is None or learned[0] is not trial.train or not is_shared:
            started, worked = time.perf_counter(), time.process_time()
            learned = trial.train, factory(trial).fit(trial.train, trial.catalog)
            spent = time.perf_counter() - started, time.process_time() - worked
        yield trial, learned[1], spent


def _has_opinion(trial: Trial, model: Model) -> bool:
    allowed = trial.catalog.of_kind(trial.kind)
    probed = block(trial.known, 0, min(PROBED, len(trial.known)))
    return bool((~np.isnan(model.score(probed)[:, allowed])).any())


def lists_of(trial: Trial, model: Model) -> tuple[dict[str, Lists], float, float]:
    """Everybody's lists in both forms, seconds for the dense ones, milliseconds a served one."""
    started = time.perf_counter()
    dense = dense_lists(trial, model)
    scored = time.perf_counter()
    served = served_lists(trial, model)
    list_ms = 1_000 * (time.perf_counter() - scored) / max(1, len(served))
    return {DENSE: dense, SERVED: served}, scored - started, list_ms


def dense_lists(trial: Trial, model: Model) -> Lists:
    """Each person's best items by a score of every item; blocks keep the memory bounded."""
    n_items, lists = len(trial.catalog), []
    step = max(1, MAX_BLOCK_CELLS // max(1, n_items))
    of_kind = trial.catalog.of_kind(trial.kind)
    for start in range(0, len(trial.known), step):
        scores = model.score(block(trial.known, start, start + step))
        for place, own in enumerate(scores, start):
            allowed = of_kind if trial.among is None else trial.among[place]
            own[trial.excluded[place]] = np.nan
            lists.append(_best(allowed, own[allowed], trial.k))
    return lists


def served_lists(trial: Trial, model: Model) -> Lists:
    """Each person's list as a request gets it; more is asked for, as some is left out after."""
    lists = []
    for place in range(len(trial.known)):
        row, excluded = trial.known[place], trial.excluded[place]
        if trial.among is not None:
            own = trial.among[place]
            lists.append(_best(own, model.score_of(row, own), trial.k))
        else:
            items = model.candidates(row, trial.k + len(excluded), trial.kind).items
            lists.append(items[~np.isin(items, excluded)][: trial.k])
    return lists


def _best(items: Idxs, scores: Scores, k: int) -> Idxs:
    spoken = ~np.isnan(scores)
    return Ranking.best(items[spoken], scores[spoken], k).items


def block(rows: Rows, start: int, end: int) -> Rows:
    """Some rows one after the other, with their acts; nothing is copied."""
    offsets, span = _cut(rows.offsets, start, end)
    acts = rows.acts
    if acts is not None:
        ends, events = _cut(acts.histories.offsets, start, end)
        own = Histories(acts.events.take(events), ends)
        acts = Acts(own, acts.weights[events], acts.at_ms)
    return Rows(offsets, rows.items[span], rows.weights[span], rows.n_items, acts)


def _cut(offsets: Ints, start: int, end: int) -> tuple[Ints, slice]:
    own = offsets[start : end + 1]
    return own - own[0], slice(int(own[0]), int(own[-1]))


def figures(name: str, answered: list[Answered]) -> list[Figure]:
    """Every metric of every part; trials of one part are answered together."""
    found = []
    for _, same in groupby(sorted(answered, key=_part), key=_part):
        parts = list(same)
        trial = parts[0].trial
        for form in parts[0].lists:
            for metric in trial.metrics:
                sums = np.concatenate([_sums(one, form, metric) for one in parts])
                counts = np.concatenate([_counts(one.trial) for one in parts])
                for group, mask in _groups(trial, len(sums)):
                    estimate = Estimate.of_ratio(sums[mask], counts[mask])
                    words = f"{metric} {trial.part} {group}".split()
                    found.append(
                        Figure(model=name, form=form, metric=" ".join(words), estimate=estimate)
                    )
    return found


def _part(answered: Answered) -> str:
    return answered.trial.part


def with_folds(trials: list[Trial], seed: int) -> Iterator[Trial]:
    """The trials, then what they say is to be asked in folds."""
    yield from trials
    for trial in trials:
        if trial.folds is not None:
            yield from trial.folds(seed)


def _groups(trial: Trial, n: int) -> list[tuple[str, Mask]]:
    return [("", np.ones(n, dtype=np.bool_)), *trial.groups.items()]


def _counts(trial: Trial) -> Ints:
    return np.array([len(one) if trial.is_per_pair else 1 for one in trial.targets])


def _sums(answered: Answered, form: str, metric: str) -> NDArray[np.float64]:
    """Shape (n asked,). Each person's value, or the sum of it over their targets."""
    word, _, length = metric.partition("@")
    of, k, trial = METRICS[word], int(length), answered.trial
    pairs = zip(answered.lists[form], trial.targets, strict=True)
    if not trial.is_per_pair:
        return np.array([of(judge(one, wanted), k) for one, wanted in pairs])
    return np.array([sum(of(one, k) for one in _each(*pair)) for pair in pairs])


def _each(ranked: Idxs, targets: Idxs) -> Iterator[Judged]:
    """The list judged by each target alone."""
    return (judge(ranked, targets[place : place + 1]) for place in range(len(targets)))
