"""The long part of erasing: lake, histories and files, one step after the other, resumable."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from shutil import rmtree

import polars as pl

from data.erasures import Erasures
from data.histories_build import are_fresh, build_histories
from data.histories_file import pointed
from data.home import Home
from data.lake import Lake
from data.record import Record
from data.record_erasures import STEPS, Erasure, marks_of
from recsys.files import fsync_folder, locked, make_folder, write_atomic


def finish_erasures(home: Home, *, now: datetime, record: Record | None = None) -> int:
    """Bring every erasure that was asked for to its end; how many are over now.

    Whatever kills it, the next call goes on: every step is written down when it is done, and may
    be done twice.

    Raises
    ------
    StoreUnavailable
        The record cannot be written or cleaned now.
    """
    with _record_of(home, record) as held:
        erasures = Erasures(home, held)
        make_folder(home.keys)
        with locked(home.keys):
            erasures.bury_again(at=now)
            pending = held.erasing.pending()
            if not pending:
                return 0
            return _run(home, erasures, pending, now)


@contextmanager
def _record_of(home: Home, record: Record | None) -> Iterator[Record]:
    if record is not None:
        yield record
        return
    made = Record.of(home)
    try:
        yield made
    finally:
        made.close()


def _run(home: Home, erasures: Erasures, pending: list[Erasure], now: datetime) -> int:
    """All of them together, so that the lake is written anew once and not once a person."""
    erasing = erasures.record.erasing
    pending = [erasures.clear_record(one) for one in pending]
    ids = sorted({user_id for one in pending for user_id in one.ids})
    works: dict[str, Callable[[], object]] = {
        "pages": partial(erasing.clean_pages, ids),
        "lake": partial(_clear_lake, home, ids),
        "histories": partial(clear_histories, home),
        "files": partial(_clear_files, home, ids),
    }
    if not home.config().get("hot", {}).get("url"):
        # With copies in Redis the service does this step: it knows where they are.
        works["copies"] = bool
    for step, work in works.items():
        if any(step not in one.steps for one in pending):
            work()
            pending = [erasing.step_done(one, step) for one in pending]
    over = [one for one in pending if set(one.steps) >= set(STEPS)]
    for one in over:
        erasing.finish(one, at=now)
    return len(over)


def _clear_lake(home: Home, ids: list[str]) -> None:
    if home.lake.exists():
        Lake(home.lake).keep_only(~pl.col("user_id").is_in(ids))


def clear_histories(home: Home) -> None:
    """Build them anew, and leave none of before: they are by person."""
    if not home.histories.exists():
        return
    if not are_fresh(home):
        build_histories(home)
    in_use = pointed(home.histories)
    for path in [*home.histories.glob("v*"), *home.histories.glob(".v*")]:
        if path.name != in_use:
            rmtree(path)
    fsync_folder(home.histories)


def _clear_files(home: Home, ids: list[str]) -> None:
    """Bad lines of imports, without those that name the person."""
    marks = {mark for one in ids for mark in marks_of(one)}
    for path in sorted(home.quarantine.glob("*.jsonl")) if home.quarantine.exists() else []:
        _clear_file(path, marks)


def _clear_file(path: Path, marks: set[bytes]) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if not any(mark in line for mark in marks)]
    if len(kept) != len(lines):
        write_atomic(path, b"".join(kept))
