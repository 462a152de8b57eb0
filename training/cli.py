"""`dapei train`, `dapei evaluate`, `dapei cycle` and `dapei bundles`."""

import signal
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from data.home import Home
from data.mapping import held_out
from recsys.bundle import read_manifest
from recsys.catalog import KIND_WORDS, Kind
from recsys.errors import BundleError, ConfigError, RecsysError
from recsys.evaluation import Question
from recsys.events import EventType
from recsys.pointer import bundle_ids, pointed, publish, rollback
from recsys.recommend import MAX_K
from recsys.scenes import SCENES
from recsys.signing import SigningKey, VerifyKey
from training.cases import HeldOut
from training.config import TrainConfig, train_config
from training.cycle import Trained, collect, is_up_to_date, seconds
from training.cycle import train as train_home
from training.evaluate import (
    ALL_KINDS,
    Evaluation,
    evaluate_by_time,
    evaluate_on_file,
    questions,
    scenes_asked,
)
from training.fit import Progress
from training.release import GATE_RULE
from training.report import (
    answers_table,
    bundle_row,
    bundles_table,
    split_line,
    summary_table,
)
from training.shop import load

app = typer.Typer(no_args_is_help=True)
bundles = typer.Typer(no_args_is_help=True, help="List, show, publish or roll back bundles.")
app.add_typer(bundles, name="bundles")

REFUSED = 3

HomeOption = Annotated[Path, typer.Option(envvar="DAPEI_HOME", help="The shop's home folder.")]
ConfigOption = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="Instead of the home's dapei.toml."),
]


@app.command(help=f"Learn a bundle from the lake, evaluated on a split by time. Gate: {GATE_RULE}.")
def train(
    home: HomeOption,
    config: ConfigOption = None,
    publish: Annotated[
        bool, typer.Option(help="Use the bundle if it passes the gate; else the exit code is 3.")
    ] = False,
    evaluate: Annotated[
        bool, typer.Option(help="Evaluate first, which takes a second fit.")
    ] = True,
) -> None:
    """Learn a bundle; the help above says when it is published."""
    with stoppable(), bars() as progress:
        trained = train_home(
            Home(home),
            configured(home, config),
            now=datetime.now(UTC),
            wants_publish=publish,
            is_evaluated=evaluate,
            progress=progress,
        )
    tell(trained)
    if publish and not trained.is_published:
        raise typer.Exit(REFUSED)


TestOption = Annotated[
    tuple[Path, Path] | None,
    typer.Option(metavar="MAPPING FILE", help="Held-out events instead of a split by time."),
]
SceneOption = Annotated[
    list[str] | None, typer.Option(help=f"One of {', '.join(SCENES)}; may be repeated.")
]
KindsOption = Annotated[
    list[str] | None,
    typer.Option(help="product, video, or both as product,video; may be repeated."),
]
NewOnlyOption = Annotated[
    bool,
    typer.Option(
        "--new-only/--all-targets",
        help="Whether a target the person already had to do with is left out.",
    ),
]
PerPairOption = Annotated[
    bool,
    typer.Option(
        "--per-pair", help="Judge each held-out pair alone, all alike, instead of each person."
    ),
]


@app.command(
    help="Measure lists against popularity and chance, on a split by time or on held-out events. "
    "Every list is made as the service makes it; figures are means over persons with half their "
    "95 % interval. A split by time learns from the past only; with --test everything in the home "
    "is learned from."
)
def evaluate(
    home: HomeOption,
    config: ConfigOption = None,
    test: TestOption = None,
    scene: SceneOption = None,
    kinds: KindsOption = None,
    k: Annotated[str, typer.Option(help=f"Lengths of list, 1 to {MAX_K}.")] = "10,20",
    people: Annotated[int, typer.Option(min=0, help="At most so many a question; 0: all.")] = 2_000,
    new_only: NewOnlyOption = True,
    per_pair: PerPairOption = False,
    json: Annotated[Path | None, typer.Option(dir_okay=False, help="Figures go here, too.")] = None,
) -> None:
    """Tables on stdout; the help above says of what."""
    asked = questions(
        scene or scenes_asked(has_times=test is None),
        [kinds_of(one) for one in kinds] if kinds else ALL_KINDS,
        ks=lengths_of(k),
        people=people,
        new_only=new_only,
        per_pair=per_pair,
    )
    if test and any(SCENES[one.scene].has_basket for one in asked):
        raise typer.BadParameter("post_checkout needs a split by time", param_hint="--scene")
    with stoppable(), bars() as progress:
        found = evaluation_of(Home(home), configured(home, config), asked, test, progress)
    out = Console()
    out.print(split_line(found), highlight=False)
    for answers in found.answers:
        out.print(answers_table(answers))
    if json is not None:
        json.write_bytes(orjson.dumps(found.plain(), option=orjson.OPT_INDENT_2))


def evaluation_of(
    home: Home,
    config: TrainConfig,
    asked: list[Question],
    test: tuple[Path, Path] | None,
    progress: Progress,
) -> Evaluation:
    """The answers, from a split by time or a file."""
    shop = load(home)
    if test is None:
        return evaluate_by_time(shop, config, asked, progress=progress)
    rows = held_out(*test).select("user_id", "item_id", "type").iter_rows()
    acts = [HeldOut(user_id, item_id, EventType(number)) for user_id, item_id, number in rows]
    return evaluate_on_file(shop, config, asked, acts, progress=progress)


@app.command(
    help="Record to lake to histories, then learn, evaluate, and publish if the gate lets it: "
    f"{GATE_RULE}. Nothing is learned while nothing changed."
)
def cycle(
    home: HomeOption,
    config: ConfigOption = None,
    every: Annotated[
        str | None, typer.Option(help="Again after so long, like 30m or 1h, until stopped.")
    ] = None,
) -> None:
    """One turn, or one after the other."""
    pause_s = None if every is None else seconds(every)
    with stoppable():
        while True:
            started = time.monotonic()
            code = turn(Home(home), config, goes_on=pause_s is not None)
            if pause_s is None:
                raise typer.Exit(code)
            time.sleep(max(0.0, pause_s - (time.monotonic() - started)))


def turn(home: Home, config: Path | None, *, goes_on: bool) -> int:
    """One turn; returns its exit code. If turns go on, an error of one is told, not raised."""
    try:
        said = configured(home.root, config)
        n_events = collect(home)
        Console().print(f"{n_events:,} new events", highlight=False)
        if is_up_to_date(home, said):
            Console().print("nothing changed; the bundle in use stays")
            return 0
        with bars() as progress:
            trained = train_home(
                home, said, now=datetime.now(UTC), wants_publish=True, progress=progress
            )
    except RecsysError as error:
        if not goes_on:
            raise
        complain(f"{error.code} {error}")
        return 1
    tell(trained)
    return 0 if trained.is_published else REFUSED


@bundles.command("list")
def list_bundles(home: HomeOption) -> None:
    """Every bundle there is, oldest first, and which one is in use."""
    folder, public = Home(home).bundles, VerifyKey.load(Home(home).keys)
    used = pointed(folder, public)
    rows = []
    for one in bundle_ids(folder):
        try:
            row = bundle_row(one, read_manifest(folder / one, public))
        except BundleError as error:
            row = {"bundle": one, "gate": str(error)}
        rows.append(row | {"in use": "yes" if one == used else ""})
    Console().print(bundles_table(rows))


@bundles.command("show")
def show_bundle(
    home: HomeOption,
    bundle_id: Annotated[str | None, typer.Argument(help="Without: the one in use.")] = None,
    files: Annotated[bool, typer.Option(help="Every file's size and SHA-256, too.")] = False,
) -> None:
    """What a bundle says of itself, as JSON: data, models, pipelines, figures."""
    folder, public = Home(home).bundles, VerifyKey.load(Home(home).keys)
    one = bundle_id or pointed(folder, public)
    if one is None:
        raise BundleError("no bundle is in use yet; allowed: `dapei train --publish` first")
    manifest = read_manifest(folder / one, public)
    if not files:
        del manifest["files"]
    typer.echo(orjson.dumps(manifest, option=orjson.OPT_INDENT_2).decode())


@bundles.command("publish")
def publish_bundle(home: HomeOption, bundle_id: str) -> None:
    """Use a bundle, whatever its figures are; running services notice by themselves."""
    where = Home(home)
    pointer = publish(where.bundles, bundle_id, SigningKey.load_or_make(where.keys))
    typer.echo(f"bundle {pointer.bundle_id} is in use, counter {pointer.counter}")


@bundles.command("rollback")
def rollback_bundle(home: HomeOption) -> None:
    """Use the bundle that was in use before; again goes further back."""
    where = Home(home)
    pointer = rollback(where.bundles, SigningKey.load_or_make(where.keys))
    typer.echo(f"bundle {pointer.bundle_id} is in use again, counter {pointer.counter}")


def configured(home: Path, config: Path | None) -> TrainConfig:
    """What a configuration file, or the home's own, says of training."""
    if config is None:
        return train_config(Home(home).config())
    try:
        said: dict[str, Any] = tomllib.loads(config.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise ConfigError(f"{config} is no valid TOML: {cause}") from cause
    return train_config(said)


def kinds_of(text: str) -> tuple[Kind, ...]:
    """The kinds that a text like product,video names."""
    words = text.split(",")
    if len(set(words)) != len(words) or not set(words) <= set(KIND_WORDS):
        raise typer.BadParameter(
            f"got {text!r}; allowed: {', '.join(KIND_WORDS)}, or both with a comma",
            param_hint="--kinds",
        )
    return tuple(KIND_WORDS[word] for word in words)


def lengths_of(text: str) -> tuple[int, ...]:
    """The lengths that a text like 10,20 names, shortest first."""
    words = text.split(",")
    if not all(word.isdecimal() and 1 <= int(word) <= MAX_K for word in words):
        raise typer.BadParameter(
            f"got {text!r}; allowed: numbers from 1 to {MAX_K}", param_hint="--k"
        )
    return tuple(sorted({int(word) for word in words}))


def tell(trained: Trained) -> None:
    """What came of training, for a terminal."""
    out = Console()
    evaluation = trained.release.evaluation
    if evaluation is None:
        out.print(f"not evaluated: {trained.release.bundle.figures['evaluation']['skipped']}")
    else:
        out.print(split_line(evaluation), highlight=False)
        out.print(summary_table(evaluation))
    bundle_id = trained.release.bundle.bundle_id
    for refusal in trained.release.refusals:
        complain(f"gate: {refusal}")
    is_used = "in use" if trained.is_published else "written, not in use"
    out.print(f"bundle {bundle_id}: {is_used}", highlight=False)


def complain(text: str) -> None:
    """One line on stderr."""
    Console(stderr=True).print(text, style="red", highlight=False, markup=False)


@contextmanager
def stoppable() -> Iterator[None]:
    """End by SIGTERM as by Ctrl-C: what is half written is removed on the way out."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def bars() -> Iterator[Progress]:
    """Progress on stderr, one bar a phase; the part behind the colon changes as it goes on."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as shown:
        tasks: dict[str, Any] = {}

        def progress(what: str, done: int, total: int) -> None:
            phase = what.partition(":")[0]
            if phase not in tasks or shown.tasks[tasks[phase]].finished:
                tasks[phase] = shown.add_task(what, total=total)
            shown.update(tasks[phase], description=what, completed=done, total=total)

        yield progress
