"""What persons chose, by names under the shop's key: read with a history, changed with its deed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Text, bindparam, func, select, update

from data.privacy import Privacy
from data.record_audit import Deed, note
from data.record_rows import EventRow, ServedRow
from data.record_statements import Prepared, as_keys, counted, counter, known_users, listed, upsert
from data.record_store import Store
from data.record_tables import aliases, anonymous, controls, users
from recsys.controls import DAY_MS, Age, Controls, Purpose
from recsys.events import millis

# More than a person chooses; what is older than the newest so many goes.
MAX_REMOVED, MAX_REFUSED = 500, 1_000
FOR_EVER = 2**63 - 1

_COLUMNS = (controls.c.body, controls.c.erased_ms, controls.c.renewed_ms)
_ONE = select(*_COLUMNS).where(controls.c.person == bindparam("person"))
_ANY = select(controls.c.person).limit(1)


@cache
def choices_of(dialect: str) -> Prepared:
    """The statement that a request reads a person's choices with."""
    return Prepared(_ONE, dialect)


@cache
def choices_of_many(dialect: str) -> Prepared:
    """The same for many: (person, *values) of those who chose something."""
    among = controls.c.person.in_(listed(dialect, Text()))
    return Prepared(select(controls.c.person, *_COLUMNS).where(among), dialect)


@cache
def any_choice(dialect: str) -> Prepared:
    """Whether anybody chose anything yet."""
    return Prepared(_ANY, dialect)


Change = Callable[[Controls], Controls]


class Kept(NamedTuple):
    """What is kept of a person's choices.

    Attributes
    ----------
    renewed_ms
        When an erased person agreed anew; what they did before stays forgotten.
    """

    controls: Controls
    erased_ms: int | None = None
    renewed_ms: int | None = None

    def may_keep(self, at_ms: int | None) -> bool:
        """Whether something the person did then may be kept."""
        if not self.controls.may_keep:
            return False
        return self.erased_ms is None or (
            at_ms is not None and self.renewed_ms is not None and at_ms > self.renewed_ms
        )


class Choices:
    """Everybody's choices in one record.

    Attributes
    ----------
    base
        What holds for a person who chose nothing.
    """

    def __init__(self, store: Store, privacy: Privacy) -> None:
        self._store = store
        self.privacy = privacy
        self.base = privacy.controls()

    def of(self, user_id: str) -> Controls:
        """What a person chose."""
        return self.told(*self._store.found(self.asked(user_id)))

    def asked(self, user_id: str) -> tuple[str, tuple[Any, ...]]:
        """The statement that finds what a person chose, and its values."""
        asked = choices_of(self._store.dialect)
        return asked.text, asked.values(person=self.privacy.name_of(user_id))

    def told(self, found: Sequence[tuple[Any, ...]]) -> Controls:
        """What a person chose, of the rows that were found."""
        return self.kept(*found[0]).controls if found else self.base

    def within(self, connection: Connection, user_id: str) -> Controls:
        """The same on a connection that reads more."""
        row = connection.execute(_ONE, {"person": self.privacy.name_of(user_id)}).first()
        return self.base if row is None else self.kept(*row).controls

    def kept(self, body: bytes | None, erased_ms: int | None, renewed_ms: int | None) -> Kept:
        """The choices of a row."""
        is_erased = erased_ms is not None and renewed_ms is None
        said = replace(controls_of(body, self.base), is_erased=is_erased)
        return Kept(said, erased_ms, renewed_ms)

    def change(self, user_id: str, change: Change, deed: Deed, *, at: datetime) -> Controls:
        """Change a person's choices, of all their ids at once, with the deed that tells of it.

        Parameters
        ----------
        deed
            Whom it is about is filled in here: under the key, never the id.
        """
        with self._store.writing() as connection:
            now = _limited(change(self.within(connection, user_id)))
            for one in ids_within(connection, user_id):
                self._write(connection, self.privacy.name_of(one), now, at)
            note(connection, deed._replace(about=self.privacy.name_of(user_id)), at=at)
        return now

    def renew(self, user_id: str, consents: Mapping[Purpose, bool], *, at: datetime) -> None:
        """Let a person who was erased and agrees anew begin again, from now on."""
        if not consents.get(Purpose.PERSONALISE):
            return
        begun = (
            update(controls)
            .where(controls.c.person == self.privacy.name_of(user_id))
            .where(controls.c.erased_ms.is_not(None))
            .where(controls.c.renewed_ms.is_(None))
        )
        with self._store.writing() as connection:
            connection.execute(begun.values(renewed_ms=millis(at)))

    def join(self, connection: Connection, guest_id: str, user_id: str, at: datetime) -> None:
        """Give all ids of a person what the guest and the person chose, the stricter of both."""
        guest, person = (self.within(connection, one) for one in (guest_id, user_id))
        if guest == self.base == person:
            return
        both = _limited(_stricter(guest, person))
        for one in {guest_id, *ids_within(connection, user_id)}:
            self._write(connection, self.privacy.name_of(one), both, at)

    def kept_of(self, connection: Connection, user_ids: Iterable[str]) -> dict[str, Kept]:
        """What is kept of those who chose something, by id."""
        dialect = connection.dialect.name
        if not any_choice(dialect).rows(connection):
            return {}
        named = {self.privacy.name_of(one): one for one in user_ids}
        found = choices_of_many(dialect).rows(connection, keys=as_keys(list(named)))
        return {named[person]: self.kept(*row) for person, *row in found}

    def sifted(
        self, connection: Connection, batches: Sequence[Sequence[EventRow]], received: list[int]
    ) -> list[list[bool]]:
        """Which events may be kept; the others are only counted, by day and type."""
        kept = self.kept_of(connection, {row.user_id for rows in batches for row in rows})
        stranger = Kept(self.base)
        if not kept and self.base.may_keep:
            return [[True] * len(rows) for rows in batches]
        may = [
            [kept.get(row.user_id, stranger).may_keep(row.at_ms) for row in rows]
            for rows in batches
        ]
        counts: dict[tuple[int, int], int] = {}
        for rows, are_kept, at_ms in zip(batches, may, received, strict=True):
            for row, is_kept in zip(rows, are_kept, strict=True):
                if not is_kept:
                    key = at_ms // DAY_MS, row.type
                    counts[key] = counts.get(key, 0) + 1
        _count(connection, counts)
        return may

    def unburied(self, connection: Connection, served: Sequence[ServedRow]) -> list[ServedRow]:
        """The lists without those of erased persons, which were on their way when these were."""
        kept = self.kept_of(connection, {row.user_id for row in served if row.user_id is not None})
        erased = {user_id for user_id, one in kept.items() if one.controls.is_erased}
        return [row for row in served if row.user_id not in erased]

    def unkept(self, user_ids: Iterable[str]) -> set[str]:
        """Those of the ids of whom nothing may be kept, whatever they do."""
        asked = set(user_ids)
        with self._store.reading() as connection:
            kept = self.kept_of(connection, asked)
        stranger = Kept(self.base)
        return {one for one in asked if not kept.get(one, stranger).controls.may_keep}

    def limits(self, user_ids: Sequence[str]) -> dict[str, int]:
        """Of whom an import must not bring all: until when (ms) what they did is not wanted."""
        with self._store.reading() as connection:
            n_chose = connection.execute(select(func.count()).select_from(controls)).scalar()
            if not n_chose and self.base.may_keep:
                return {}
            kept = self.kept_of(connection, user_ids)
        stranger, found = Kept(self.base), dict[str, int]()
        for one in user_ids:
            said = kept.get(one, stranger)
            if not said.controls.may_keep:
                found[one] = FOR_EVER
            elif said.renewed_ms is not None:
                found[one] = said.renewed_ms
        return found

    def version(self) -> int:
        """A number that grows whenever somebody chooses."""
        with self._store.reading() as connection:
            return counter(connection, "controls") or 0

    def anonymous(self) -> dict[tuple[int, int], int]:
        """How many events were not kept, by day since 1970 and type."""
        with self._store.reading() as connection:
            rows = connection.execute(select(anonymous)).all()
        return {(row.day, row.type): row.n for row in rows}

    def silent(self, user_ids: Sequence[str]) -> list[bool]:
        """Of each id whether models may not learn from it."""
        with self._store.reading() as connection:
            every = connection.execute(select(controls.c.person, *_COLUMNS)).all()
        learned = {person: self.kept(*row).controls.may_learn for person, *row in every}
        if not learned:
            return [not self.base.may_learn] * len(user_ids)
        stranger, name_of = self.base.may_learn, self.privacy.name_of
        return [not learned.get(name_of(one), stranger) for one in user_ids]

    def _write(self, connection: Connection, person: str, said: Controls, at: datetime) -> None:
        values = {
            "person": person,
            "version": counted(connection, "controls"),
            "changed_ms": millis(at),
            "body": controls_body(said),
        }
        statement = upsert(connection, controls).values(values)
        new = {name: statement.excluded[name] for name in ("version", "changed_ms", "body")}
        connection.execute(statement.on_conflict_do_update(index_elements=["person"], set_=new))


def _count(connection: Connection, counts: Mapping[tuple[int, int], int]) -> None:
    if not counts:
        return
    statement = upsert(connection, anonymous)
    more = {"n": anonymous.c.n + statement.excluded.n}
    adding = statement.on_conflict_do_update(index_elements=["day", "type"], set_=more)
    values = [{"day": day, "type": kind, "n": n} for (day, kind), n in sorted(counts.items())]
    connection.execute(adding, values)


def ids_within(connection: Connection, user_id: str) -> list[str]:
    """Every id of a person, the one asked for among them, whether it is known or not."""
    known = known_users(connection, {user_id})
    if not known:
        return [user_id]
    _, person_idx = known[user_id]
    guests = select(aliases.c.guest_idx).where(aliases.c.user_idx == person_idx)
    theirs = (users.c.user_idx == person_idx) | users.c.user_idx.in_(guests)
    return list(connection.execute(select(users.c.user_id).where(theirs)).scalars())


def _stricter(one: Controls, other: Controls) -> Controls:
    """What protects a person who was two until now."""
    said = {*one.consents, *other.consents}
    ages = list(Age)
    age = max(one.age, other.age, key=ages.index)
    return replace(
        other,
        is_on=one.is_on and other.is_on,
        removed=one.removed | other.removed,
        refused={**one.refused, **other.refused},
        consents={
            purpose: one.consents.get(purpose, True) and other.consents.get(purpose, True)
            for purpose in said
        },
        age=age,
        has_guardian=all(each.has_guardian for each in (one, other) if each.age is age),
    )


def _limited(said: Controls) -> Controls:
    newest = sorted(said.refused.items(), key=lambda one: one[1])[-MAX_REFUSED:]
    return replace(said, refused=dict(newest))


def controls_body(said: Controls) -> bytes:
    """What a person chose, as it is kept."""
    return orjson.dumps(
        {
            "on": said.is_on,
            "removed": sorted(said.removed),
            "refused": dict(said.refused),
            "consents": {purpose.value: yes for purpose, yes in said.consents.items()},
            "age": said.age,
            "guardian": said.has_guardian,
        }
    )


def controls_of(body: bytes | None, base: Controls) -> Controls:
    """The choices of a body, over what holds for who chose nothing."""
    if body is None:
        return base
    said = orjson.loads(body)
    return replace(
        base,
        is_on=said["on"],
        removed=frozenset(said["removed"]),
        refused=said["refused"],
        consents={Purpose(purpose): agreed for purpose, agreed in said["consents"].items()},
        age=Age(said["age"]),
        has_guardian=said["guardian"],
    )
