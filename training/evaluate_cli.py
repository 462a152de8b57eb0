"""`dapei evaluate`: how good lists are, on a split by time or on held-out events."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from data.home import Home
from data.mapping import held_out
from data.record import Record
from recsys.bundle_files import read
from recsys.catalog import KIND_WORDS, Kind
from recsys.comparison import VERDICT_RULE, Verdict
from recsys.errors import BundleError
from recsys.evaluation import Answers, Question
from recsys.events import EventType
from recsys.pointer import bundle_ids, pointed
from recsys.recommend import MAX_K
from recsys.rules import Rule
from recsys.scenes import MEASURED, SCENES
from recsys.signing import VerifyKey
from training.cases import HeldOut
from training.evaluate import (
    ALL_KINDS,
    Evaluation,
    Plan,
    evaluate_bundles,
    evaluate_by_time,
    evaluate_on_file,
    questions,
    scenes_asked,
)
from training.fit import Progress
from training.page import page
from training.report import split_line, tables, verdict_line
from training.shop import load
from training.skew import skew as skew_of
from training.terminal import REFUSED, ConfigOption, HomeOption, bars, configured, stoppable

app = typer.Typer(no_args_is_help=True)
# Features that differ are shown up to so many, the most frequent first.
MAX_SHOWN = 20

TestOption = Annotated[
    tuple[Path, Path] | None,
    typer.Option(metavar="MAPPING FILE", help="Held-out events instead of a split by time."),
]
SceneOption = Annotated[
    list[str] | None, typer.Option(help=f"One of {', '.join(MEASURED)}; may be repeated.")
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


BundleOption = Annotated[
    str | None,
    typer.Option(
        help="Ask this bundle of the home, about the events after its data, instead of learning."
    ),
]
AgainstOption = Annotated[
    str | None,
    typer.Option(
        metavar="CONFIG.toml|BUNDLE",
        help="Compare with another configuration, learned from the same events, or with another "
        "bundle of the home; without --bundle that is the newest one against it.",
    ),
]
AblateOption = Annotated[
    bool,
    typer.Option(
        "--ablate",
        help="Each pipeline without each of its sources, each alone, and all under the rules.",
    ),
]
FailOption = Annotated[
    bool, typer.Option("--fail-if-worse", help="Exit code 3 if any verdict is worse.")
]
SkewOption = Annotated[
    bool,
    typer.Option(
        "--skew",
        help="Instead: features kept with served lists of the bundle in use, or of --bundle, "
        "against the same made anew; which share of them differs, and where.",
    ),
]
ReportOption = Annotated[
    Path | None, typer.Option(dir_okay=False, help="A page with tables and plots goes here.")
]


@app.command(
    help="Measure lists against popularity and chance, on a split by time or on held-out events. "
    "Every list is made as the service makes it; figures are means over persons with half their "
    "95 % interval. A split by time learns from the past only; with --test everything in the home "
    "is learned from; a bundle is asked about what came after its data. " + VERDICT_RULE
)
def evaluate(
    home: HomeOption,
    config: ConfigOption = None,
    test: TestOption = None,
    bundle: BundleOption = None,
    against: AgainstOption = None,
    ablate: AblateOption = False,
    scene: SceneOption = None,
    kinds: KindsOption = None,
    k: Annotated[str, typer.Option(help=f"Lengths of list, 1 to {MAX_K}.")] = "10,20",
    people: Annotated[int, typer.Option(min=0, help="At most so many a question; 0: all.")] = 2_000,
    new_only: NewOnlyOption = True,
    per_pair: PerPairOption = False,
    fail_if_worse: FailOption = False,
    json: Annotated[Path | None, typer.Option(dir_okay=False, help="Figures go here, too.")] = None,
    report: ReportOption = None,
    skew: SkewOption = False,
) -> None:
    """Tables on stdout; the help above says of what."""
    if skew:
        show_skew(Home(home), bundle, json)
        return
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
    wish = Wish(home=Home(home), config=config, test=test, bundle=bundle, against=against)
    with stoppable(), bars() as progress:
        rules = rules_of(Home(home)) if ablate else ()
        plan = Plan(is_ablated=ablate, has_losses=report is not None, rules=rules)
        found = evaluation_of(wish, asked, plan, progress)
    show(found)
    keep(found, json, report)
    if fail_if_worse and any(is_worse(answers) for answers in found.answers):
        raise typer.Exit(REFUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be measured, as the options say it.

    Raises
    ------
    typer.BadParameter
        The options do not go together.
    """

    home: Home
    config: Path | None
    test: tuple[Path, Path] | None
    bundle: str | None
    against: str | None

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        if self.bundle is not None and self.is_configured:
            raise typer.BadParameter(
                "a bundle is compared with a bundle; two configurations are --config and --against",
                param_hint="--against",
            )
        if self.of_bundles and self.test is not None:
            raise typer.BadParameter(
                "bundles are asked about the events after their data, not about a file",
                param_hint="--test",
            )

    @property
    def is_configured(self) -> bool:
        """Whether the other side is a configuration."""
        return self.against is not None and self.against.endswith(".toml")

    @property
    def of_bundles(self) -> bool:
        """Whether bundles of the home are asked, and nothing is learned."""
        return self.bundle is not None or (self.against is not None and not self.is_configured)

    def bundle_ids(self) -> list[str]:
        """Whom to ask, and whom to compare with."""
        others = [one for one in bundle_ids(self.home.bundles) if one != self.against]
        if self.bundle is None and not others:
            raise BundleError(f"there is no bundle besides {self.against}; allowed: `dapei train`")
        named = (self.bundle or others[-1], self.against)
        return [one for one in named if one is not None]


def evaluation_of(wish: Wish, asked: list[Question], plan: Plan, progress: Progress) -> Evaluation:
    """The answers, from a split by time, a file, or bundles and what came after them."""
    config, shop = configured(wish.home.root, wish.config), load(wish.home)
    if wish.of_bundles:
        public = VerifyKey.load(wish.home.keys)
        found = [read(wish.home.bundles / one, public) for one in wish.bundle_ids()]
        return evaluate_bundles(shop, config, asked, found, plan=plan, progress=progress)
    if wish.against is not None:
        plan = replace(plan, against=configured(wish.home.root, Path(wish.against)))
    if wish.test is None:
        return evaluate_by_time(shop, config, asked, plan=plan, progress=progress)
    rows = held_out(*wish.test).select("user_id", "item_id", "type").iter_rows()
    acts = [HeldOut(user_id, item_id, EventType(number)) for user_id, item_id, number in rows]
    return evaluate_on_file(shop, config, asked, acts, plan=plan, progress=progress)


def rules_of(home: Home) -> tuple[Rule, ...]:
    """The rules that hold in a shop, defaults included."""
    record = Record.of(home)
    try:
        return record.rules.held().effective
    finally:
        record.close()


def keep(found: Evaluation, json: Path | None, report: Path | None) -> None:
    """The figures and the page as files, where they are wanted."""
    if json is not None:
        json.write_bytes(orjson.dumps(found.plain(), option=orjson.OPT_INDENT_2))
    if report is not None:
        report.write_text(page(found), encoding="utf-8")


def show_skew(home: Home, bundle: str | None, json: Path | None) -> None:
    """A table of the features that differ."""
    public = VerifyKey.load(home.keys)
    bundle_id = bundle or pointed(home.bundles, public)
    if bundle_id is None:
        raise BundleError("no bundle is in use; allowed: `dapei train --publish`, or --bundle")
    found = skew_of(home, read(home.bundles / bundle_id, public))
    table = Table("feature", "values that differ", "largest difference")
    for one in found.features[:MAX_SHOWN]:
        table.add_row(one.name, f"{one.share:.2%}", f"{one.largest:.4g}")
    out = Console()
    out.print(
        f"{found.n_lists} lists of {bundle_id}: {found.share:.3%} of {found.n_values} values differ"
    )
    if found.features:
        out.print(table)
    if json is not None:
        json.write_bytes(orjson.dumps(found.plain(), option=orjson.OPT_INDENT_2))


def show(found: Evaluation) -> None:
    """All tables, and at the end the verdicts."""
    out = Console()
    out.print(split_line(found), highlight=False)
    for answers in found.answers:
        for table in tables(answers):
            out.print(table)
    for line in filter(None, map(verdict_line, found.answers)):
        out.print(line, highlight=False, soft_wrap=True)


def is_worse(answers: Answers) -> bool:
    """Whether the verdict on one question is worse."""
    return any(one.verdict is Verdict.WORSE for one in answers.comparisons)


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
