"""Keys of other servers: made once, kept as hashes, named, scoped, revoked, never deleted."""

import re
import secrets
from collections.abc import Collection
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import Row, insert, select, update

from data.record_audit import Deed, note
from data.record_store import Store
from data.record_tables import server_keys
from recsys.errors import InvalidInput
from recsys.events import check_text, millis, moment

# The id is no secret: it is what lists and the audit call a key. The rest has 256 random bits.
ID_BYTES, SECRET_BYTES = 4, 32
FORM = re.compile(r"dpk_([0-9a-f]{8})_[A-Za-z0-9_-]{43}", re.ASCII)
NAME_LIMIT = 64


class ServerKey(NamedTuple):
    """A key as it is kept; the key itself is not.

    Attributes
    ----------
    digest
        SHA-256 of the key: nobody guesses 256 bits, so a slow hash would protect nothing more.
    revoked_at
        From when on it opens nothing; None while it does.
    """

    key_id: str
    name: str
    digest: bytes
    scopes: frozenset[str]
    made_at: datetime
    revoked_at: datetime | None


def digest_of(key: str) -> bytes:
    """What the record keeps of a key."""
    return sha256(key.encode("ascii")).digest()


class ServerKeys:
    """The keys of one record."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def new(self, name: str, scopes: Collection[str], *, at: datetime, who: str) -> str:
        """Make a key; this is the only time that anybody sees it.

        Raises
        ------
        InvalidInput
            The name is none, or there is no scope.
        """
        check_text("name", name, limit=NAME_LIMIT, error=InvalidInput)
        if not scopes:
            raise InvalidInput("a key without a scope opens nothing; allowed: one scope or more")
        key_id = secrets.token_hex(ID_BYTES)
        key = f"dpk_{key_id}_{secrets.token_urlsafe(SECRET_BYTES)}"
        told = " ".join(sorted(scopes))
        row = {"key_id": key_id, "name": name, "digest": digest_of(key), "scopes": told}
        with self._store.writing() as connection:
            connection.execute(insert(server_keys), row | {"made_ms": millis(at)})
            note(connection, Deed(who, "key_new", key_id, f"{name}: {told}"), at=at)
        return key

    def revoke(self, key_id: str, *, at: datetime, who: str, why: str = "") -> bool:
        """Let a key open nothing any more; whether it did until now.

        Raises
        ------
        InvalidInput
            There is no such key.
        """
        its = server_keys.c.key_id == key_id
        with self._store.writing() as connection:
            found = connection.execute(select(server_keys.c.revoked_ms).where(its)).first()
            if found is None:
                raise InvalidInput(
                    f"there is no key {key_id!r:.40}; allowed: an id that `dapei keys list` shows"
                )
            if found[0] is not None:
                return False
            connection.execute(update(server_keys).where(its).values(revoked_ms=millis(at)))
            note(connection, Deed(who, "key_revoke", key_id, why), at=at)
        return True

    def all(self) -> list[ServerKey]:
        """Every key there ever was, oldest first."""
        asked = select(server_keys).order_by(server_keys.c.made_ms, server_keys.c.key_id)
        with self._store.reading() as connection:
            return [_key(row) for row in connection.execute(asked)]


def _key(row: Row[tuple[object, ...]]) -> ServerKey:
    said = row._mapping
    return ServerKey(
        key_id=said["key_id"],
        name=said["name"],
        digest=said["digest"],
        scopes=frozenset(said["scopes"].split()),
        made_at=moment(said["made_ms"]),
        revoked_at=None if said["revoked_ms"] is None else moment(said["revoked_ms"]),
    )
