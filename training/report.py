"""Figures and bundles as tables for a terminal."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import isnan
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from recsys.comparison import Comparison, Look
from recsys.evaluation import Answers
from recsys.figures import AGAINST, CHANCE, GAIN, MAIN, OF_PARTS, PIPELINE, POPULARITY, TARGETS
from recsys.metrics import Estimate
from recsys.race import EVERYBODY, PARTS, PLATFORM_WORDS
from training.evaluate import Evaluation

HITS = ("recall", "ndcg", "hit_rate", "map", "mrr")
# Metrics of lists as they are called, and how many digits they have.
OF_LISTS = {
    "coverage": ("coverage", 3),
    "gini": ("Gini", 3),
    "novelty": ("novelty, bits", 2),
    "diversity": ("diversity", 3),
    "categories": ("categories", 2),
    "creators": ("creators", 2),
    "popularity": ("popularity", 3),
    "popularity_lift": ("popularity lift", 3),
    "cold_shown": ("new items", 3),
    "cold_share": ("new items", 3),
    "cold_recall": ("recall of new", 3),
    "cold_hit_rate": ("hits of new", 3),
    "commerce": ("products", 3),
    "impersonal": ("not personal", 3),
}
RACING = (PIPELINE, POPULARITY, CHANCE)
# Four estimates side by side fit a terminal of 80 characters.
_PLAIN: dict[str, Any] = {"box": SIMPLE_HEAD, "padding": (0, 1, 0, 0)}
COLUMNS = ("bundle", "in use", "made", "events", "items", "gate")


def split_line(evaluation: Evaluation) -> str:
    """How the events were split, in one line."""
    split = evaluation.split
    learned = f"learned from {split['events_before']:,} events"
    if split["by"] == "bundles":
        named = f"bundle {' against '.join(split['bundles'])}"
        asked = f"asked about {split['events_since']:,} events since"
        return f"{named}, {asked} {split['at']}"
    if split["by"] == "time":
        return f"{learned} before {split['at']}, asked about {split['events_since']:,} since"
    unknown = split["unknown_items"]
    missed = f", {unknown:,} items among them unknown and so missed" if unknown else ""
    return f"{learned}, asked about {split['events_since']:,} held-out ones{missed}"


def tables(answers: Answers) -> list[Table]:
    """Everything that a terminal shows of one question."""
    if not answers.n_persons:
        return [answers_table(answers)]
    found = [answers_table(answers), parts_table(answers), lists_table(answers)]
    if any(one.look.theirs == AGAINST for one in answers.comparisons):
        found.append(comparison_table(answers))
    if any(one.look.theirs != AGAINST for one in answers.comparisons):
        found.append(ablation_table(answers))
    return found


def answers_table(answers: Answers) -> Table:
    """One question: a row a metric, a column a contender, means with half their 95 % interval."""
    table = Table(title=title(answers), title_justify="left", title_style="bold", **_PLAIN)
    measured = answers.of()
    contenders = _measured((*RACING, GAIN), measured)
    _head(table, "", [name.replace("− ", "−\n") for name in contenders])
    for metric in HITS if answers.n_persons else ():
        for k in answers.question.ks:
            cells = [cell(measured.get((one, metric, k)), 4) for one in contenders]
            table.add_row(f"{metric}@{k}", *cells)
    return table


def parts_table(answers: Answers) -> Table:
    """People apart by how many events they had before, and by platform."""
    k = answers.question.ks[-1]
    table = Table(**_PLAIN)
    _head(table, f"{MAIN}@{k} by events", ["persons", PIPELINE, GAIN.replace("− ", "−\n")])
    for people in (*PARTS, *PLATFORM_WORDS):
        measured = answers.of(people)
        ours = measured.get((PIPELINE, MAIN, k))
        if ours is not None:
            gain = measured.get((GAIN, MAIN, k))
            table.add_row(people, f"{ours.n:,}", cell(ours, 4), cell(gain, 4))
    return table


def lists_table(answers: Answers) -> Table:
    """What the lists are like, whoever likes them, next to what people did."""
    k, measured = answers.question.ks[-1], answers.of()
    contenders = _measured((*RACING, TARGETS), measured)
    table = Table(**_PLAIN)
    _head(table, f"lists of {k}", contenders)
    for name in dict.fromkeys(name for name, _ in OF_LISTS.values()):
        # What lists hold and what people took go by one name in two columns.
        cells = [
            "".join(
                cell(measured.get((one, metric, k)), digits)
                for metric, (called, digits) in OF_LISTS.items()
                if called == name
            )
            for one in contenders
        ]
        if any(cells):
            table.add_row(name, *cells)
    return table


def _measured(names: Sequence[str], measured: Mapping[tuple[str, str, int], Estimate]) -> list[str]:
    there = {contender for contender, _, _ in measured}
    return [name for name in names if name in there]


def _head(table: Table, first: str, others: Sequence[str]) -> None:
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)


def comparison_table(answers: Answers) -> Table:
    """The pipeline minus the one it is compared with."""
    table = Table(title=verdict_line(answers), title_justify="left", **_PLAIN)
    _head(table, "", ["difference", "95 % from", "to", "persons"])
    for one in answers.comparisons:
        if one.look.theirs == AGAINST and one.look.metric in (*HITS, *OF_LISTS):
            found = one.difference
            ends = (f"{value:+.4f}" for value in (found.mean, found.low, found.high))
            table.add_row(f"{one.look.metric}@{one.look.k}{_of(one.look)}", *ends, f"{found.n:,}")
    return table


def _of(look: Look) -> str:
    return "" if look.people == EVERYBODY else f", {look.people} events"


def verdict_line(answers: Answers) -> str:
    """What is to be said of the pipeline against the other, in one line; empty without one."""
    for one in answers.comparisons:
        if one.verdict is not None:
            question = answers.question
            where = f"{question.scene}, {question.kinds_word}"
            return f"{where}: {one.verdict.value}; {reached(one)}"
    return ""


def reached(one: Comparison) -> str:
    """What a verdict was taken from."""
    return (
        f"{one.look.metric}@{one.look.k} {one.difference.mean:+.4f}, {one.low:+.4f} to "
        f"{one.high:+.4f}, differs for {one.n_differing:,} of {one.difference.n:,} persons"
    )


def ablation_table(answers: Answers) -> Table:
    """What each source adds to the pipeline, and how far it gets alone."""
    k = answers.question.ks[-1]
    table = Table(**_PLAIN)
    _head(table, f"pipeline − …, at {k}", list(OF_PARTS))
    for rival, found in ablation(answers).items():
        table.add_row(rival, *(cell(found.get(metric), 4) for metric in OF_PARTS))
    return table


def ablation(answers: Answers) -> dict[str, dict[str, Estimate]]:
    """By variant of the pipeline: the difference of each metric at the longest list."""
    found: dict[str, dict[str, Estimate]] = {}
    for one in answers.comparisons:
        look = one.look
        if (look.k, look.people) == (answers.question.ks[-1], EVERYBODY) and look.theirs != AGAINST:
            found.setdefault(look.theirs, {})[look.metric] = one.difference
    return found


def title(answers: Answers) -> str:
    """Which question, asked about how many persons."""
    question = answers.question
    which = "new to them" if question.new_only else "known ones too"
    which += ", each judged alone" if question.per_pair else ""
    strangers = f", {answers.n_strangers:,} strangers" if answers.n_strangers else ""
    return (
        f"{question.scene}, {question.kinds_word}: {answers.n_persons:,} persons{strangers}; "
        f"targets {which}"
    )


def summary_table(evaluation: Evaluation) -> Table:
    """A row a question, at its longest list."""
    table = Table(**_PLAIN)
    table.add_column("scene, kinds", no_wrap=True)
    for name in ("persons", MAIN, POPULARITY, GAIN.replace("− ", "−\n")):
        table.add_column(name, justify="right", no_wrap=True)
    for answers in evaluation.answers:
        k = answers.question.ks[-1]
        measured = answers.of()
        table.add_row(
            f"{answers.question.scene}, {answers.question.kinds_word}",
            f"{answers.n_persons:,}",
            *(cell(measured.get((one, MAIN, k)), 4) for one in (PIPELINE, POPULARITY, GAIN)),
        )
        table.columns[2].header = f"{MAIN}@{k}"
    return table


def cell(estimate: Estimate | None, digits: int) -> str:
    """A mean and half its interval; empty where there is none."""
    if estimate is None or isnan(estimate.mean):
        return ""
    mean = f"{estimate.mean:.{digits}f}"
    if isnan(estimate.low):
        return mean
    return f"{mean} ±{(estimate.high - estimate.low) / 2:.{digits}f}"


def bundles_table(rows: Sequence[dict[str, str]]) -> Table:
    """One row a bundle, newest last."""
    table = Table(**_PLAIN)
    for name in COLUMNS:
        is_number = name in ("events", "items")
        table.add_column(name, justify="right" if is_number else "left", no_wrap=name == "bundle")
    for row in rows:
        table.add_row(*(row.get(name, "") for name in COLUMNS))
    return table


def bundle_row(bundle_id: str, manifest: dict[str, Any]) -> dict[str, str]:
    """What the table of bundles says of one."""
    origin, refusals = manifest["origin"], manifest["figures"].get("gate", {}).get("refusals", [])
    return {
        "bundle": bundle_id,
        "made": f"{datetime.fromisoformat(origin['created_at']):%Y-%m-%d %H:%M}",
        "events": f"{origin['events']:,}",
        "items": f"{sum(origin['items'].values()):,}",
        "gate": "refused" if refusals else "passed",
    }
