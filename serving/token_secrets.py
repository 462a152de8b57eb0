"""The secrets that user tokens are made with: a file of the home, rotated with a grace."""

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from recsys.errors import ConfigError
from recsys.events import millis
from recsys.files import locked, make_folder, write_private

log = logging.getLogger(__name__)

NAME, SECRET_BYTES, ID_BYTES = "tokens.json", 32, 4


@dataclass(frozen=True, slots=True)
class TokenSecret:
    """One secret.

    Parameters
    ----------
    until_ms
        From when on it holds no more; None for the newest, which tokens are made with.
    """

    kid: str
    secret: bytes
    until_ms: int | None = None


class TokenSecrets:
    """The secrets in a folder of keys, as one process knows them."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._seen: tuple[int, int, int] | None = None
        self._all: tuple[TokenSecret, ...] = ()

    def look(self) -> None:
        """Read the file if it is another than before; one that cannot be read holds nothing."""
        try:
            said = self._path.stat()
            seen = (said.st_ino, said.st_mtime_ns, said.st_size)
            if seen != self._seen:
                self._all, self._seen = _read(self._path), seen
        except FileNotFoundError:
            self._all, self._seen = (), None
        except (OSError, ConfigError) as error:
            if self._seen is not None or self._all:
                log.error("no user token is taken: %s", error)
            self._all, self._seen = (), None

    def good_at(self, at: datetime) -> Mapping[str, bytes]:
        """Those that hold at a moment, by kid."""
        now = millis(at)
        return {
            one.kid: one.secret for one in self._all if one.until_ms is None or now < one.until_ms
        }


def check_secrets(folder: Path) -> None:
    """Raise ConfigError if the file is there and no user token could be trusted with it."""
    path = folder / NAME
    if path.exists():
        _read(path)


def newest(folder: Path) -> TokenSecret:
    """The secret that tokens are made with.

    Raises
    ------
    ConfigError
        There is none, or the file is damaged.
    """
    path = folder / NAME
    found = [one for one in (_read(path) if path.exists() else ()) if one.until_ms is None]
    if not found:
        raise ConfigError(f"{path} has no secret yet; run: dapei keys token rotate")
    return found[-1]


def rotate(folder: Path, *, at: datetime, grace: timedelta) -> TokenSecret:
    """A new secret for tokens from now on; those made with the one before stay good for the grace.

    Raises
    ------
    ConfigError
        The file is damaged.
    """
    make_folder(folder)
    path, now = folder / NAME, millis(at)
    with locked(folder):
        before = _read(path) if path.exists() else ()
        ending = now + int(grace.total_seconds() * 1_000)
        kept = [
            TokenSecret(one.kid, one.secret, ending if one.until_ms is None else one.until_ms)
            for one in before
            if one.until_ms is None or one.until_ms > now
        ]
        made = TokenSecret(secrets.token_hex(ID_BYTES), secrets.token_bytes(SECRET_BYTES))
        write_private(path, orjson.dumps([_said(one) for one in (*kept, made)]))
    return made


def _said(one: TokenSecret) -> dict[str, Any]:
    return {"kid": one.kid, "secret": one.secret.hex(), "until_ms": one.until_ms}


def _read(path: Path) -> tuple[TokenSecret, ...]:
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"{path} can be read by others; run: chmod 600 {path}")
    try:
        said = orjson.loads(path.read_bytes())
        found = tuple(
            TokenSecret(one["kid"], bytes.fromhex(one["secret"]), one["until_ms"]) for one in said
        )
    except (ValueError, KeyError, TypeError) as cause:
        raise ConfigError(f"{path} is damaged; allowed: what `dapei keys token` wrote") from cause
    if not found or any(len(one.secret) < SECRET_BYTES for one in found):
        raise ConfigError(
            f"{path} has an empty or short secret; allowed: {SECRET_BYTES} bytes, as "
            "`dapei keys token rotate` makes them"
        )
    return found
