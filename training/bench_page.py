"""Benchmark rows as a page of Markdown, with what they were measured on."""

import os
import platform
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.bench_figures import DENSE, SERVED
from training.bench_plot import ORDERED

Row = dict[str, Any]
METRICS_A_TABLE = 4


def page(rows: list[Row], command: str) -> str:
    """Every set's figures in tables of a few metrics, the best known figure in the first line.

    Parameters
    ----------
    command
        How to make the page again.
    """
    sets = list(dict.fromkeys(row["set"] for row in rows))
    seeds = sorted({row["seed"] for row in rows})
    lines = [
        "## Models on public data sets",
        "",
        f"Made by `{command}` on {machine()}, commit {commit()}, seed "
        f"{', '.join(map(str, seeds))}. Dense: every item scored; served: lists made as for a "
        f"request{_drawn(rows)}; ± is half of the 95 % interval over persons. "
        "Seconds are of learning, memory is the peak of the whole process, data included. "
        "Hyperparameters are as shipped"
        f"{_otherwise(rows)}.",
    ]
    for name in sets:
        lines += _set_lines(name, [row for row in rows if row["set"] == name])
    return "\n".join(lines) + "\n"


def _drawn(rows: list[Row]) -> str:
    most = max((row["people"] for row in rows), default=0)
    if not most:
        return ""
    return (
        f", for {most:,} people drawn where a set has more, and what these lose taken from the "
        "dense figure of all"
    )


def _otherwise(rows: list[Row]) -> str:
    said = {row["model"]: row["parameters"] for row in rows if row["parameters"]}
    if not said:
        return ""
    return ", but for " + "; ".join(f"{name} with {params}" for name, params in said.items())


def _set_lines(name: str, rows: list[Row]) -> Iterator[str]:
    yield from ("", f"### {name}")
    metrics = list(dict.fromkeys(row["metric"] for row in rows if not row["failed"]))
    # Who orders impressions makes no lists, and the other way round.
    ordered = [one for one in metrics if one.startswith(ORDERED)]
    for same in ([one for one in metrics if one not in ordered], ordered):
        for start in range(0, len(same), METRICS_A_TABLE):
            some = same[start : start + METRICS_A_TABLE]
            yield ""
            yield from _table([row for row in rows if row["metric"] in some], some)
    failed = [row for row in rows if row["failed"]]
    if failed:
        yield ""
        yield from (f"{row['model']} failed: {row['failed']}." for row in failed)


def _table(rows: list[Row], metrics: list[str]) -> Iterator[str]:
    heads = ["model", *(f"{one}, dense ± | served" for one in metrics), "fit s", "ms a list", "MB"]
    yield "| " + " | ".join(heads) + " |"
    yield "|---|" + "--:|" * (2 * len(metrics) + 3)
    best = {row["metric"]: row for row in rows if row["published"] is not None}
    if best:
        cells = [_known(best[one]) if one in best else "" for one in metrics]
        yield "| best known | " + " | ".join(f"{cell} |" for cell in cells) + " | | | |"
    found = {(row["model"], row["metric"], row["form"]): row for row in rows}
    models = {row["model"] for row in rows}
    for model in sorted(models, key=lambda one: -_value(found.get((one, metrics[0], DENSE)))):
        cells = [
            f"{_shown(found.get((model, one, DENSE)))} | {_plain(found.get((model, one, SERVED)))}"
            for one in metrics
        ]
        cost = next(row for row in rows if row["model"] == model)
        costs = (f"{cost['seconds']:.1f}", f"{cost['list_ms']:.2f}", f"{cost['peak_mb']:,}")
        yield "| " + " | ".join([model, *cells, *costs]) + " |"


def _known(row: Row) -> str:
    return f"{row['published']:.4f} {row['published_by']}"


def _value(row: Row | None) -> float:
    return float("-inf") if row is None or row["value"] is None else float(row["value"])


def _plain(row: Row | None) -> str:
    return "" if row is None or row["value"] is None else f"{row['value']:.4f}"


def _shown(row: Row | None) -> str:
    if row is None or row["low"] is None or row["high"] is None:
        return _plain(row)
    return f"{_plain(row)} ± {(row['high'] - row['low']) / 2:.4f}"


def machine() -> str:
    """Processor, cores and memory, without a name."""
    told = Path("/proc/cpuinfo")
    text = told.read_text(encoding="utf-8") if told.exists() else ""
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    name = model.group(1).strip() if model else platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    python = platform.python_version()
    return f"{os.cpu_count()} cores of {name}, {memory:.0f} GiB, Python {python}"


def commit() -> str:
    """The commit of the checkout this is run from; 'unknown' outside of one."""
    words = ["git", "-C", str(Path(__file__).parents[1]), "rev-parse", "--short", "HEAD"]
    try:
        done = subprocess.run(words, capture_output=True, text=True)
    except FileNotFoundError:
        return "unknown"
    return done.stdout.strip() or "unknown"
