"""Ids of lists that prove to whom a list was given, and when; nothing is kept for it."""

import hmac
import os
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

# Seconds since 1970, some randomness, the seal: 4, 8 and 12 bytes as hexadecimal digits.
FORM = re.compile(r"[0-9a-f]{48}", re.ASCII)
SEALED, PURPOSE = 24, b"dapei list id"
# Events may come 7 days late, and a page may stay open for a day before.
LIFE = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class ListIds:
    """Makes ids of lists, and tells whose a list was.

    Parameters
    ----------
    key
        Secret, shared by all machines of a shop; whoever has it can claim any list.
    """

    key: bytes

    def make(self, user_id: str | None, at: datetime) -> str:
        """An id no other list has."""
        said = int(at.timestamp()).to_bytes(4, "big") + os.urandom(8)
        return (said + self._seal(said, user_id)).hex()

    def is_of(self, list_id: str | None, user_id: str, at: datetime) -> bool:
        """Whether a list with this id was given to this person, not too long before."""
        if list_id is None or not FORM.fullmatch(list_id):
            return False
        raw = bytes.fromhex(list_id)
        said, seal = raw[: SEALED // 2], raw[SEALED // 2 :]
        if not hmac.compare_digest(seal, self._seal(said, user_id)):
            return False
        return abs(at.timestamp() - int.from_bytes(said[:4], "big")) < LIFE.total_seconds()

    def _seal(self, said: bytes, user_id: str | None) -> bytes:
        whom = b"" if user_id is None else user_id.encode()
        return blake2b(said + whom, digest_size=12, key=self.key, person=PURPOSE).digest()
