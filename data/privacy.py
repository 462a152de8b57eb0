"""What `[privacy]` of dapei.toml says, and the key that names persons where no id may stand."""

import hmac
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, fields
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from data.home import Home
from recsys.blocked import MAX_TERMS, Blocked
from recsys.controls import FREE, Controls
from recsys.errors import ConfigError
from recsys.files import fsync_folder, make_folder

KEY_NAME = "privacy.key"
KEY_BYTES, NONCE_BYTES = 32, 12
BASES = ("contract", "consent")
# What the law wants kept: records of impact assessments and of privacy acts for three years.
MIN_AUDIT_DAYS = 1_095
MAX_DAYS = 36_500


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """How a shop treats what persons left with it.

    Parameters
    ----------
    basis
        On what what persons do is kept where they said nothing: a "contract", or only by "consent".
    events_days, lists_days, quarantine_days, audit_days
        How long each is kept; None: for ever.
    blocked_terms
        What no tag and no reason may hold.
    appeal
        Where a person may complain, as a page shows it.
    key
        Under which a person's id becomes a name that tells nobody who it was.
    """

    basis: str = "contract"
    events_days: int | None = None
    lists_days: int | None = None
    quarantine_days: int | None = None
    audit_days: int | None = None
    blocked_terms: tuple[str, ...] = ()
    appeal: str | None = None
    key: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, home: Home) -> Self:
        """What a home says, with its key, which is made if there is none.

        Raises
        ------
        ConfigError
            A setting is unknown or not allowed, or the key is damaged.
        """
        said = home.config().get("privacy", {})
        if not isinstance(said, dict):
            raise ConfigError(f"[privacy] of dapei.toml is no table, got {said!r:.80}")
        allowed = {one.name for one in fields(cls)} - {"key"}
        if unknown := set(said) - allowed:
            raise ConfigError(
                f"[privacy] of dapei.toml has unknown keys, got {', '.join(sorted(unknown))}; "
                f"allowed: {', '.join(sorted(allowed))}"
            )
        _check(said)
        terms = tuple(said.get("blocked_terms", ()))
        return cls(**said | {"blocked_terms": terms, "key": _key(home.keys)})

    def name_of(self, user_id: str) -> str:
        """A person under the key: the same for the same id, and nobody's without the key."""
        # A quarter of what `hmac.new` takes; every event and every list asks for a name.
        told = user_id.encode(errors="surrogatepass")
        return hmac.digest(self.key, told, "sha256").hex()[:32]

    def names_of(self, user_ids: Iterable[str]) -> dict[str, str]:
        """Names by ids."""
        return {user_id: self.name_of(user_id) for user_id in user_ids}

    def sealed(self, content: bytes) -> bytes:
        """Content that nobody reads without the key, not even where a disk kept it too long."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher().encrypt(nonce, content, None)

    def opened(self, sealed: bytes) -> bytes:
        """What was sealed.

        Raises
        ------
        ConfigError
            It was sealed under another key.
        """
        try:
            return self._cipher().decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None)
        except InvalidTag as cause:
            raise ConfigError("an erasure was sealed under another keys/privacy.key") from cause

    def _cipher(self) -> AESGCM:
        return AESGCM(sha256(b"sealed" + self.key).digest())

    @property
    def mark(self) -> int:
        """A number that another key would not have; 0 without a key."""
        if not self.key:
            return 0
        told = blake2b(b"dapei privacy", key=self.key, digest_size=7).digest()
        return int.from_bytes(told) or 1

    def controls(self) -> Controls:
        """What holds for a person who chose nothing."""
        if self == Privacy(key=self.key):
            return FREE
        return Controls(
            needs_consent=self.basis == "consent", blocked=Blocked.of(self.blocked_terms)
        )


def _check(said: dict[str, Any]) -> None:
    if said.get("basis", BASES[0]) not in BASES:
        raise ConfigError(
            f"basis of [privacy] is unknown, got {said['basis']!r:.40}; allowed: {', '.join(BASES)}"
        )
    for name, least in (
        ("events_days", 1),
        ("lists_days", 1),
        ("quarantine_days", 1),
        ("audit_days", MIN_AUDIT_DAYS),
    ):
        days = said.get(name, least)
        if type(days) is not int or not least <= days <= MAX_DAYS:
            raise ConfigError(
                f"{name} of [privacy] is out of range, got {days!r:.40}; "
                f"allowed: {least} to {MAX_DAYS}"
            )
    terms = said.get("blocked_terms", [])
    are_texts = isinstance(terms, list) and all(isinstance(term, str) for term in terms)
    if not are_texts or len(terms) > MAX_TERMS:
        raise ConfigError(f"blocked_terms of [privacy] is no list of up to {MAX_TERMS} texts")
    if not isinstance(said.get("appeal", ""), str):
        raise ConfigError(f"appeal of [privacy] is no text, got {said['appeal']!r:.40}")


def _key(folder: Path) -> bytes:
    path = folder / KEY_NAME
    if not path.exists():
        make_folder(folder)
        beside = folder / f".{KEY_NAME}.{os.getpid()}.{secrets.token_hex(4)}"
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # Of two who make one at a time the first stays: a link never replaces a file.
        with suppress(FileExistsError):
            os.link(beside, path)
        beside.unlink()
        fsync_folder(folder)
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise ConfigError(f"{path} is damaged, got {len(key)} bytes; allowed: {KEY_BYTES}")
    return key
