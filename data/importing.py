"""Files of other systems → the home: events to the lake, items to the record.

Whatever kills an import, nothing of it is visible before its last step; run again, it ends as if it
had never been killed.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b, file_digest
from pathlib import Path

import orjson
import polars as pl

from data.ahead import ahead
from data.histories_build import are_fresh, build_histories
from data.home import Home
from data.importing_items import take_items
from data.keys import Met
from data.lake import Draft, Imported, Lake
from data.lake_tables import with_keys
from data.mapping_events import Taken, take_events
from data.mapping_fields import Mapping
from data.mapping_read import load_mapping
from data.quarantine import Quarantine
from data.reading import LINE, Batch, n_rows
from data.reading import read as read_batches
from data.record import Record
from data.runs import Runs
from recsys.catalog import Item, Kind
from recsys.errors import ConfigError, TooManyBadRows

ROWS_A_BATCH = 250_000
# A row that holds lists becomes many events.
ROWS_OF_LISTS_A_BATCH = 5_000
# Clocks differ; what claims to be later than this has not happened.
AHEAD = timedelta(days=1)

# Called with the name of a step, how much of it is done, and how much there is if that is known.
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did.

    Parameters
    ----------
    read, loaded, quarantined, skipped
        Lines: all; those that kept the contract; those that did not; those the mapping leaves out.
    events, items, unkept
        Events written; items that are new or changed; events of persons who do not want to be kept.
    already
        Files that were here before and were left alone.
    quarantines
        Files that tell the bad lines.
    silent
        Columns the mapping reads that said nothing in any line: perhaps a name is misspelt.
    """

    read: int = 0
    loaded: int = 0
    quarantined: int = 0
    skipped: int = 0
    events: int = 0
    items: int = 0
    unkept: int = 0
    already: tuple[str, ...] = ()
    quarantines: tuple[Path, ...] = ()
    silent: tuple[str, ...] = ()


def run_import(
    mapping_path: Path,
    files: Sequence[Path],
    home: Home,
    *,
    max_bad: float = 0.01,
    now: datetime,
    progress: Progress | None = None,
) -> ImportReport:
    """Bring files in through one mapping; all of them or, above `max_bad`, none.

    Parameters
    ----------
    max_bad
        The largest share of lines that may be bad.
    now
        Events more than a day later are bad; items change at this time.

    Raises
    ------
    ConfigError
        The mapping is wrong or does not fit a file.
    InvalidInput
        A file cannot be read.
    TooManyBadRows
        The share of bad lines is larger; nothing was published.
    """
    mapping = load_mapping(mapping_path)
    if not files:
        raise ConfigError("there is nothing to import; name one file or more")
    home.root.mkdir(parents=True, exist_ok=True)
    record, say = Record.of(home), progress or _silent
    try:
        with Lake(home.lake).writing() as draft:
            job = _Import(mapping, home, record, draft, say, now)
            report = job.run(files, max_bad)
        # Items keep one core busy, events the other.
        with ThreadPoolExecutor(max_workers=1) as beside:
            snapshot = beside.submit(Lake(home.lake).write_items, record)
            if not are_fresh(home):
                build_histories(home, progress=lambda done, total: say("histories", done, total))
            snapshot.result()
    finally:
        record.close()
    return report


def _silent(step: str, done: int, total: int | None) -> None:
    pass


def import_id(mapping: Mapping, file: Path) -> str:
    """The same for the same content under the same mapping, whatever the file is called."""
    with file.open("rb") as opened:
        content = file_digest(opened, lambda: blake2b(digest_size=16)).digest()
    said = orjson.dumps(mapping.said, option=orjson.OPT_SORT_KEYS)
    return blake2b(content + said, digest_size=8).hexdigest()


@dataclass(slots=True)
class _Import:
    """One run of `run_import`."""

    mapping: Mapping
    home: Home
    record: Record
    draft: Draft
    progress: Progress
    now: datetime
    met: Met = field(default_factory=Met)
    bare: list[pl.DataFrame] = field(default_factory=list)
    spoke: set[str] = field(default_factory=set)

    def run(self, files: Sequence[Path], max_bad: float) -> ImportReport:
        known = {one.import_id for one in self.draft.manifest.imports}
        read: list[_Read] = []
        already: list[str] = []
        for file in files:
            identity = import_id(self.mapping, file)
            if identity in known:
                already.append(file.name)
                continue
            known.add(identity)
            quarantine = Quarantine(self.home.quarantine / f"{identity}.jsonl", file.name)
            with quarantine:
                read.append(self._read(file, identity, quarantine))
        self._judge(read, max_bad)
        n_items = self._publish(read) if read else 0
        silent = sorted(self.mapping.read() - self.spoke) if read else []
        return _report(read, items=n_items, already=tuple(already), silent=tuple(silent))

    def _read(self, file: Path, identity: str, quarantine: Quarantine) -> "_Read":
        """Everything that can be known before anything is published."""
        read = _Read(file, identity, quarantine, self.draft.runs())
        total = n_rows(file, self.mapping)
        self.progress("reading", 0, total)
        take = self._events if self.mapping.of == "events" else self._items
        for n_lines, n_skipped in take(read):
            read.n_lines += n_lines
            read.n_skipped += n_skipped
            self.progress("reading", read.n_lines, total)
        return read

    def _events(self, read: "_Read") -> Iterator[tuple[int, int]]:
        """Put a file's events aside for sorting; yields lines and skipped lines."""
        for batch, taken in ahead(self._taken(read.file)):
            read.quarantine.add(pl.concat([batch.bad, taken.bad]))
            events = with_keys(taken.events.drop(LINE), source=self.mapping.name)
            self._meet(events)
            n_told, events = events.height, self._kept(events)
            read.n_unkept += n_told - events.height
            read.runs.add(events.drop("item", "kind", strict=False))
            read.n_events += events.height
            yield taken.read + batch.bad.height, taken.skipped

    def _kept(self, events: pl.DataFrame) -> pl.DataFrame:
        """Without events of persons of whom nothing may be kept, or not from that time."""
        limits = self.record.choices.limits(events["user_id"].unique().to_list())
        if not limits:
            return events
        until_ms = pl.col("user_id").replace_strict(limits, default=None, return_dtype=pl.Int64)
        is_gone = until_ms.is_not_null() & (
            pl.col("at_ms").is_null() | (pl.col("at_ms") <= until_ms)
        )
        return events.filter(~is_gone.fill_null(value=True))

    def _taken(self, file: Path) -> Iterator[tuple[Batch, Taken]]:
        of_lists = any(behaviour.each for behaviour in self.mapping.behaviours)
        rows = ROWS_OF_LISTS_A_BATCH if of_lists else ROWS_A_BATCH
        for batch in read_batches(file, self.mapping, rows=rows):
            self._hear(batch.rows)
            yield batch, take_events(batch.rows, self.mapping, latest_at=self.now + AHEAD)

    def _hear(self, rows: pl.DataFrame) -> None:
        for column in rows.iter_columns():
            if column.name not in self.spoke and _says_something(column):
                self.spoke.add(column.name)

    def _items(self, read: "_Read") -> Iterator[tuple[int, int]]:
        """Only look at a file's items: they are read again when all is known to be good."""
        for batch in read_batches(read.file, self.mapping, rows=ROWS_A_BATCH):
            self._hear(batch.rows)
            taken = take_items(batch.rows, self.mapping, self.record.choices.base.blocked)
            read.quarantine.add(pl.concat([batch.bad, taken.bad]))
            yield taken.read + batch.bad.height, taken.skipped

    def _meet(self, events: pl.DataFrame) -> None:
        """Remember the items of events, for those that no catalogue names."""
        if "kind" in events.columns:
            _, fresh = self.met.meet(events["item"].to_numpy())
            self.bare.append(events[fresh].select("item_id", "kind"))

    def _judge(self, read: list["_Read"], max_bad: float) -> None:
        n_lines, n_bad = sum(one.n_lines for one in read), sum(one.n_bad for one in read)
        if n_bad > max_bad * n_lines:
            told = ", ".join(str(one.quarantine.path) for one in read if one.n_bad)
            raise TooManyBadRows(
                f"{n_bad} of {n_lines} lines are bad; allowed: {max_bad:.2%}; nothing was "
                f"published; see {told}"
            )

    def _publish(self, read: list["_Read"]) -> int:
        """Items first: they may be put twice, events may not."""
        with ThreadPoolExecutor(max_workers=1) as beside:
            items = beside.submit(self._put_items, [one.file for one in read])
            self._sort(read)
            n_items = items.result()
        self.draft.commit(imports=tuple(one.imported(self.mapping) for one in read))
        return n_items

    def _sort(self, read: list["_Read"]) -> None:
        n_events, written = sum(one.n_events for one in read), 0
        self.progress("sorting", 0, n_events)
        for one in read:
            for n_more in self.draft.add(one.runs):
                written += n_more
                self.progress("sorting", written, n_events)

    def _put_items(self, files: list[Path]) -> int:
        if self.mapping.of == "items":
            return self.record.put_items(self._items_of(files), at=self.now)
        return self.record.add_missing_items(self._bare_items(), at=self.now)

    def _items_of(self, files: list[Path]) -> Iterator[Item]:
        for file in files:
            for batch in read_batches(file, self.mapping, rows=ROWS_A_BATCH):
                yield from take_items(
                    batch.rows, self.mapping, self.record.choices.base.blocked
                ).items

    def _bare_items(self) -> Iterator[Item]:
        for part in self.bare:
            for item_id, kind in part.iter_rows():
                yield Item(item_id=item_id, kind=Kind(kind))


@dataclass(slots=True)
class _Read:
    """One file that was read and is not published yet."""

    file: Path
    import_id: str
    quarantine: Quarantine
    runs: Runs
    n_lines: int = 0
    n_skipped: int = 0
    n_events: int = 0
    n_unkept: int = 0

    @property
    def n_bad(self) -> int:
        """Lines that broke the contract."""
        return self.quarantine.n_lines

    def imported(self, mapping: Mapping) -> Imported:
        """How the manifest remembers it."""
        return Imported(
            import_id=self.import_id,
            mapping=mapping.name,
            file=self.file.name,
            read=self.n_lines,
            loaded=self.n_lines - self.n_skipped - self.n_bad,
            quarantined=self.n_bad,
            skipped=self.n_skipped,
            events=self.n_events,
        )


def _says_something(column: pl.Series) -> bool:
    said = column.drop_nulls()
    return len(said) > 0 and not (column.dtype == pl.String and (said == "").all())


def _report(
    read: list[_Read], *, items: int, already: tuple[str, ...], silent: tuple[str, ...]
) -> ImportReport:
    n_lines, n_bad = sum(one.n_lines for one in read), sum(one.n_bad for one in read)
    n_skipped = sum(one.n_skipped for one in read)
    return ImportReport(
        read=n_lines,
        loaded=n_lines - n_skipped - n_bad,
        quarantined=n_bad,
        skipped=n_skipped,
        events=sum(one.n_events for one in read),
        unkept=sum(one.n_unkept for one in read),
        items=items,
        already=already,
        quarantines=tuple(one.quarantine.path for one in read if one.n_bad),
        silent=silent,
    )
