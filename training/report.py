"""Figures and bundles as tables for a terminal."""

from collections.abc import Sequence
from datetime import datetime
from math import isnan
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from recsys.evaluation import GAIN, PIPELINE, POPULARITY, Answers
from recsys.metrics import Estimate
from training.evaluate import Evaluation

SHOWN = ("recall", "ndcg", "hit_rate", "map", "mrr", "coverage", "novelty")
SUMMED_UP = "ndcg"
# Four estimates side by side fit a terminal of 80 characters.
_PLAIN: dict[str, Any] = {"box": SIMPLE_HEAD, "padding": (0, 1, 0, 0)}
COLUMNS = ("bundle", "in use", "made", "events", "items", "gate")


def split_line(evaluation: Evaluation) -> str:
    """How the events were split, in one line."""
    split = evaluation.split
    learned = f"learned from {split['events_before']:,} events"
    if split["by"] == "time":
        return f"{learned} before {split['at']}, asked about {split['events_since']:,} since"
    unknown = split["unknown_items"]
    missed = f", {unknown:,} items among them unknown and so missed" if unknown else ""
    return f"{learned}, asked about {split['events_since']:,} held-out ones{missed}"


def answers_table(answers: Answers) -> Table:
    """One question: a row a metric, a column a contender, means with half their 95 % interval."""
    question = answers.question
    table = Table(title=title(answers), title_justify="left", title_style="bold", **_PLAIN)
    table.add_column("", no_wrap=True)
    contenders = list(dict.fromkeys(figure.contender for figure in answers.figures))
    for contender in contenders:
        table.add_column(contender.replace("− ", "−\n"), justify="right", no_wrap=True)
    measured = {(f.contender, f.metric, f.k): f.estimate for f in answers.figures}
    for metric in SHOWN if answers.n_persons else ():
        digits = 2 if metric == "novelty" else 4
        for k in question.ks:
            cells = [cell(measured.get((one, metric, k)), digits) for one in contenders]
            table.add_row(f"{metric}@{k}", *cells)
    return table


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
    for name in ("persons", SUMMED_UP, POPULARITY, GAIN.replace("− ", "−\n")):
        table.add_column(name, justify="right", no_wrap=True)
    for answers in evaluation.answers:
        k = answers.question.ks[-1]
        measured = {(f.contender, f.metric, f.k): f.estimate for f in answers.figures}
        table.add_row(
            f"{answers.question.scene}, {answers.question.kinds_word}",
            f"{answers.n_persons:,}",
            *(cell(measured.get((one, SUMMED_UP, k)), 4) for one in (PIPELINE, POPULARITY, GAIN)),
        )
        table.columns[2].header = f"{SUMMED_UP}@{k}"
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
