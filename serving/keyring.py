"""Which keys and tokens hold now, as one worker knows it; what it cannot know opens nothing."""

import asyncio
import hmac
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from time import monotonic
from typing import NamedTuple

from data.record import Record
from data.record_keys import FORM, ServerKey, digest_of
from recsys.errors import StoreUnavailable
from serving.errors import Unauthorized
from serving.identity import OPEN, Caller, Plane, Scope
from serving.settings import TokenSettings
from serving.token_secrets import TokenSecrets
from serving.tokens import subject_of

log = logging.getLogger(__name__)

# A key that was revoked must open nothing five seconds later, on every worker.
LOOK_S = 1.0
STALE_S = 4.0
# No SHA-256 anybody knows a text for, so that unknown keys take the same way as known ones.
NO_DIGEST = bytes(32)


class Known(NamedTuple):
    """A key that holds: its hash, and who sends it."""

    digest: bytes
    caller: Caller


class Keyring:
    """The keys of a record and the secrets of a home.

    Parameters
    ----------
    now
        The time tokens are held to.
    clock
        Seconds that only go forward.

    Attributes
    ----------
    is_open
        Whether there never was a key, so that whoever reaches the service may use it.
    """

    def __init__(
        self,
        record: Record,
        secrets: TokenSecrets,
        settings: TokenSettings,
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._record = record
        self._secrets = secrets
        self._settings = settings
        self._now = now
        self._clock = clock
        self._looked_s = float("-inf")
        self._known: Mapping[str, Known] = {}
        self.is_open = False

    def look(self) -> None:
        """See what changed; when the record cannot be read, what is known grows old."""
        self._secrets.look()
        started_s = self._clock()
        try:
            kept = self._record.server_keys.all()
        except StoreUnavailable as error:
            log.error("keys cannot be read: %s", error)
            return
        self._known = {one.key_id: _known(one) for one in kept if one.revoked_at is None}
        # Once there was a key nothing opens the service again, not even a record put back.
        self.is_open = not kept and (self.is_open or self._looked_s == float("-inf"))
        self._looked_s = started_s

    async def watch(self) -> None:
        """Look for ever, beside the event loop."""
        while True:
            await asyncio.sleep(LOOK_S)
            await asyncio.to_thread(self.look)

    def caller(self, credential: str | None) -> Caller:
        """Who sends this, a key or a token.

        Raises
        ------
        Unauthorized
            It holds not, or there is none and the service has keys.
        StoreUnavailable
            It is a key, and nobody can say now whether it holds.
        """
        if credential is None:
            if self.is_open:
                return OPEN
            raise Unauthorized("there is no key; allowed: Authorization: Bearer KEY_OR_TOKEN")
        if credential.startswith("dpt"):
            return self._person(credential)
        return self._server(credential)

    def _server(self, key: str) -> Caller:
        found = FORM.fullmatch(key)
        if found and self._clock() - self._looked_s > STALE_S:
            raise StoreUnavailable("nobody can say now which keys hold; try again")
        known = self._known.get(found[1]) if found else None
        digest = NO_DIGEST if known is None else known.digest
        if found is None or not hmac.compare_digest(digest_of(key), digest) or known is None:
            raise Unauthorized("the key is not valid; allowed: one that `dapei keys new` showed")
        return known.caller

    def _person(self, token: str) -> Caller:
        at = self._now()
        sub = subject_of(
            token,
            self._secrets.good_at(at),
            audience=self._settings.audience,
            at=at,
            longest_s=self._settings.longest_s,
        )
        return Caller(Plane.USER, user_id=sub)


def _known(one: ServerKey) -> Known:
    # A scope this program does not know is of a newer one, and opens nothing here.
    scopes = frozenset(scope for scope in Scope if scope in one.scopes)
    return Known(one.digest, Caller(Plane.SERVER, scopes=scopes, name=one.name))
