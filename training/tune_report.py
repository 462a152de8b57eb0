"""What a search found, as tables and lines for a terminal and as the head of a written file."""

from collections.abc import Sequence
from math import isnan
from statistics import median

from rich.box import SIMPLE_HEAD
from rich.table import Table

from training.report import cell
from training.space import Choice, Value
from training.study import Trial
from training.tune import Compared, Found, Learned, best_of

DIGITS = 4


def learned_table(learned: Sequence[Learned]) -> Table:
    """A row a knob, most important first."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("parameter", overflow="fold")
    for name in ("default", "best", "importance", "as good\nfrom", "\nto"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in learned:
        share = "" if isnan(one.importance) else f"{one.importance:.2f}"
        # The list's own name stands above the table and would fill half of each line.
        path = one.knob.path[2:] if one.knob.path[0] == "pipelines" else one.knob.path
        table.add_row(".".join(path), _text(one.knob.value), _text(one.best), share, *_span(one))
    return table


def _span(one: Learned) -> tuple[str, str]:
    """From and to; nothing where no other value than the default was tried."""
    if one.as_good == (one.knob.value,):
        return "", ""
    if isinstance(one.knob.allowed, Choice):
        return ", ".join(map(str, one.as_good)), ""
    return _text(one.as_good[0]), _text(one.as_good[-1])


def _text(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def trials_line(trials: Sequence[Trial]) -> str:
    """How many trials there are, what became of them, and how long one takes."""
    n_asked = len(trials[0].values)
    failed = [trial for trial in trials if trial.error]
    n_early = sum(not trial.error and len(trial.values) < n_asked for trial in trials)
    told = [f"{n_early} stopped early"] if n_early else []
    if failed:
        told.append(f"{len(failed)} failed (the last: {failed[-1].error:.200})")
    seconds = f"{median(trial.seconds for trial in trials):.1f} s a trial, in the median"
    best = f"best is number {best_of(trials)}"
    return "; ".join([f"{len(trials)} trials, number 0 the defaults", best, *told, seconds])


def compared_line(whom: str, metric: str, compared: Compared) -> str:
    """Best beside defaults on some persons."""
    return (
        f"{metric} on {compared.gain.n:,} {whom}: {cell(compared.best, DIGITS)}, "
        f"defaults {cell(compared.default, DIGITS)}, "
        f"difference {cell(compared.gain, DIGITS)}: {compared.verdict}"
    )


def figures(found: Found, metric: str, others: str = "others") -> list[str]:
    """The comparison on the persons searched with, and on others where there are any."""
    lines = [compared_line("persons searched with", metric, found.searched)]
    if found.apart is not None:
        lines.append(compared_line(others, metric, found.apart))
    return lines
