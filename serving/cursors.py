"""Cursors: what was shown so far, carried by the caller, so that it does not come again."""

import hmac
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NoBase64
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Self

from recsys.errors import ConfigError, InvalidInput
from recsys.files import locked, write_atomic
from recsys.ids import MARK_BITS, mark_of

# So many items shown last are remembered; then the oldest may come again. 8 kB of text.
MAX_SHOWN = 2_000
KEY_NAME, KEY_BYTES = "cursors.key", 32
SEAL_BYTES, PURPOSE = 12, b"dapei cursor"
MARK_BYTES = MARK_BITS // 8
MAX_TEXT = 4 * -(-(SEAL_BYTES + MARK_BYTES * MAX_SHOWN) // 3)

Marks = tuple[int, ...]
# What is shown comes again; some 5 MB.
_mark_of = lru_cache(maxsize=30_000)(mark_of)


@dataclass(frozen=True, slots=True)
class Cursors:
    """Writes and reads cursors; nothing is kept, so every worker and machine reads the others'.

    A cursor holds the mark of each item shown, sealed with the shop's key. Marks are of outside
    ids, so a new bundle changes nothing about them; one in 16 million other items has the mark of a
    given one and is left out with it.

    Parameters
    ----------
    key
        Secret; whoever has it can make cursors.
    """

    key: bytes

    @classmethod
    def of(cls, folder: Path) -> Self:
        """With the key of a folder of keys, made on first use, readable by its owner only.

        Raises
        ------
        ConfigError
            It cannot be read or made, or is no such key.
        """
        path = folder / KEY_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with locked(folder):
                if not path.exists():
                    write_atomic(path, os.urandom(KEY_BYTES))
                    path.chmod(0o600)
            key = path.read_bytes()
        except OSError as cause:
            raise ConfigError(f"{path} cannot be read or made: {cause.strerror}") from cause
        if len(key) != KEY_BYTES:
            raise ConfigError(f"{path} has {len(key)} bytes; allowed: {KEY_BYTES}")
        return cls(key)

    def read(self, cursor: str | None) -> Marks:
        """The marks of what was shown, oldest first; none without a cursor.

        Raises
        ------
        InvalidInput
            It is none of ours, or was changed.
        """
        if cursor is None:
            return ()
        try:
            raw = urlsafe_b64decode(cursor.encode("ascii")) if len(cursor) <= MAX_TEXT else b""
        except (ValueError, NoBase64):
            raw = b""
        seal, packed = raw[:SEAL_BYTES], raw[SEAL_BYTES:]
        if len(packed) % MARK_BYTES or not hmac.compare_digest(seal, self._seal(packed)):
            raise InvalidInput(
                f"cursor is none of ours, got {cursor!r:.40}; allowed: that of an answer, or none"
            )
        at = range(0, len(packed), MARK_BYTES)
        return tuple(int.from_bytes(packed[n : n + MARK_BYTES], "big") for n in at)

    def after(self, shown: Marks, item_ids: Iterable[str]) -> str | None:
        """The cursor after these items as well; None if there is nothing more to show."""
        marks = [_mark_of(item_id) for item_id in item_ids]
        if not marks:
            return None
        kept = list(dict.fromkeys((*shown, *marks)))[-MAX_SHOWN:]
        packed = b"".join(mark.to_bytes(MARK_BYTES, "big") for mark in kept)
        return urlsafe_b64encode(self._seal(packed) + packed).decode("ascii")

    def _seal(self, packed: bytes) -> bytes:
        sealed = blake2b(packed, digest_size=SEAL_BYTES, key=self.key, person=PURPOSE)
        return sealed.digest()
