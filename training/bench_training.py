"""`dapei bench training`: how long learning takes, next to other libraries, and how it grows."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import orjson
import polars as pl

from recsys.errors import RecsysError
from recsys.models.base import parameters
from recsys.models.table import model_named
from training.bench_pairs import split_of
from training.bench_synthetic import pairs
from training.bench_tables import matching
from training.fit import Progress, quiet

Row = dict[str, Any]
OWN = "dapei"
PEERS = Path(__file__).with_name("bench_peers.py")
# RecTools wants numpy below 2, and pyarrow above 21 wants it at 2 or above.
REQUIREMENTS = ("rectools==0.19.0", "pyarrow<22")
# The same model kinds at the same size: what both name by the same words, as we ship it.
SAME = {"als": ("factors", "iterations", "seed"), "item_knn": ("n_neighbours",)}
K = 20
N_SIZES = 5


class NotInstalled(RecsysError):
    """Another library could not be had."""

    code = "not_installed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Sizes of worlds to learn: each has twice the acts of the one before.

    Parameters
    ----------
    up_to
        Acts of the largest one.
    number
        How many sizes there are.
    """

    up_to: int
    items: int
    number: int = N_SIZES
    seed: int = 1

    def events(self) -> list[int]:
        """The acts of each world, the smallest first."""
        return [self.up_to // 2**step for step in reversed(range(self.number))]


@contextmanager
def throw_away() -> Iterator[Path]:
    """A Python of its own that has RecTools, gone afterwards.

    Raises
    ------
    NotInstalled
        It could not be made, say because there is no package index to be reached.
    """
    with tempfile.TemporaryDirectory(prefix="dapei-peers-") as folder:
        python = Path(folder) / "bin" / "python"
        install = [str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS]
        for command in ([sys.executable, "-m", "venv", folder], install):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                lines = (done.stderr or done.stdout).strip().splitlines()
                raise NotInstalled(
                    f"{' '.join(REQUIREMENTS)} could not be installed, got "
                    f"{lines[-1] if lines else 'no word'}; needed: a package index in reach"
                )
        yield python


def pairs_of(folder: Path | None, n_events: int, n_items: int, file: Path) -> int:
    """Write the pairs to learn from, of a set or drawn, as user and item; returns how many."""
    if folder is None:
        persons, items = pairs(n_events, n_items, seed=1)
    else:
        split = split_of({"train": matching(folder, "train")[0]}).parts["train"]
        persons, items = split.persons, split.items
    pl.DataFrame({"user": persons, "item": items}).write_parquet(file)
    return len(persons)


def kinds() -> dict[str, dict[str, Any]]:
    """The models that all have, with the hyperparameters that size them."""
    found = {}
    for name, names in SAME.items():
        said = parameters(model_named(name)())
        found[name] = {word: said[word] for word in names}
    return found


def compare(file: Path, rounds: int, *, progress: Progress = quiet) -> list[Row]:
    """Seconds of each step of each library, in turns, and how many times ours they are.

    A round runs every library once, each in a fresh process, and the next one in the other order,
    so that whatever else the machine does meets all of them alike; ratios are within a round.
    """
    ask = orjson.dumps({"file": str(file), "kinds": kinds(), "k": K})
    with throw_away() as python:
        commands = {
            OWN: [sys.executable, "-m", "training.bench_own"],
            "implicit": [sys.executable, str(PEERS), "implicit"],
            "rectools": [str(python), str(PEERS), "rectools"],
        }
        turns: list[dict[str, Row]] = []
        for number in range(rounds):
            order = list(commands)[:: 1 if number % 2 == 0 else -1]
            turn = {}
            for done, name in enumerate(order):
                progress(f"libraries: {name}", number * len(commands) + done, rounds * 3)
                turn[name] = _answer(commands[name], ask)
            turns.append(turn)
    progress("libraries", rounds * 3, rounds * 3)
    return list(_compared(turns))


def _compared(turns: list[dict[str, Row]]) -> Iterator[Row]:
    for step in turns[0][OWN]["seconds"]:
        for library in turns[0]:
            seconds = [turn[library]["seconds"][step] for turn in turns]
            ratios = [
                mine / turn[OWN]["seconds"][step] for mine, turn in zip(seconds, turns, strict=True)
            ]
            yield {
                "step": step,
                "library": library,
                "seconds": round(median(seconds), 4),
                "rounds": [round(one, 4) for one in seconds],
                "times_ours": round(median(ratios), 3),
                "peak_mb": max(turn[library]["peak_mb"] for turn in turns),
            }


def grow(sizes: Sizes, *, progress: Progress = quiet) -> list[Row]:
    """Processor seconds of each model that a shop serves with, and peak memory, at each size.

    The seconds on the wall, the drawing of the world included, are given once for all.
    """
    rows = []
    for done, events in enumerate(sizes.events()):
        progress(f"growth: {events:,} acts", done, sizes.number)
        ask = orjson.dumps({"events": events, "items": sizes.items, "seed": sizes.seed})
        found = _answer([sys.executable, "-m", "training.bench_own"], ask)
        seconds = {name: round(one, 3) for name, one in found["seconds"].items()}
        rows.append(
            {
                "events": events,
                "items": sizes.items,
                "seconds": seconds,
                "total_s": round(sum(seconds.values()), 3),
                "wall_s": round(found["wall_s"], 1),
                "peak_mb": found["peak_mb"],
            }
        )
    progress("growth", sizes.number, sizes.number)
    return rows


def exponent(rows: list[Row]) -> float:
    """By which power of the acts the seconds grow in all; 1 is linear, NaN unknown."""
    if len(rows) < 2:
        return float("nan")
    events = np.log([row["events"] for row in rows])
    seconds = np.log([max(row["total_s"], 1e-3) for row in rows])
    return float(np.polyfit(events, seconds, 1)[0])


def _answer(command: list[str], ask: bytes) -> Row:
    """What a child answers; RecsysError with its last words if it died."""
    done = subprocess.run(command, input=ask, capture_output=True)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise RecsysError(f"{Path(command[-1]).name} died: {lines[-1] if lines else 'no word'}")
    answered: Row = orjson.loads(done.stdout)
    return answered
