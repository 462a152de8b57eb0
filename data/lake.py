"""The lake: events as Parquet by day, sorted by person, and a snapshot of the items.

A part is visible only through the manifest, which is replaced as a whole; so whatever kills a
writer, a reader sees all of its events or none.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path

import orjson
import polars as pl

from data.ahead import ahead
from data.lake_tables import EVENT_COLUMNS, conformed, events_table, items_of, items_table, keyed
from data.poison import dead_letters, sifted
from data.record import Record
from data.runs import NO_DAY, Runs
from recsys.catalog import Item
from recsys.errors import StoreUnavailable
from recsys.events import moment
from recsys.files import fsync_folder, locked, make_folder, write_atomic

MANIFEST, ITEMS, EVENTS, WORK = "manifest.json", "items.parquet", "events", "work"
# Histories are built by ranges of persons; the smaller the groups, the less is read twice.
ROWS_A_GROUP = 32_768
_VERSION_KEY = "dapei_item_version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One Parquet file of events.

    Parameters
    ----------
    path
        Below the lake's folder.
    day
        ISO date, UTC; None for undated events.
    """

    path: str
    day: str | None
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A file that is in the lake or, for a catalogue, in the record.

    Parameters
    ----------
    import_id
        Hash of the file's content and of its mapping.
    read, loaded, quarantined, skipped
        Lines: all; those that kept the contract; those that did not; those the mapping left out.
    events
        Events that came of the loaded lines.
    """

    import_id: str
    mapping: str
    file: str
    read: int
    loaded: int
    quarantined: int
    skipped: int
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What the lake holds.

    Parameters
    ----------
    version
        Counts the changes.
    events_version
        The version in which events last came in.
    record_seq
        Events of the record up to this number are in the lake.
    """

    version: int = 0
    events_version: int = 0
    record_seq: int = 0
    parts: tuple[Part, ...] = ()
    imports: tuple[Imported, ...] = ()

    @property
    def rows(self) -> int:
        """How many events there are; one that came from two sources counts twice."""
        return sum(part.rows for part in self.parts)


@dataclass(slots=True)
class Draft:
    """What one writer adds: written, not yet visible.

    Parameters
    ----------
    work
        A folder for passing files; gone when the writer ends.
    instead
        By path: what takes the place of a part that is there, if anything does.
    """

    lake: "Lake"
    manifest: Manifest
    work: Path
    parts: list[Part] = field(default_factory=list)
    instead: dict[str, Part | None] = field(default_factory=dict)

    def runs(self) -> Runs:
        """Room for events on their way to be sorted."""
        folder = self.work / f"runs-{len(list(self.work.iterdir()))}"
        folder.mkdir()
        return Runs(folder)

    def add(self, runs: Runs) -> Iterator[int]:
        """Write what the runs hold, day by day; yields how many rows each part took."""
        for day, events in ahead(runs.days()):
            self.parts.append(self._write(day, conformed(keyed(events))))
            yield events.height
        shutil.rmtree(runs.folder)

    def replace(self, part: Part, events: pl.DataFrame) -> None:
        """Let other events take the place of a part; none, and it goes."""
        new = self._written(part.day, conformed(events)) if events.height else None
        self.instead[part.path] = new

    def _write(self, day: int, events: pl.DataFrame) -> Part:
        iso = None if day == NO_DAY else (date(1970, 1, 1) + timedelta(days=day)).isoformat()
        return self._written(iso, events)

    def _written(self, iso: str | None, events: pl.DataFrame) -> Part:
        folder = self.lake.folder / EVENTS / (iso or "undated")
        make_folder(folder)
        number = len(self.parts) + len(self.instead)
        path = folder / f"{self.manifest.version + 1:08}-{number:05}.parquet"
        events.write_parquet(
            path, compression="zstd", compression_level=1, row_group_size=ROWS_A_GROUP
        )
        return Part(path=str(path.relative_to(self.lake.folder)), day=iso, rows=events.height)

    def commit(
        self, *, imports: tuple[Imported, ...] = (), record_seq: int | None = None
    ) -> Manifest:
        """Make everything visible in one step."""
        new = [*self.parts, *(part for part in self.instead.values() if part is not None)]
        for part in new:
            _fsync(self.lake.folder / part.path)
        for folder in {(self.lake.folder / part.path).parent for part in new}:
            fsync_folder(folder)
        before = self.manifest
        brings_events = bool(new) or bool(self.instead) or record_seq is not None
        # In the place of the old one: which of two events of one time came first must not change.
        kept = (self.instead.get(part.path, part) for part in before.parts)
        after = Manifest(
            version=before.version + 1,
            events_version=before.version + 1 if brings_events else before.events_version,
            record_seq=before.record_seq if record_seq is None else record_seq,
            parts=(*(part for part in kept if part is not None), *self.parts),
            imports=(*before.imports, *imports),
        )
        write_atomic(self.lake.folder / MANIFEST, orjson.dumps(asdict(after)))
        self.manifest, self.parts, self.instead = after, [], {}
        return after


@dataclass(frozen=True, slots=True)
class Lake:
    """A lake's folder; it need not be there yet."""

    folder: Path

    def manifest(self) -> Manifest:
        """What the lake holds now.

        Raises
        ------
        StoreUnavailable
            The manifest is damaged.
        """
        path = self.folder / MANIFEST
        if not path.exists():
            return Manifest()
        try:
            said = orjson.loads(path.read_bytes())
            said["parts"] = tuple(Part(**part) for part in said["parts"])
            said["imports"] = tuple(Imported(**one) for one in said["imports"])
            return Manifest(**said)
        except (orjson.JSONDecodeError, KeyError, TypeError) as cause:
            raise StoreUnavailable(f"{path} is damaged: {cause}") from cause

    def scan(self, manifest: Manifest) -> pl.LazyFrame:
        """All events, undated first, then by day, then in the order they were brought in.

        `lake_tables.EVENT_COLUMNS` says what the columns are; a part's file lacks those in which
        none of its events says anything.
        """
        parts = sorted(manifest.parts, key=lambda part: part.day or "")
        paths = [self.folder / part.path for part in parts]
        return pl.scan_parquet(paths, glob=False, schema=EVENT_COLUMNS, missing_columns="insert")

    @contextmanager
    def writing(self) -> Iterator[Draft]:
        """Hold the lake alone, waiting for it, and add; what is not committed is dropped."""
        make_folder(self.folder)
        with locked(self.folder):
            manifest, work = self.manifest(), self.folder / WORK
            self._clear(manifest)
            work.mkdir()
            try:
                yield Draft(self, manifest, work)
            finally:
                self._clear(self.manifest())

    def _clear(self, manifest: Manifest) -> None:
        """Remove what nothing points to: parts that others replaced, what a killed writer left.

        For good, as somebody may have been told that it is: no power cut brings it back.
        """
        if (self.folder / WORK).exists():
            shutil.rmtree(self.folder / WORK, ignore_errors=True)
            fsync_folder(self.folder)
        known = {self.folder / part.path for part in manifest.parts}
        gone = [path for path in (self.folder / EVENTS).glob("*/*.parquet") if path not in known]
        for path in gone:
            path.unlink()
        for folder in {path.parent for path in gone}:
            fsync_folder(folder)

    def write_record_events(self, record: Record, upto_seq: int) -> int:
        """Bring the record's events up to a number in, each exactly once; returns how many.

        Those that nobody vouches for stay in the record: the lake is what jobs learn from.
        """
        with self.writing() as draft:
            after_seq = draft.manifest.record_seq
            if upto_seq <= after_seq:
                return 0
            runs = draft.runs()
            for batch in record.events_between(after_seq, upto_seq):
                proven = [event for _, event, _ in batch if event.is_proven]
                tables, poison = sifted(proven, events_table)
                if tables:
                    runs.add(pl.concat(tables).drop("item"))
                record.quarantine(dead_letters(poison), at=moment(batch[-1][2]))
            n_events = sum(draft.add(runs))
            draft.commit(record_seq=upto_seq)
        return n_events

    def keep_only(self, kept: pl.Expr) -> int:
        """Write every part anew that holds events of other than these; how many rows went."""
        gone = 0
        with self.writing() as draft:
            for part in draft.manifest.parts:
                path = self.folder / part.path
                held = pl.scan_parquet(path, schema=EVENT_COLUMNS, missing_columns="insert")
                n_kept = int(held.select(kept.sum()).collect().item())
                if n_kept != part.rows:
                    gone += part.rows - n_kept
                    draft.replace(part, held.filter(kept).collect())
            if draft.instead:
                draft.commit()
        return gone

    def write_items(self, record: Record) -> int:
        """Bring the snapshot of the record's items up to date; returns its version."""
        version = record.item_version()
        if self.item_version() != version:
            make_folder(self.folder)
            beside = self.folder / f".{ITEMS}.{os.getpid()}"
            table = items_table(record.items())
            table.write_parquet(beside, compression="zstd", metadata={_VERSION_KEY: str(version)})
            _fsync(beside)
            beside.rename(self.folder / ITEMS)
            fsync_folder(self.folder)
        return version

    def item_version(self) -> int | None:
        """Which version of the record's items the snapshot holds; None if there is none."""
        path = self.folder / ITEMS
        if not path.exists():
            return None
        return int(pl.read_parquet_metadata(path)[_VERSION_KEY])

    def read_items(self) -> list[Item]:
        """The items of the snapshot; none if there is none."""
        path = self.folder / ITEMS
        return items_of(pl.read_parquet(path)) if path.exists() else []


def _fsync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
