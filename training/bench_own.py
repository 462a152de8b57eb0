"""Our side of `dapei bench training`, in a process of its own: one step after the other, timed.

`python -m training.bench_own` reads what is asked as JSON from its input: a file of pairs, to be
loaded, learned and answered as other libraries are asked to, or a size of world to learn.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from recsys.catalog import Kind
from recsys.events import EventType
from recsys.interactions import Rows
from recsys.models.base import Model
from recsys.models.table import model_named
from training.bench_child import peak_mb
from training.bench_figures import served_lists
from training.bench_synthetic import world
from training.bench_trial import Log, Trial, plain_catalog, taste_of
from training.config import ALL_TYPES, TrainConfig

Seconds = dict[str, float]


@contextmanager
def timed(
    seconds: Seconds, name: str, clock: Callable[[], float] = time.perf_counter
) -> Iterator[None]:
    """Note how long what is inside takes by some clock, under a name."""
    started = clock()
    yield
    seconds[name] = clock() - started


def compare(file: Path, kinds: dict[str, dict[str, Any]], k: int) -> Seconds:
    """Load pairs, learn each kind of model and make a list of k for everybody, as for requests.

    Parameters
    ----------
    file
        Parquet with columns user and item, whole numbers from 0.
    kinds
        By name in the table of models: hyperparameters.
    """
    seconds: Seconds = {}
    with timed(seconds, "load"):
        trial = _loaded(file, k)
    for name, said in kinds.items():
        model: Model = model_named(name)(**said)
        with timed(seconds, f"{name} fit"):
            model.fit(trial.train, trial.catalog)
        with timed(seconds, f"{name} recommend"):
            served_lists(trial, model)
    return seconds


def _loaded(file: Path, k: int) -> Trial:
    frame = pl.read_parquet(file)
    persons, items = (frame[name].to_numpy() for name in ("user", "item"))
    catalog = plain_catalog(1 + int(items.max()), Kind.PRODUCT)
    log = Log.of(persons, items, EventType.VIEW)
    train = taste_of(catalog).rows(log.histories(1 + int(persons.max())), as_of_ms=0)
    own = np.split(train.items, train.offsets[1:-1])
    return Trial(
        name=file.stem,
        catalog=catalog,
        train=train,
        known=train,
        excluded=own,
        targets=own,
        kind=Kind.PRODUCT,
        metrics=(f"Recall@{k}",),
    )


def grow(n_events: int, n_items: int, seed: int) -> Seconds:
    """Learn every model that a shop serves with, as shipped, from a drawn world.

    Returns
    -------
    Seconds of all processors by model: what else the machine does at the time hardly changes them.
    """
    seconds: Seconds = {}
    drawn = world(n_events, n_items, seed)
    taste, config = taste_of(drawn.catalog), TrainConfig()
    rows: dict[frozenset[EventType], Rows] = {}
    with timed(seconds, "rows", time.process_time):
        rows[ALL_TYPES] = taste.rows(drawn.histories, drawn.until_ms)
    for name, said in config.used_models.items():
        with timed(seconds, name, time.process_time):
            if said.learns_from not in rows:
                rows[said.learns_from] = rows[ALL_TYPES].only(said.learns_from)
            said.new(seed).fit(rows[said.learns_from], drawn.catalog)
    return seconds


def main() -> None:
    """Answer the one ask on the standard input."""
    ask = orjson.loads(sys.stdin.buffer.read())
    started = time.perf_counter()
    if "file" in ask:
        seconds = compare(Path(ask["file"]), ask["kinds"], ask["k"])
    else:
        seconds = grow(ask["events"], ask["items"], ask["seed"])
    wall_s = time.perf_counter() - started
    sys.stdout.buffer.write(
        orjson.dumps({"seconds": seconds, "wall_s": wall_s, "peak_mb": peak_mb()})
    )


if __name__ == "__main__":
    main()
