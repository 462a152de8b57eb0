"""A home tuned: its study, opened for one question only, and the file that comes of it."""

from collections.abc import Mapping
from typing import Any

from data.home import Home
from training.config import TrainConfig
from training.config_toml import dumped
from training.cycle import made_of
from training.fit import Progress
from training.shop import load
from training.study import Study, alone, discard
from training.tune import Found, tune
from training.tune_report import figures
from training.validation import Aim, Validation

STUDY, TUNED = "tune.db", "tuned.toml"
# What those who confirm are asked with, unlike those who search.
OTHERS = "others, with scorers learned"


def tune_home(
    home: Home, config: TrainConfig, aim: Aim, n_trials: int, *, is_fresh: bool, progress: Progress
) -> tuple[Validation, Found, str]:
    """Go on with the home's study; returns the task, what was found, and the file's text.

    Raises
    ------
    ConfigError
        The study is of another question, or something else is wrong with what is asked.
    """
    # Asked before the data are read: what changes in between makes the next run another study.
    basis = made_of(home, config)
    task = Validation.of(load(home), config, aim)
    path = home.root / STUDY
    with alone(path):
        if is_fresh:
            discard(path)
        study = Study.opened(path, basis_of(basis, task))
        found = tune(task, study, n_trials, seed=aim.seed, progress=progress)
    return task, found, dumped(task.turned(found.turned), head(task, found, basis))


def basis_of(basis: Mapping[str, Any], task: Validation) -> dict[str, Any]:
    """What decides the value of a trial, under the names that a refusal uses."""
    question = task.aim.question
    return {
        "data version": data_version(basis),
        "code version": basis["code_version"],
        "configuration": basis["config"],
        "scene": f"{question.scene}, {question.kinds_word}",
        "metric": task.aim.metric_word,
        "seed": task.aim.seed,
        "number of people": task.aim.people,
        "search space": [f"{knob.name}: {knob.allowed}" for knob in task.knobs],
    }


def data_version(basis: Mapping[str, Any]) -> str:
    """Which events and items there were."""
    return f"events {basis['lake_version']}, items {basis['item_version'] or 0}"


def head(task: Validation, found: Found, basis: Mapping[str, Any]) -> str:
    """What a written file says of how it was found."""
    aim = task.aim
    lines = [
        f"Made by dapei tune for the list of {aim.scene}, {aim.question.kinds_word}.",
        f"Data version: {data_version(basis)}. Code version: {basis['code_version']}.",
        f"Seed {aim.seed}, {len(found.trials)} trials; the best is number {found.best}.",
        f"{task.split.word}.",
        *(f"{line}." for line in figures(found, aim.metric_word, OTHERS)),
    ]
    return "\n".join(lines)
