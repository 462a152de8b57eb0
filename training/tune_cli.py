"""`dapei tune`: look for a better configuration, and say what was learned on the way."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from data.home import Home
from recsys.errors import ConfigError
from recsys.files import write_atomic
from recsys.metrics import METRICS
from recsys.models.table import MODELS
from recsys.recommend import MAX_K
from recsys.scenes import MEASURED
from training.bench_cli import Spreading
from training.bench_figures import NoOpinion
from training.bench_models import version
from training.bench_sets import trials as trials_of
from training.config_toml import toml
from training.evaluate_cli import kinds_of
from training.study import Study, alone, discard, optuna
from training.terminal import ConfigOption, bars, complain, configured, stoppable
from training.tune import Found, tune
from training.tune_home import OTHERS, TUNED, tune_home
from training.tune_report import figures, learned_table, trials_line
from training.tune_sets import SetTask, metric_named
from training.validation import Aim

app = typer.Typer(no_args_is_help=True)

TrialsOption = Annotated[int, typer.Option(min=1, help="So many in all, the defaults among them.")]
HomeOption = Annotated[
    Path | None, typer.Option(envvar="DAPEI_HOME", help="The shop's home folder.")
]
OutOption = Annotated[
    Path | None, typer.Option(dir_okay=False, help=f"What is written; default: HOME/{TUNED}.")
]
SceneOption = Annotated[str, typer.Option(help=f"Of a home: one of {', '.join(MEASURED)}.")]
KindsOption = Annotated[
    str | None,
    typer.Option(help="Of a home: product, video or product,video; default: the scene's."),
]
MetricOption = Annotated[
    str | None,
    typer.Option(help=f"Of a home: {', '.join(METRICS)}; default ndcg. Of a set: one of its own."),
]
KOption = Annotated[int, typer.Option(min=1, max=MAX_K, help="Of a home: length of the lists.")]
PeopleOption = Annotated[
    int, typer.Option(min=0, help="At most so many search, and as many confirm; 0: all.")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Of the search and of who is asked.")]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Throw earlier trials away.")]
DataOption = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, help="Folder of public sets, instead of a home."),
]
SetOption = Annotated[str | None, typer.Option("--set", metavar="NAME", help="Which of them.")]
ModelsOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME…", help="Of a set: only these models; each gets its own trials."),
]


@app.command(
    name="tune",
    cls=Spreading,
    help="Look for a better configuration and write it. The last events, on which `dapei train` "
    "and `dapei evaluate` test, are not looked at: lists are judged on the part before them. With "
    "--data and --set each model's own parameters are tuned on a cut of what a public set lets it "
    "learn from; `dapei bench models --config` reads what is written. Trials are kept beside what "
    "is written; stopped and started again, the search goes on.",
)
def tune_command(
    trials: TrialsOption,
    home: HomeOption = None,
    config: ConfigOption = None,
    out: OutOption = None,
    scene: SceneOption = "home",
    kinds: KindsOption = None,
    metric: MetricOption = None,
    k: KOption = 20,
    people: PeopleOption = 1_000,
    seed: SeedOption = 1,
    fresh: FreshOption = False,
    data: DataOption = None,
    set_name: SetOption = None,
    models: ModelsOption = None,
) -> None:
    """Tables on stdout; the help above says of what."""
    optuna()
    if data is not None:
        on_set(_set_folder(data, set_name), out, models, metric, people, seed, trials, fresh)
        return
    if home is None:
        raise typer.BadParameter("got neither; allowed: --home, or --data and --set")
    metric = metric or Aim().metric
    _check_in("--scene", scene, MEASURED)
    _check_in("--metric", metric, METRICS)
    aim = Aim(
        scene=scene,
        kinds=kinds_of(kinds) if kinds else None,
        metric=metric,
        k=k,
        people=people,
        seed=seed,
    )
    on_home(Home(home), config, out, aim, trials, fresh)


def _check_in(option: str, value: str, allowed: Any) -> None:
    if value not in allowed:
        raise typer.BadParameter(f"got {value!r}; allowed: {', '.join(allowed)}", param_hint=option)


def on_home(
    home: Home, config: Path | None, out: Path | None, aim: Aim, n_trials: int, is_fresh: bool
) -> None:
    """Tune a home, write the file and tell."""
    said = configured(home.root, config)
    with stoppable() as heed, bars() as progress:

        def heeding(what: str, done: int, total: int) -> None:
            heed()
            progress(what, done, total)

        task, found, text = tune_home(
            home, said, aim, n_trials, is_fresh=is_fresh, progress=heeding
        )
    written = out or home.root / TUNED
    write_atomic(written, text.encode())
    title = f"{aim.scene}, {aim.question.kinds_word}: {task.split.word}"
    tell(title, found, figures(found, aim.metric_word, OTHERS))
    _tell_written(written)


def _set_folder(data: Path, name: str | None) -> Path:
    there = sorted(path.name for path in data.iterdir() if path.is_dir())
    if name not in there:
        raise typer.BadParameter(f"got {name!r}; allowed: {', '.join(there)}", param_hint="--set")
    return data / name


def on_set(
    folder: Path,
    out: Path | None,
    models: list[str] | None,
    metric: str | None,
    people: int,
    seed: int,
    n_trials: int,
    is_fresh: bool,
) -> None:
    """Tune models on a public set, each by itself, write the file and tell."""
    if out is None:
        raise typer.BadParameter("is missing; allowed: the file to write", param_hint="--out")
    for name in models or ():
        _check_in("--models", name, MODELS)
    parts = [trial.validation(seed) for trial in trials_of(folder)]
    metric = metric_named(metric, parts)
    tables: dict[str, Any] = {}
    lines = [f"Made by dapei tune for the set {folder.name}; seed {seed}, {metric}."]
    path = out.with_suffix(".db")
    with stoppable(), alone(path):
        if is_fresh:
            discard(path)
        for name in models or MODELS:
            task = SetTask.of(name, parts, metric, people=people, seed=seed)
            found = _found(task, path, version(folder), people, n_trials)
            if found is not None:
                tell(name, found, figures(found, metric))
                tables[name] = {place[-1]: value for place, value in found.turned.items()}
                lines += [f"{name}: {line}." for line in figures(found, metric)]
                text = toml({"models": {key: own for key, own in tables.items() if own}})
                write_atomic(out, "".join(f"# {line}\n" for line in lines).encode() + text.encode())
    if not tables:
        raise ConfigError(f"nothing of {folder.name} could be tuned; allowed: other models")
    _tell_written(out)


def _found(
    task: SetTask, path: Path, data_version: str, people: int, n_trials: int
) -> Found | None:
    """What came of one model's search; None if it cannot be tuned there, which is told."""
    basis = {
        "data or code version": data_version,
        "metric": task.metric,
        "seed": task.seed,
        "number of people": people,
        "search space": [f"{knob.name}: {knob.allowed}" for knob in task.knobs],
    }
    if not task.knobs:
        complain(f"{task.model} left out: it has no parameter with a range")
        return None
    try:
        with bars() as progress:
            study = Study.opened(path, basis, name=task.model)
            return tune(task, study, n_trials, seed=task.seed, progress=progress)
    except NoOpinion as error:
        complain(f"{task.model} left out: {error}")
        return None


def tell(title: str, found: Found, figured: list[str]) -> None:
    """What came of a search, for a terminal."""
    out = Console()
    out.print(title, highlight=False)
    out.print(learned_table(found.learned))
    for line in (trials_line(found.trials), *figured):
        out.print(line, highlight=False, markup=False)


def _tell_written(path: Path) -> None:
    Console().print(f"written: {path}", highlight=False, markup=False, soft_wrap=True)
