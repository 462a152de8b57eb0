"""Trials of a search and where they are kept: Optuna's storage, its sampler and its importance.

A trial is written when it is over, in one transaction: whatever is killed in between leaves no
trace, and a study that goes on makes the same trials as one that was never stopped.
"""

import fcntl
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.errors import ConfigError
from training.space import Choice, Knob, Range, Value

Floats = NDArray[np.float64]
NAME = "dapei tune"
# So many trials of a block are drawn at random before what they found is listened to.
N_RANDOM = 4
# fANOVA's own is 64; a third of the time for the same order of parameters.
N_TREES = 32


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Trial:
    """One configuration that was tried.

    Parameters
    ----------
    params
        The value of every knob, by its name.
    block
        Which knobs were turned; empty for the defaults.
    value
        The mean of the metric; where asking stopped early, an estimate of it. NaN if it failed.
    gain
        How much more that is than the best trial before had.
    values
        Shape (n asked,). The metric of each person asked; all persons unless it stopped early.
    error
        Why it failed; empty if it did not.
    """

    params: Mapping[str, Value]
    block: str
    value: float
    gain: float
    values: Floats
    seconds: float
    error: str = ""


def optuna() -> Any:
    """The library, quiet.

    Raises
    ------
    ConfigError
        It is not installed.
    """
    try:
        import optuna as library
    except ImportError as cause:
        raise ConfigError(
            "tuning needs optuna, got none; allowed: pip install 'dapei[tune]'"
        ) from cause
    library.logging.set_verbosity(library.logging.WARNING)
    return library


@dataclass(slots=True, eq=False)
class Study:
    """The trials of one search, in memory and on disk."""

    path: Path
    trials: list[Trial]
    _kept: Any

    @classmethod
    def opened(cls, path: Path, basis: Mapping[str, Any], *, name: str = NAME) -> "Study":
        """A study in a file, made if it is not there; `path` must be held `alone`.

        Parameters
        ----------
        basis
            What decides the value of a trial, as JSON values; a study of another basis is refused.
        name
            Which of the file's studies.

        Raises
        ------
        ConfigError
            The file holds something else.
        """
        library = optuna()
        _check_file(path)
        kept = library.create_study(
            study_name=name,
            storage=library.storages.RDBStorage(f"sqlite:///{path.resolve()}"),
            load_if_exists=True,
            direction="maximize",
        )
        if "basis" not in kept.user_attrs and not kept.trials:
            kept.set_user_attr("basis", dict(basis))
        _check_basis(path, kept.user_attrs.get("basis", {}), basis)
        return cls(path, [_read(trial) for trial in kept.trials], kept)

    def add(self, trial: Trial, knobs: Sequence[Knob]) -> None:
        """Keep a trial for good."""
        library = optuna()
        states = library.trial.TrialState
        self._kept.add_trial(
            library.trial.create_trial(
                state=states.FAIL if trial.error else states.COMPLETE,
                value=None if trial.error else trial.value,
                params=dict(trial.params),
                distributions=_distributions(knobs),
                user_attrs={
                    "block": trial.block,
                    "gain": None if trial.error else trial.gain,
                    "values": trial.values.tolist(),
                    "seconds": trial.seconds,
                    "error": trial.error,
                },
            )
        )
        self.trials.append(trial)

    def importances(self) -> dict[str, float]:
        """The share of the spread of all trials' values that each knob explains.

        By functional analysis of variance over a forest (Hutter, Hoos, Leyton-Brown 2014); empty
        while no two values differ.
        """
        library = optuna()
        values = {trial.value for trial in self.trials if not trial.error}
        if len(values) < 2:
            return {}
        evaluator = library.importance.FanovaImportanceEvaluator(n_trees=N_TREES, seed=0)
        found = library.importance.get_param_importances(self._kept, evaluator=evaluator)
        return {name: float(share) for name, share in found.items()}


def drawn(
    knobs: Sequence[Knob], tried: Sequence[tuple[Mapping[str, Value], float]], seed: int
) -> dict[str, Value]:
    """Values to try next, by the tree-structured Parzen estimator (Bergstra et al. 2011).

    Parameters
    ----------
    knobs
        Those of one block; the result has a value for each.
    tried
        Values that were tried with what they gained, more is better.
    """
    library = optuna()
    sampler = library.samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=N_RANDOM)
    study = library.create_study(direction="maximize", sampler=sampler)
    distributions = _distributions(knobs)
    for params, gain in tried:
        own = {name: params[name] for name in distributions}
        study.add_trial(
            library.trial.create_trial(params=own, distributions=distributions, value=gain)
        )
    params = study.ask(distributions).params
    return {knob.name: _neat(knob, params[knob.name]) for knob in knobs}


def _neat(knob: Knob, value: Any) -> Value:
    return knob.allowed.neat(value) if isinstance(knob.allowed, Range) else str(value)


def _distributions(knobs: Sequence[Knob]) -> dict[str, Any]:
    return {knob.name: _distribution(knob.allowed) for knob in knobs}


def _distribution(allowed: Range | Choice) -> Any:
    known = optuna().distributions
    if isinstance(allowed, Choice):
        return known.CategoricalDistribution(allowed.words)
    if allowed.is_whole:
        return known.IntDistribution(int(allowed.low), int(allowed.high), log=allowed.is_log)
    return known.FloatDistribution(allowed.low, allowed.high, log=allowed.is_log)


def _read(trial: Any) -> Trial:
    attrs = trial.user_attrs
    failed = bool(attrs["error"])
    return Trial(
        params=trial.params,
        block=attrs["block"],
        value=float("nan") if failed else trial.value,
        gain=float("nan") if failed else attrs["gain"],
        values=np.array(attrs["values"], dtype=np.float64),
        seconds=attrs["seconds"],
        error=attrs["error"],
    )


def discard(path: Path) -> None:
    """Throw a file of studies away, if there is one."""
    for one in (path, *path.parent.glob(f"{path.name}-*")):
        one.unlink(missing_ok=True)


def _check_file(path: Path) -> None:
    """Refuse what is no database before Optuna meets it."""
    if not path.exists():
        return
    connection = sqlite3.connect(path)
    try:
        connection.execute("select name from sqlite_master").fetchall()
    except sqlite3.DatabaseError as cause:
        raise ConfigError(f"{path} is no study: {cause}; allowed: --fresh to start anew") from cause
    finally:
        connection.close()


def _check_basis(path: Path, there: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    for name, value in asked.items():
        if there.get(name) != value:
            raise ConfigError(
                f"{path} is a study of another {name}: it has {there.get(name)!r:.80}, now there "
                f"is {value!r:.80}; allowed: the same, or --fresh to start anew"
            )


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a study alone among processes.

    Raises
    ------
    ConfigError
        Another process holds it.
    """
    # Not the database itself: closing a second handle on it would drop SQLite's own locks.
    with path.with_suffix(".lock").open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as cause:
            raise ConfigError(
                f"{path} is in use by another `dapei tune`; allowed: one at a time"
            ) from cause
        yield
