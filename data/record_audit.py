"""Who did what to whom, when and why: rows that are only added, each one sealing those before."""

from collections.abc import Iterator
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, delete, func, insert, select, update

from data.record_statements import counted
from data.record_store import Store
from data.record_tables import audit
from recsys.events import millis, moment

START = bytes(16)
# What a cut beginning says in place of a deed, and the deed that tells of it.
CUT, TRIM = "cut", "trim audit"
ROWS_A_READ = 10_000


class Deed(NamedTuple):
    """Something that was done and must be told later.

    Attributes
    ----------
    who
        A key's or an operator's name, or the part of the program that did it.
    what
        The kind of deed, such as "join".
    about
        Whom or what it was done to.
    """

    who: str
    what: str
    about: str
    why: str


class AuditRow(NamedTuple):
    """A deed as it is kept."""

    audit_idx: int
    at: datetime
    deed: Deed


class Audit:
    """The deeds of one record."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, deed: Deed, *, at: datetime) -> None:
        """Keep one deed, in a transaction of its own."""
        with self._store.writing() as connection:
            note(connection, deed, at=at)

    def after(self, audit_idx: int, *, limit: int) -> list[AuditRow]:
        """The next deeds after a number, oldest first."""
        with self._store.reading() as connection:
            return [row for row, _ in _rows(connection, audit_idx, limit)]

    def broken_at(self) -> int | None:
        """The first row that is not what was written, or is not where it was; None if all are.

        Rows cut off at the end are not seen by this: compare `after` with a copy kept elsewhere.
        """
        before, last, cut = START, 0, None
        for row, chain_hash in self._all():
            if last == 0 and row.deed.what == CUT:
                before, last, cut = chain_hash, row.audit_idx, str(row.audit_idx)
                continue
            if row.deed.what == TRIM and row.deed.about == cut:
                cut = None
            if row.audit_idx != last + 1 or _chained(before, row) != chain_hash:
                return last + 1
            before, last = chain_hash, row.audit_idx
        # A beginning that was cut is whole only if a deed further on tells of just this cut.
        return None if cut is None else int(cut)

    def cut(self, before_ms: int, *, at: datetime) -> int:
        """Forget deeds of before a moment; how many. The chain goes on from the last of them."""
        with self._store.writing() as connection:
            asked = select(func.max(audit.c.audit_idx)).where(audit.c.at_ms < before_ms)
            last = connection.execute(asked).scalar()
            first = connection.execute(select(func.min(audit.c.audit_idx))).scalar()
            if last is None or last == first:
                return 0
            connection.execute(delete(audit).where(audit.c.audit_idx < last))
            bare = {"who": "", "what": CUT, "about": "", "why": ""}
            connection.execute(update(audit).where(audit.c.audit_idx == last).values(bare))
            note(connection, Deed("dapei", TRIM, str(last), "kept as long as was set"), at=at)
            return int(last - first)

    def _all(self) -> Iterator[tuple[AuditRow, bytes]]:
        last = 0
        while True:
            with self._store.reading() as connection:
                rows = _rows(connection, last, ROWS_A_READ)
            if not rows:
                return
            yield from rows
            last = rows[-1][0].audit_idx


def note(connection: Connection, deed: Deed, *, at: datetime) -> None:
    """Keep a deed in the transaction that does it, so that there is never one without the other."""
    newest = select(audit.c.chain_hash).order_by(audit.c.audit_idx.desc()).limit(1)
    before = connection.execute(newest).scalar()
    row = AuditRow(counted(connection, "audit"), at, deed)
    values = {"audit_idx": row.audit_idx, "at_ms": millis(at)} | deed._asdict()
    chain_hash = _chained(START if before is None else before, row)
    connection.execute(insert(audit), values | {"chain_hash": chain_hash})


def _chained(before: bytes, row: AuditRow) -> bytes:
    told = orjson.dumps((row.audit_idx, millis(row.at), *row.deed))
    return blake2b(before + told, digest_size=16).digest()


def _rows(connection: Connection, audit_idx: int, limit: int) -> list[tuple[AuditRow, bytes]]:
    asked = select(audit).where(audit.c.audit_idx > audit_idx).order_by(audit.c.audit_idx)
    return [
        (AuditRow(row.audit_idx, moment(row.at_ms), Deed(*row[2:6])), row.chain_hash)
        for row in connection.execute(asked.limit(limit))
    ]
