"""`dapei evaluate`: how good lists are, on a split by time or on held-out events."""

from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console

from data.home import Home
from data.mapping import held_out
from recsys.catalog import KIND_WORDS, Kind
from recsys.evaluation import Question
from recsys.events import EventType
from recsys.recommend import MAX_K
from recsys.scenes import SCENES
from training.cases import HeldOut
from training.config import TrainConfig
from training.evaluate import (
    ALL_KINDS,
    Evaluation,
    evaluate_by_time,
    evaluate_on_file,
    questions,
    scenes_asked,
)
from training.fit import Progress
from training.report import answers_table, split_line
from training.shop import load
from training.terminal import ConfigOption, HomeOption, bars, configured, stoppable

app = typer.Typer(no_args_is_help=True)

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
