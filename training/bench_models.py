"""`dapei bench models`: every model on every set, each in its own process, one row a figure."""

import hashlib
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from recsys.files import write_atomic
from training.bench_child import Ask
from training.bench_contenders import RANKER, members
from training.bench_sets import protocol_of
from training.fit import Progress, quiet

Row = dict[str, Any]
Answer = dict[str, Any]
ROOMS = Path(__file__).parents[1]
PUBLISHED = Path(__file__).with_name("published.toml")
# What makes two runs the same run.
SAME = ("set", "asked", "seed", "people", "folds", "parameters", "version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be measured.

    Parameters
    ----------
    folders
        Of the sets; those without a protocol are told and left out.
    parameters
        By model: what differs from its defaults.
    people, has_folds
        As `Ask` has them.
    limit_s
        After so many seconds a model on a set is given up.
    """

    folders: list[Path]
    models: list[str]
    parameters: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    seed: int = 1
    people: int = 0
    has_folds: bool = True
    limit_s: float = 3_600.0

    def asks(self, folder: Path) -> list[Ask]:
        """What is asked of one set."""
        return [
            Ask(
                folder=str(folder),
                model=name,
                parameters=self._of(name),
                seed=self.seed,
                people=self.people,
                has_folds=self.has_folds,
            )
            for name in self.models
            if name != RANKER or protocol_of(folder) == "sv"
        ]

    def _of(self, name: str) -> dict[str, Any]:
        """What differs from the defaults; of a blend, by member."""
        if members(name) == [name]:
            return self.parameters.get(name, {})
        return {one: self.parameters[one] for one in members(name) if one in self.parameters}


@dataclass(slots=True)
class Report:
    """What came of a plan.

    Attributes
    ----------
    rows
        One for each figure, or for each failure of a model.
    skipped
        Why sets were left out, and which models had nothing to say.
    broken
        What is wrong with sets that could not be read.
    """

    rows: list[Row] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def failures(self) -> list[str]:
        """What went wrong, one line each."""
        failed = [row for row in self.rows if row["failed"]]
        return self.broken + [
            f"{row['set']}: {row['model']} failed: {row['failed']}" for row in failed
        ]


def in_child(ask: Ask, limit_s: float) -> Answer:
    """What a child answers; a child that died or took too long has failed."""
    command = [sys.executable, "-m", "training.bench_child"]
    try:
        done = subprocess.run(command, input=ask.plain(), capture_output=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        return {"failed": f"not done after {limit_s:g} s"}
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        last = lines[-1] if lines else "it said nothing"
        return {"failed": f"exit code {done.returncode}: {last}"}
    answered: Answer = orjson.loads(done.stdout)
    return answered


def run(
    plan: Plan,
    file: Path | None = None,
    *,
    progress: Progress = quiet,
    asked: Callable[[Ask, float], Answer] = in_child,
) -> Report:
    """Measure all of a plan; with a file, what it holds already is not measured again.

    Parameters
    ----------
    file
        Of rows as JSON, written anew after each model, so that a run may be broken off.
    asked
        From an ask and the seconds allowed to its answer.
    """
    report, kept = Report(), Kept(file)
    for folder in plan.folders:
        if protocol_of(folder) is None:
            report.skipped.append(f"{folder.name} skipped: its name begins with no protocol")
            continue
        asks = plan.asks(folder)
        for done, ask in enumerate(asks):
            progress(f"{folder.name}: {ask.model}", done, len(asks))
            rows = kept.of(ask) or _told(asked(ask, plan.limit_s), ask, report)
            if rows is None:
                break
            report.rows += rows
            kept.add(rows)
        progress(folder.name, len(asks), len(asks))
    return report


def _told(found: Answer, ask: Ask, report: Report) -> list[Row] | None:
    """The rows of an answer; None if nothing of the set can be asked, which is noted."""
    folder = Path(ask.folder)
    if "broken" in found:
        report.broken.append(f"{folder.name} is broken: {found['broken']}")
        return None
    if "skipped" in found:
        report.skipped.append(f"{folder.name} skipped: {found['skipped']}")
        return None
    if "left_out" in found:
        report.skipped.append(f"{folder.name}: {ask.model} left out: {found['left_out']}")
        return []
    figures = found.get("figures", [{}])
    return [row_of(ask, figure, found) for figure in figures]


def row_of(ask: Ask, figure: Row, found: Answer) -> Row:
    """One figure with all that it is to be understood by; a failure has no value."""
    folder = Path(ask.folder)
    best = published().get(folder.name, {}).get(str(figure.get("metric")), {})
    return {
        **_identity(ask),
        "model": figure.get("model", ask.model),
        "form": figure.get("form"),
        "metric": figure.get("metric"),
        "value": figure.get("value"),
        "low": figure.get("low"),
        "high": figure.get("high"),
        "n": figure.get("n"),
        "published": best.get("value"),
        "published_by": best.get("by"),
        "seconds": figure.get("seconds"),
        "cpu_s": figure.get("cpu_s"),
        "list_ms": figure.get("list_ms"),
        "peak_mb": found.get("peak_mb"),
        "failed": found.get("failed"),
    }


def _identity(ask: Ask) -> Row:
    return {
        "set": Path(ask.folder).name,
        "asked": ask.model,
        "seed": ask.seed,
        "people": ask.people,
        "folds": ask.has_folds,
        "parameters": ask.parameters,
        "version": version(Path(ask.folder)),
    }


class Kept:
    """The rows of a file, and which of them need not be measured again."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.rows: list[Row] = []
        if file is not None and file.exists():
            self.rows = orjson.loads(file.read_bytes())

    def of(self, ask: Ask) -> list[Row]:
        """The finished rows of just this ask; none if it failed or anything differs."""
        identity = _identity(ask)
        return [
            row
            for row in self.rows
            if not row["failed"] and all(row[name] == identity[name] for name in SAME)
        ]

    def add(self, rows: list[Row]) -> None:
        """Take rows in, in place of those of the same set and model, and write the file."""
        if not rows:
            return
        named = {(row["set"], row["asked"]) for row in rows}
        others = [row for row in self.rows if (row["set"], row["asked"]) not in named]
        self.rows = others + rows
        if self.file is not None:
            write_atomic(self.file, orjson.dumps(self.rows, option=orjson.OPT_INDENT_2))


@cache
def published() -> dict[str, dict[str, Row]]:
    """By set and metric: the best figure known, and whose it is."""
    return tomllib.loads(PUBLISHED.read_text(encoding="utf-8"))


@cache
def version(folder: Path) -> str:
    """What the figures of a set depend on besides parameters: our code, and the set's files."""
    digest = hashlib.sha256(_code())
    for path in sorted(folder.iterdir()):
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
    return digest.hexdigest()[:12]


@cache
def _code() -> bytes:
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(path.read_bytes())
    return digest.digest()


def _sources() -> Iterator[Path]:
    """What may change a figure: the library and this room, not what only shows or serves."""
    for room in ("recsys", "training"):
        yield from sorted((ROOMS / room).rglob("*.py"))
