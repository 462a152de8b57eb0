"""The search: one block of knobs after the other is turned, from the best that is known.

Turning everything at once would learn everything anew in every trial, and with tens of knobs some
tens of trials find nothing. One trial of a block is near the best that is known, the next is drawn
from everywhere by what the block's trials gained over the best before them, so that the sampler is
not misled by what other blocks did meanwhile.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from recsys.errors import ConfigError, RecsysError
from recsys.metrics import Estimate
from training.fit import Progress, quiet
from training.space import LISTS, Choice, Knob, KnobPath, Range, Value
from training.study import Floats, Study, Trial, drawn

# A trial that a first part of the persons shows to be worse than the best asks nobody else.
FIRST_PART, MIN_FIRST = 0.25, 50
# What a learner may say of parameters that do not work. Anything else is a mistake in the code.
FAILURES = (RecsysError, ArithmeticError, ValueError, MemoryError)
# Near the best, a trial turns about half of a block's knobs, by a normal step of a fifth of their
# range: the dynamically dimensioned search of Tolson and Shoemaker 2007.
TURNED, STEP = 0.5, 0.2
# Trials of different numbers draw from streams far apart.
STREAM = 1_000_003


class Task(Protocol):
    """What is tuned: knobs, persons, and how a configuration answers them."""

    @property
    def knobs(self) -> Sequence[Knob]:
        """What may be turned."""

    @property
    def searched(self) -> Sequence[Any]:
        """The persons that the search asks."""

    @property
    def apart(self) -> Sequence[Any]:
        """Other persons, who confirm what it found; may be none."""

    def answering(self, found: Mapping[KnobPath, Value]) -> Callable[[Sequence[Any]], Floats]:
        """Learn with some knobs at other values; what is given then asks persons."""

    def confirming(self, found: Mapping[KnobPath, Value]) -> Callable[[Sequence[Any]], Floats]:
        """The same with all that the search leaves out for the sake of speed."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Compared:
    """The best trial beside the defaults, on the same persons."""

    default: Estimate
    best: Estimate
    gain: Estimate

    @classmethod
    def of(cls, default: Floats, best: Floats) -> "Compared":
        """One value a person of each."""
        return cls(
            default=Estimate.of(default), best=Estimate.of(best), gain=Estimate.of(best - default)
        )

    @property
    def verdict(self) -> str:
        """What the interval of the difference says."""
        if self.gain.low > 0:
            return "better"
        return "worse" if self.gain.high < 0 else "cannot tell"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Learned:
    """What was learned about one knob.

    Parameters
    ----------
    importance
        Share of the spread of the trials' values that it explains, 0 to 1; NaN if none does.
    as_good
        Its values in trials that were not shown to be worse than the best, from lowest to highest
        for numbers.
    """

    knob: Knob
    best: Value
    importance: float
    as_good: tuple[Value, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Found:
    """What came of a search.

    Parameters
    ----------
    turned
        The best trial's values where they are not the default.
    apart
        The comparison on persons whom the search did not ask; None where there are none.
    """

    trials: tuple[Trial, ...]
    best: int
    turned: Mapping[KnobPath, Value]
    searched: Compared
    apart: Compared | None
    learned: tuple[Learned, ...]


def tune(
    task: Task, study: Study, n_trials: int, *, seed: int, progress: Progress = quiet
) -> Found:
    """Go on until there are `n_trials` trials in all; the first one is the configuration as it is.

    Raises
    ------
    RecsysError
        There is nothing to turn, or the configuration as it is does not work.
    """
    if not task.knobs:
        raise ConfigError(
            "nothing can be tuned, got no parameter with a range; allowed: one or more"
        )
    while len(study.trials) < n_trials:
        number = len(study.trials)
        best = f"best {study.trials[best_of(study.trials)].value:.4f}" if number else "defaults"
        progress(f"tuning: {best}", number, n_trials)
        params, block = _next(task.knobs, study.trials, seed)
        study.add(_tried(task, study.trials, params, block), task.knobs)
    progress("tuning", n_trials, n_trials)
    return _found(task, study)


def best_of(trials: Sequence[Trial]) -> int:
    """The trial of the highest value that asked everybody; the first one among equals."""
    n_asked = len(trials[0].values)
    values = [t.value if len(t.values) == n_asked else -np.inf for t in trials]
    return int(np.nanargmax(values))


def blocks(knobs: Sequence[Knob]) -> list[str]:
    """Blocks in the order of their turns; that which needs no learning comes every second time."""
    names = list(dict.fromkeys(knob.block for knob in knobs))
    if LISTS not in names:
        return names
    others = [name for name in names if name != LISTS]
    return [one for name in others for one in (LISTS, name)] or [LISTS]


def _next(
    knobs: Sequence[Knob], trials: Sequence[Trial], seed: int
) -> tuple[dict[str, Value], str]:
    """The values of all knobs, and which block is turned."""
    if not trials:
        return {knob.name: knob.value for knob in knobs}, ""
    turns = blocks(knobs)
    block = turns[(len(trials) - 1) % len(turns)]
    own = [knob for knob in knobs if knob.block == block]
    best = dict(trials[best_of(trials)].params)
    n_seen = sum(trial.block == block for trial in trials)
    if n_seen % 2 == 0:
        return near(own, best, np.random.default_rng([seed, len(trials)])), block
    return best | drawn(own, _history(trials, block), STREAM * seed + len(trials)), block


def near(
    knobs: Sequence[Knob], best: Mapping[str, Value], rng: np.random.Generator
) -> dict[str, Value]:
    """The best values with some of one block's knobs turned a little; at least one."""
    is_turned = rng.random(len(knobs)) < TURNED
    is_turned[rng.integers(len(knobs))] = True
    found = dict(best)
    for place in np.flatnonzero(is_turned).tolist():
        knob = knobs[place]
        found[knob.name] = _beside(knob.allowed, best[knob.name], rng)
    return found


def _beside(allowed: Range | Choice, value: Any, rng: np.random.Generator) -> Value:
    """Another value than this one, where there is one."""
    if isinstance(allowed, Choice):
        others = [word for word in allowed.words if word != value]
        return others[rng.integers(len(others))] if others else str(value)
    found = allowed.neat(allowed.at(allowed.share(value) + STEP * rng.standard_normal()))
    if allowed.is_whole and found == value:
        # The next whole number; a step of a fifth of a short range may be none.
        found = allowed.neat(value + 1 if value < allowed.high else value - 1)
    return found


def _history(trials: Sequence[Trial], block: str) -> list[tuple[Mapping[str, Value], float]]:
    """What was tried in a block, each with its gain over the block's first values."""
    reached, found = 0.0, [(trials[0].params, 0.0)]
    for trial in trials:
        if trial.block == block and not trial.error:
            found.append((trial.params, reached + trial.gain))
            reached += max(0.0, trial.gain)
    return found


def _tried(task: Task, trials: Sequence[Trial], params: Mapping[str, Value], block: str) -> Trial:
    """Try the values; what fails is told, unless it is the configuration as it is."""
    started = time.monotonic()
    found = _turned(task.knobs, params)
    said: dict[str, Any] = {"params": params, "block": block}
    if not trials:
        values = task.answering(found)(task.searched)
        mean, gain = float(values.mean()), 0.0
    else:
        try:
            values, mean, gain = _raced(task, trials[best_of(trials)], found)
        except FAILURES as error:
            said["error"] = f"{type(error).__name__}: {error}"
            values, mean, gain = np.empty(0), np.nan, np.nan
    return Trial(**said, value=mean, gain=gain, values=values, seconds=time.monotonic() - started)


def _raced(task: Task, best: Trial, found: Mapping[KnobPath, Value]) -> tuple[Floats, float, float]:
    """Values, their mean, and the gain over the best; from a first part if that says enough."""
    ask, persons = task.answering(found), task.searched
    n_first = max(MIN_FIRST, round(len(persons) * FIRST_PART))
    values = ask(persons[:n_first])
    gain = Estimate.of(values - best.values[:n_first])
    if len(persons) > n_first and not gain.high < 0:
        values = np.concatenate([values, ask(persons[n_first:])])
        gain = Estimate.of(values - best.values)
    return values, best.value + gain.mean, gain.mean


def _turned(knobs: Sequence[Knob], params: Mapping[str, Value]) -> dict[KnobPath, Value]:
    return {knob.path: params[knob.name] for knob in knobs if params[knob.name] != knob.value}


def _found(task: Task, study: Study) -> Found:
    trials, number = study.trials, best_of(study.trials)
    default, best = trials[0], trials[number]
    turned = _turned(task.knobs, best.params)
    apart = None
    if task.apart:
        values = [task.confirming(one)(task.apart) for one in ({}, turned)]
        apart = Compared.of(*values)
    return Found(
        trials=tuple(trials),
        best=number,
        turned=turned,
        searched=Compared.of(default.values, best.values),
        apart=apart,
        learned=_learned(task.knobs, study),
    )


def _learned(knobs: Sequence[Knob], study: Study) -> tuple[Learned, ...]:
    """Most important first."""
    trials, importances = study.trials, study.importances()
    best = trials[best_of(trials)]
    good = [trial for trial in trials if not trial.error and _as_good(trial, best)]
    learned = [
        Learned(
            knob=knob,
            best=best.params[knob.name],
            importance=importances.get(knob.name, float("nan")),
            as_good=tuple(sorted({trial.params[knob.name] for trial in good})),
        )
        for knob in knobs
    ]
    return tuple(sorted(learned, key=lambda one: -np.nan_to_num(one.importance)))


def _as_good(trial: Trial, best: Trial) -> bool:
    """Whether a trial was not shown to be worse than the best."""
    n = len(trial.values)
    return not Estimate.of(trial.values - best.values[:n]).high < 0
