"""Lake → histories on disk, one range of persons at a time, so memory does not grow with events."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.ahead import ahead
from data.histories_file import ABOUT, POINTER, Past
from data.home import Home
from data.keys import Met, text_keys
from data.lake import Lake, Manifest
from data.runs import person_ranges
from recsys.arrays import flat, save
from recsys.errors import StoreUnavailable
from recsys.events import PLATFORM_NUMBERS, EventType, Platform, choice_key, text_key
from recsys.files import fsync_folder, fsync_tree, locked, make_folder, write_atomic
from recsys.histories import SHARED_BY, SHARED_TYPES, UNDATED, History, order_key
from recsys.ids import IdMap, Ints

ROWS_TOGETHER = 2_000_000
# The version in use and the one before: somebody may be opening the latter.
VERSIONS_KEPT = 2
_COUNTED = [EventType.CART, EventType.UNCART, EventType.ORDER, EventType.REFUND]
_READ = ["person", "key", "user_id", "item_id", "type", "at_ms", "play_s", "dwell_s", "quantity"]
_READ += ["duration_s", "order_id", "choice", "platform", "props"]

Progress = Callable[[int, int], None]


def build_histories(
    home: Home, *, record_seq: int | None = None, progress: Progress | None = None
) -> Past:
    """Write everybody's history anew from the lake and point to it.

    An event counts once for its person, whichever ways it came.

    Parameters
    ----------
    record_seq
        What the caller takes the lake to hold of the record; checked, not set.
    progress
        Called with events done and events in all.

    Raises
    ------
    ValueError
        The lake holds another part of the record.
    """
    lake = Lake(home.lake)
    make_folder(home.histories)
    with locked(home.histories):
        manifest = lake.manifest()
        if record_seq is not None and record_seq != manifest.record_seq:
            raise ValueError(
                f"record_seq is not the lake's, got {record_seq}; allowed: {manifest.record_seq}"
            )
        version = _next_version(home.histories)
        draft = home.histories / f".{version}"
        _remove_unfinished(home.histories)
        draft.mkdir()
        _write(lake, manifest, draft, progress or _silent)
        fsync_tree(draft)
        draft.rename(home.histories / version)
        # A disk may keep the pointer's new name and lose the folder's, though that came first.
        fsync_folder(home.histories)
        write_atomic(home.histories / POINTER, version.encode("ascii"))
        _remove_old(home.histories)
    past = Past.open(home.histories)
    if past is None:
        raise AssertionError("the pointer was just written")
    return past


def are_fresh(home: Home) -> bool:
    """Whether the histories hold exactly what the lake holds."""
    try:
        past = Past.open(home.histories)
    except StoreUnavailable:
        # Damaged, or of before a column was added: built anew they are whole again.
        return False
    return past is not None and past.lake_version == Lake(home.lake).manifest().events_version


def _silent(done: int, total: int) -> None:
    pass


def _next_version(folder: Path) -> str:
    # A version that was never pointed to, because its writer was killed, has its number, too.
    latest = max((int(path.name[1:]) for path in folder.glob("v*")), default=0)
    return f"v{1 + latest:08}"


def _remove_unfinished(folder: Path) -> None:
    for path in folder.glob(".v*"):
        shutil.rmtree(path)


def _remove_old(folder: Path) -> None:
    for path in sorted(folder.glob("v*"))[:-VERSIONS_KEPT]:
        shutil.rmtree(path)


def _write(lake: Lake, manifest: Manifest, folder: Path, progress: Progress) -> None:
    writing = _Writing(folder)
    done = 0
    progress(done, manifest.rows)
    for n_rows, events in ahead(_ranges(lake, manifest)):
        writing.add(events)
        done += n_rows
        progress(done, manifest.rows)
    writing.close()
    about = {"record_seq": manifest.record_seq, "lake_version": manifest.events_version}
    (folder / ABOUT).write_text(json.dumps(about | {"events": writing.n_events}))


def _ranges(lake: Lake, manifest: Manifest) -> Iterator[tuple[int, pl.DataFrame]]:
    """Whole histories of one range of persons after the other, and how many rows they were."""
    if not manifest.parts:
        return
    events = lake.scan(manifest).select(_READ)
    for of_range in person_ranges(-(-manifest.rows // ROWS_TOGETHER)):
        part = events.filter(of_range).collect()
        yield part.height, _in_order(part)


def _in_order(events: pl.DataFrame) -> pl.DataFrame:
    """Each event once, persons together, oldest first; ties as they came."""
    events = _once(events).with_columns(pl.col("at_ms").fill_null(int(UNDATED)))
    in_order = events.sort("person", maintain_order=True)
    if _n_changes(in_order["user_id"]) > _n_changes(in_order["person"]):
        # Two ids share a key, once in 10^19 pairs: without this their events would mix.
        return events.sort("person", "user_id", "at_ms", maintain_order=True)
    # Parts come by day and are in order of time inside, so mostly nothing is left to do.
    return (
        in_order if _are_in_time(in_order) else events.sort("person", "at_ms", maintain_order=True)
    )


def _are_in_time(events: pl.DataFrame) -> bool:
    persons, at_ms = events["person"].to_numpy(), events["at_ms"].to_numpy()
    return not ((persons[1:] == persons[:-1]) & (at_ms[1:] < at_ms[:-1])).any()


def _n_changes(column: pl.Series) -> int:
    return int((column != column.shift(1)).sum())


def _once(events: pl.DataFrame) -> pl.DataFrame:
    # Sorting bare numbers is far cheaper than the check it mostly saves.
    both = np.sort(events["person"].to_numpy() ^ (events["key"].to_numpy() * np.uint64(3)))
    if not (both[1:] == both[:-1]).any():
        return events
    return events.unique(["person", "user_id", "key"], keep="first", maintain_order=True)


def _value() -> pl.Expr:
    """The column of `recsys.histories.event_value`."""
    kind = pl.col("type")
    value = (
        pl.when(kind == EventType.PLAY)
        .then("play_s")
        .when(kind.is_in(_COUNTED))
        .then(pl.col("quantity").cast(pl.Float32))
        .otherwise("dwell_s")
    )
    return value.fill_null(float("nan")).alias("value")


def _keys(texts: pl.Series, key_of: Callable[[str], int]) -> Ints:
    """A key for each text; 0 where there is none."""
    named = texts.drop_nulls().unique().to_list()
    if not named:
        return np.zeros(len(texts), dtype=np.int64)
    keys = pl.Series([key_of(one) for one in named], dtype=pl.Int64)
    mapped = texts.replace_strict(pl.Series(named), keys, default=0, return_dtype=pl.Int64)
    return mapped.to_numpy()


def _named(events: pl.DataFrame) -> Ints:
    """The column of `recsys.histories.named_key`."""
    kind = events["type"].to_numpy()
    found = _keys(events["order_id"], order_key)
    is_choice, may_be_shared = kind == EventType.CHOOSE, np.isin(kind, SHARED_TYPES)
    found = np.where(is_choice | may_be_shared, 0, found)
    if is_choice.any():
        found[is_choice] = _keys(events["choice"].filter(is_choice), choice_key)
    friends = events["props"].filter(may_be_shared)
    # Hardly any event has props, and to read JSON is slow.
    if friends.null_count() < len(friends):
        found[may_be_shared] = _keys(_friends(friends), text_key)
    return found


def _friends(props: pl.Series) -> pl.Series:
    said = [None if one is None else json.loads(one).get(SHARED_BY) for one in props.to_list()]
    return pl.Series(
        [one if isinstance(one, str) and one else None for one in said], dtype=pl.String
    )


def _platforms(words: pl.Series) -> NDArray[np.int8]:
    """The column of platforms' numbers; what nobody named is "other"."""
    numbers = {one.value: number for one, number in PLATFORM_NUMBERS.items()}
    found = words.replace_strict(
        numbers, default=numbers[Platform.OTHER.value], return_dtype=pl.Int8
    )
    return found.to_numpy()


@dataclass(slots=True)
class _Writing:
    """The arrays of `histories_file.People` while they grow."""

    folder: Path
    columns: dict[str, "_Growing"] = field(init=False)
    user_ids: list[str] = field(default_factory=list)
    lengths: list[Ints] = field(default_factory=list)
    item_ids: list[str] = field(default_factory=list)
    met: Met = field(default_factory=Met)
    n_events: int = 0

    def __post_init__(self) -> None:
        empty = flat(History.empty(), "people.histories.events")
        self.columns = {
            name: _Growing(self.folder / f"{name}.npy", array.dtype)
            for name, array in empty.items()
        }

    def add(self, events: pl.DataFrame) -> None:
        """Append the whole histories of some persons."""
        if events.height == 0:
            return
        persons = events["user_id"].rle().struct.unnest()
        self.user_ids += persons["value"].to_list()
        self.lengths.append(persons["len"].to_numpy().astype(np.int64))
        self.n_events += events.height
        history = History(
            item=self._positions(events),
            type=events["type"].to_numpy(),
            at_ms=events["at_ms"].to_numpy(),
            value=events.select(_value()).to_series().to_numpy(),
            duration_s=events["duration_s"].fill_null(float("nan")).to_numpy(),
            order=_named(events),
            platform=_platforms(events["platform"]),
        )
        for f in fields(History):
            self.columns[f"people.histories.events.{f.name}"].append(getattr(history, f.name))

    def _positions(self, events: pl.DataFrame) -> NDArray[np.int32]:
        """Each event's item; items met for the first time get the next positions."""
        positions, fresh = self.met.meet(text_keys(events["item_id"]))
        self.item_ids += events["item_id"][fresh].to_list()
        return positions

    def close(self) -> None:
        """Write what is known only at the end."""
        for column in self.columns.values():
            column.close()
        offsets = np.zeros(len(self.user_ids) + 1, dtype=np.int64)
        if self.lengths:
            np.cumsum(np.concatenate(self.lengths), out=offsets[1:])
        save({"people.histories.offsets": offsets}, self.folder)
        save(flat(IdMap.of(self.user_ids), "people.user_ids"), self.folder)
        save(flat(IdMap.of(self.item_ids), "people.item_ids"), self.folder)


@dataclass(slots=True)
class _Growing:
    """One .npy file that is appended to; its header is written again when the length is known."""

    path: Path
    dtype: np.dtype[Any]
    length: int = 0
    _file: BinaryIO = field(init=False)

    def __post_init__(self) -> None:
        self._file = self.path.open("wb")
        self._head()

    def append(self, values: NDArray[Any]) -> None:
        """Add values of the file's type."""
        self._file.write(np.ascontiguousarray(values, dtype=self.dtype).data)
        self.length += len(values)

    def close(self) -> None:
        """Finish the file."""
        self._file.seek(0)
        self._head()
        self._file.close()

    def _head(self) -> None:
        # numpy leaves room in the header for the first axis to grow.
        header = {"descr": self.dtype.str, "fortran_order": False, "shape": (self.length,)}
        np.lib.format.write_array_header_1_0(self._file, header)
