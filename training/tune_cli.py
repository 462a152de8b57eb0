"""`dapei tune`: look for a better configuration, and say what was learned on the way."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from data.home import Home
from recsys.files import write_atomic
from recsys.metrics import METRICS
from recsys.recommend import MAX_K
from recsys.scenes import SCENES
from training.config_toml import dumped
from training.cycle import made_of
from training.evaluate_cli import kinds_of
from training.shop import load
from training.study import Study, alone, optuna
from training.terminal import ConfigOption, HomeOption, bars, configured, stoppable
from training.tune import Found, tune
from training.tune_report import figures, learned_table, trials_line
from training.validation import Aim, Validation

app = typer.Typer(no_args_is_help=True)

STUDY, TUNED = "tune.db", "tuned.toml"


@app.command(
    name="tune",
    help="Look for a better configuration and write it. The last events, on which `dapei train` "
    "and `dapei evaluate` test, are not looked at: lists are judged on the part before them. "
    "Trials are kept in the home; stopped and started again, the search goes on.",
)
def tune_home(
    home: HomeOption,
    trials: Annotated[int, typer.Option(min=1, help="So many in all, the defaults among them.")],
    config: ConfigOption = None,
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help=f"Instead of HOME/{TUNED}.")
    ] = None,
    scene: Annotated[str, typer.Option(help=f"One of {', '.join(SCENES)}.")] = "home",
    kinds: Annotated[
        str | None, typer.Option(help="product, video or product,video; default: the scene's.")
    ] = None,
    metric: Annotated[str, typer.Option(help=f"One of {', '.join(METRICS)}.")] = "ndcg",
    k: Annotated[int, typer.Option(min=1, max=MAX_K, help="Length of the lists.")] = 20,
    people: Annotated[
        int, typer.Option(min=0, help="At most so many search, as many confirm; 0: all.")
    ] = 1_000,
    seed: Annotated[int, typer.Option(min=0, help="Of the search and of who is asked.")] = 1,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw earlier trials away.")] = False,
) -> None:
    """Tables on stdout; the help above says of what."""
    for name, value, allowed in (("scene", scene, SCENES), ("metric", metric, METRICS)):
        if value not in allowed:
            raise typer.BadParameter(
                f"got {value!r}; allowed: {', '.join(allowed)}", param_hint=f"--{name}"
            )
    aim = Aim(
        scene=scene,
        kinds=kinds_of(kinds) if kinds else None,
        metric=metric,
        k=k,
        people=people,
        seed=seed,
    )
    optuna()
    where, said = Home(home), configured(home, config)
    basis = made_of(where, said)
    task = Validation.of(load(where), said, aim)
    with stoppable(), alone(where.root / STUDY):
        study = Study.opened(where.root / STUDY, basis_of(basis, aim, task), is_fresh=fresh)
        with bars() as progress:
            found = tune(task, study, trials, seed=seed, progress=progress)
    written = out or where.root / TUNED
    write_atomic(written, tuned(task, found, basis).encode())
    tell(task, found, written)


def basis_of(basis: Mapping[str, Any], aim: Aim, task: Validation) -> dict[str, Any]:
    """What decides the value of a trial, under the names that a refusal uses."""
    question = aim.question
    return {
        "data version": data_version(basis),
        "code version": basis["code_version"],
        "configuration": basis["config"],
        "scene": f"{question.scene}, {question.kinds_word}",
        "metric": metric_of(aim),
        "seed": aim.seed,
        "number of people": aim.people,
        "search space": [f"{knob.name}: {knob.allowed}" for knob in task.knobs],
    }


def data_version(basis: Mapping[str, Any]) -> str:
    """Which events and items there were."""
    return f"events {basis['lake_version']}, items {basis['item_version'] or 0}"


def metric_of(aim: Aim) -> str:
    """Like ndcg@20."""
    return f"{aim.metric}@{aim.k}"


def tuned(task: Validation, found: Found, basis: Mapping[str, Any]) -> str:
    """The file: what was found, under what is known of how."""
    aim = task.aim
    question = aim.question
    head = [
        f"Made by dapei tune for the list of {question.scene}, {question.kinds_word}.",
        f"Data version: {data_version(basis)}. Code version: {basis['code_version']}.",
        f"Seed {aim.seed}, {len(found.trials)} trials; the best is number {found.best}.",
        f"{task.split.word}.",
        *(f"{line}." for line in figures(found, metric_of(aim))),
    ]
    return dumped(task.turned(found.turned), "\n".join(head))


def tell(task: Validation, found: Found, written: Path) -> None:
    """What came of the search, for a terminal."""
    out, question = Console(), task.aim.question
    out.print(f"{question.scene}, {question.kinds_word}: {task.split.word}", highlight=False)
    out.print(learned_table(found.learned))
    for line in (trials_line(found.trials), *figures(found, metric_of(task.aim))):
        out.print(line, highlight=False, markup=False)
    out.print(f"written: {written}", highlight=False, markup=False, soft_wrap=True)
