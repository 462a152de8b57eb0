"""How well a model ranks in a trial: dense, when every item is scored, and as it is served."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Self

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
from training.bench_trial import Trial, some


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
    """The lists of a model in one trial.

    Attributes
    ----------
    dense
        Shape (n asked,). Of everybody.
    served
        Of some people, those at `places`.
    """

    trial: Trial
    dense: Lists
    served: Lists
    places: Ints


def measure(trial: Trial, name: str, model: Model) -> list[Figure]:
    """What a model learns from the trial's rows is worth for its people; the model is fitted."""
    return measure_all([trial], name, lambda _: model)[0]


def measure_all(
    trials: Iterable[Trial], name: str, factory: Factory, *, people: int = 0, seed: int = 0
) -> tuple[list[Figure], Times]:
    """The figures of all trials; of those that share their rows the model learns once.

    Parameters
    ----------
    people
        In each trial served lists are made for so many people at most, any as likely; 0: all.

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
        places = some(np.arange(len(trial.known)), people or len(trial.known), seed)
        found, dense_s, list_ms = answers(trial, model, places)
        answered.append(found)
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


def answers(trial: Trial, model: Model, places: Ints) -> tuple[Answered, float, float]:
    """Lists in both forms, seconds for the dense ones, milliseconds that a served one took."""
    started = time.perf_counter()
    dense = dense_lists(trial, model)
    scored = time.perf_counter()
    served = served_lists(trial, model, places)
    list_ms = 1_000 * (time.perf_counter() - scored) / max(1, len(served))
    found = Answered(trial=trial, dense=dense, served=served, places=places)
    return found, scored - started, list_ms


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


def served_lists(trial: Trial, model: Model, places: Ints | None = None) -> Lists:
    """Lists as a request gets them; more is asked for, as some is left out after.

    Parameters
    ----------
    places
        Of the people wanted; None: of everybody.
    """
    lists = []
    for place in (np.arange(len(trial.known)) if places is None else places).tolist():
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
        for metric in trial.metrics:
            values = Values.of(parts, metric)
            for group, mask in _groups(trial, len(values.dense)):
                words = " ".join(f"{metric} {trial.part} {group}".split())
                for form, sums in ((DENSE, values.dense), (SERVED, values.served(mask))):
                    estimate = Estimate.of_ratio(sums[mask], values.counts[mask])
                    found.append(Figure(model=name, form=form, metric=words, estimate=estimate))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """One metric for everybody asked in some trials.

    Attributes
    ----------
    dense, counts
        Shape (n asked,). The sum over a person's targets, and how many of them count.
    lost
        Shape (n asked,). How much smaller the sum is for the served list; 0 for who got none.
    has_served
        Shape (n asked,). Who got one.
    """

    dense: NDArray[np.float64]
    counts: Ints
    lost: NDArray[np.float64]
    has_served: Mask

    @classmethod
    def of(cls, parts: list[Answered], metric: str) -> Self:
        """From the lists of some trials, one behind the other."""
        found = []
        for one in parts:
            trial, everybody = one.trial, np.arange(len(one.dense))
            dense, lost = _sums(trial, one.dense, everybody, metric), np.zeros(len(one.dense))
            lost[one.places] = dense[one.places] - _sums(trial, one.served, one.places, metric)
            found.append((dense, _counts(trial), lost, np.isin(everybody, one.places)))
        return cls(*(np.concatenate(column) for column in zip(*found, strict=True)))

    def served(self, group: Mask) -> NDArray[np.float64]:
        """Shape (n asked,). Values whose mean over a group is what served lists would have.

        It is the mean of the dense lists less what was lost by those people of the group who were
        served (the difference estimator of Cochran 1977, section 7.2): the same for everybody
        served, and closer than the served alone where they are few.
        """
        n_served = max(1, int((self.has_served & group).sum()))
        return self.dense - self.lost * (int(group.sum()) / n_served)


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


def _sums(trial: Trial, lists: Lists, places: Ints, metric: str) -> NDArray[np.float64]:
    """Shape (n lists,). The value of each list, or the sum of it over the person's targets."""
    word, _, length = metric.partition("@")
    of, k = METRICS[word], int(length)
    pairs = [(one, trial.targets[place]) for one, place in zip(lists, places.tolist(), strict=True)]
    if not trial.is_per_pair:
        return np.array([of(judge(one, wanted), k) for one, wanted in pairs])
    return np.array([sum(of(one, k) for one in _each(*pair)) for pair in pairs])


def _each(ranked: Idxs, targets: Idxs) -> Iterator[Judged]:
    """The list judged by each target alone."""
    return (judge(ranked, targets[place : place + 1]) for place in range(len(targets)))
