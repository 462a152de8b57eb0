"""Several ids of one person: a guest's, joined to the person's at login, once and for good."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, insert, or_, select, update

from data.record_audit import Deed, note
from data.record_controls import Choices
from data.record_statements import known_users, user_idxs
from data.record_store import Store
from data.record_tables import aliases, events, users
from recsys.errors import AliasConflict, InvalidInput
from recsys.events import TEXT_LIMITS, check_text, millis


class Aliases:
    """Which ids belong to which person, in one record."""

    def __init__(self, store: Store, choices: Choices) -> None:
        self._store = store
        self._choices = choices

    def join(self, guest_id: str, user_id: str, *, at: datetime, who: str = "service") -> bool:
        """Make what a guest did, before and from now on, part of a person's history.

        Returns whether that is new; it cannot be undone.

        Raises
        ------
        AliasConflict
            The guest is joined to somebody else, or one of the two is the other kind of id.
        InvalidInput
            The ids are the same, or no ids.
        """
        for name, one in (("guest_id", guest_id), ("user_id", user_id)):
            check_text(name, one, limit=TEXT_LIMITS["user_id"], error=InvalidInput)
        if guest_id == user_id:
            raise InvalidInput(f"guest and person have the same id, got {guest_id!r}")
        with self._store.writing() as connection:
            known = user_idxs(connection, {guest_id, user_id})
            (guest_idx, person_idx), (user_idx, own_idx) = known[guest_id], known[user_id]
            if person_idx == user_idx:
                return False
            _check_free(connection, guest_id, guest_idx, person_idx)
            if own_idx != user_idx:
                raise AliasConflict(
                    f"user_id is a guest's that was joined to a person, got {user_id!r}; "
                    "allowed: that person's own id"
                )
            self._check_not_erased(connection, {guest_id, user_id})
            self._choices.join(connection, guest_id, user_id, at)
            _join(connection, guest_idx, user_idx, at)
            guest, person = map(self._choices.privacy.name_of, (guest_id, user_id))
            note(connection, Deed(who, "join", person, f"guest {guest} logged in"), at=at)
        return True

    def _check_not_erased(self, connection: Connection, user_ids: set[str]) -> None:
        kept = self._choices.kept_of(connection, user_ids)
        if any(one.controls.is_erased for one in kept.values()):
            raise AliasConflict(
                "one of the ids is of a person who was erased; allowed: after they agreed anew"
            )

    def ids_of(self, user_id: str) -> list[str]:
        """Every id of the person an id belongs to, the person's own first, then as they came."""
        with self._store.reading() as connection:
            known = known_users(connection, {user_id})
            if not known:
                return [user_id]
            _, person_idx = known[user_id]
            asked = (
                select(users.c.user_id)
                .outerjoin(aliases, aliases.c.guest_idx == users.c.user_idx)
                .where(_is_of(person_idx))
                .order_by(aliases.c.at_ms.is_(None).desc(), aliases.c.at_ms, users.c.user_idx)
            )
            return list(connection.execute(asked).scalars())

    def same_people(self, user_ids: Iterable[str]) -> set[str]:
        """These ids, and every other id of the same persons."""
        asked = set(user_ids)
        with self._store.reading() as connection:
            persons = {person_idx for _, person_idx in known_users(connection, asked).values()}
            joined = select(aliases.c.user_idx).where(aliases.c.user_idx.in_(persons)).distinct()
            with_guests = set(connection.execute(joined).scalars())
            if not with_guests:
                return asked
            guests = select(aliases.c.guest_idx).where(aliases.c.user_idx.in_(with_guests))
            theirs = users.c.user_idx.in_(with_guests) | users.c.user_idx.in_(guests)
            found = connection.execute(select(users.c.user_id).where(theirs))
            return asked | set(found.scalars())


def _check_free(connection: Connection, guest_id: str, guest_idx: int, person_idx: int) -> None:
    if person_idx != guest_idx:
        raise AliasConflict(
            f"guest_id is joined to another person already, got {guest_id!r}; "
            "allowed: a guest who is not, or the same person"
        )
    asked = select(aliases.c.guest_idx).where(aliases.c.user_idx == guest_idx).limit(1)
    if connection.execute(asked).first() is not None:
        raise AliasConflict(
            f"guest_id is a person's to whom guests were joined, got {guest_id!r}; "
            "allowed: a guest's id"
        )


def _join(connection: Connection, guest_idx: int, user_idx: int, at: datetime) -> None:
    row = {"guest_idx": guest_idx, "user_idx": user_idx, "at_ms": millis(at)}
    connection.execute(insert(aliases), row)
    moved = update(users).where(users.c.user_idx == guest_idx).values(person_idx=user_idx)
    connection.execute(moved)
    theirs = update(events).where(events.c.person_idx == guest_idx).values(person_idx=user_idx)
    connection.execute(theirs)
    grown = update(users).where(_is_of(user_idx)).values(joins=users.c.joins + 1)
    connection.execute(grown)


def _is_of(person_idx: int) -> ColumnElement[bool]:
    guests = select(aliases.c.guest_idx).where(aliases.c.user_idx == person_idx)
    return or_(users.c.user_idx == person_idx, users.c.user_idx.in_(guests))
