"""One model on one public set as a task to tune: its own parameters, on a cut of what it learns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recsys.catalog import Idxs
from recsys.errors import ConfigError
from recsys.ids import Ints
from recsys.metrics import judge
from recsys.models.base import Model
from training.bench_contenders import contender
from training.bench_figures import METRICS, NoOpinion, dense_lists
from training.bench_trial import Trial, chosen
from training.config import ModelConfig
from training.space import Knob, KnobPath, Value, of_model
from training.study import Floats
from training.validation import parted

# The place of a person's question among the parts, and their own place in it.
Person = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SetTask:
    """A model's parameters, judged by dense lists on the validation part of a set.

    Parameters
    ----------
    parts
        The set's questions, each cut from what its real one may learn from.
    metric
        One that all of them have, like NDCG@20.
    searched, apart
        Persons who search, and others who confirm.
    targets_a_person
        In the mean; where pairs weigh alike, a person's value is the sum over theirs by this.
    """

    model: str
    parts: tuple[Trial, ...]
    metric: str
    seed: int
    knobs: tuple[Knob, ...]
    searched: tuple[Person, ...]
    apart: tuple[Person, ...]
    targets_a_person: float

    @classmethod
    def of(
        cls, model: str, parts: Sequence[Trial], metric: str, *, people: int, seed: int
    ) -> "SetTask":
        """The persons of all parts together, parted as on a home."""
        everybody = [
            (number, place)
            for number, trial in enumerate(parts)
            for place in range(len(trial.targets))
        ]
        searched, apart = (
            tuple(everybody[int(one)] for one in places)
            for places in parted(len(everybody), people, seed)
        )
        return cls(
            model=model,
            parts=tuple(parts),
            metric=metric,
            seed=seed,
            knobs=tuple(of_model(model, ModelConfig(model=model))),
            searched=searched,
            apart=apart,
            targets_a_person=float(np.mean([len(one) for trial in parts for one in trial.targets])),
        )

    def answering(self, found: Mapping[KnobPath, Value]) -> Callable[[Sequence[Person]], Floats]:
        """Learn with some parameters at other values; what is given then asks persons."""
        new = contender(self.model, {path[-1]: value for path, value in found.items()}, self.seed)
        models: list[Model] = []
        for number, trial in enumerate(self.parts):
            # Questions that share their rows share what was learned from them.
            same = [
                m
                for m, t in zip(models, self.parts[:number], strict=True)
                if t.train is trial.train
            ]
            models.append(same[0] if same else new(trial).fit(trial.train, trial.catalog))
        return lambda persons: self._values(models, persons)

    def confirming(self, found: Mapping[KnobPath, Value]) -> Callable[[Sequence[Person]], Floats]:
        """The same; nothing is left out here."""
        return self.answering(found)

    def _values(self, models: Sequence[Model], persons: Sequence[Person]) -> Floats:
        """Shape (n persons,). The metric of each one's list.

        Raises
        ------
        NoOpinion
            Every list is empty.
        """
        found, n_listed = np.zeros(len(persons)), 0
        numbers, own = np.array(persons, dtype=np.int64).reshape(-1, 2).T
        for number, (trial, model) in enumerate(zip(self.parts, models, strict=True)):
            places = np.flatnonzero(numbers == number)
            asked = _only(trial, own[places])
            lists = dense_lists(asked, model)
            n_listed += sum(map(len, lists))
            found[places] = [
                self._value(trial, *one) for one in zip(lists, asked.targets, strict=True)
            ]
        if not n_listed:
            raise NoOpinion(
                f"{self.model} has no opinion there, got none for {len(persons)} people"
            )
        return found

    def _value(self, trial: Trial, ranked: Idxs, targets: Idxs) -> float:
        word, _, length = self.metric.partition("@")
        of, k = METRICS[word], int(length)
        if not trial.is_per_pair:
            return of(judge(ranked, targets), k)
        each = (judge(ranked, targets[place : place + 1]) for place in range(len(targets)))
        return sum(of(one, k) for one in each) / self.targets_a_person


def _only(trial: Trial, places: Ints) -> Trial:
    """The same question to some of the people."""

    def own(values: list[Idxs]) -> list[Idxs]:
        return [values[place] for place in places.tolist()]

    return replace(
        trial,
        known=chosen(trial.known, places),
        excluded=own(trial.excluded),
        targets=own(trial.targets),
        among=None if trial.among is None else own(trial.among),
        groups={},
    )


def metric_named(word: str | None, parts: Sequence[Trial]) -> str:
    """The metric that a word like ndcg means on a set; without one, that to choose by.

    Raises
    ------
    ConfigError
        The set has no such metric.
    """
    known = {metric.partition("@")[0].lower(): metric for metric in parts[0].metrics}
    if word is None:
        return parts[0].metrics[0]
    if word not in known:
        raise ConfigError(
            f"{parts[0].name} has no metric {word!r:.40}; allowed: {', '.join(known)}"
        )
    return known[word]
