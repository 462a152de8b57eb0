"""Who may come in, and how often: what the guard asks about every request."""

from collections.abc import Callable, Iterable
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from time import time
from typing import Self

from starlette.requests import HTTPConnection
from starlette.types import Scope as Asked

from data.record import Record
from serving.access import Access
from serving.addresses import Addresses
from serving.errors import BodyTooLarge, Forbidden, NotThere, Unauthorized
from serving.hot import Hot
from serving.identity import CALLER, Caller, Plane, caller_of
from serving.keyring import Keyring
from serving.limits import SLOTS, Limit, Window, Windows
from serving.settings import LimitSettings, Settings
from serving.token_secrets import TokenSecrets

# Where the guard puts itself for routes that count more than requests.
GATE = "dapei.gate"
NOBODY = Caller(Plane.OPEN, name="anybody")
CREDENTIAL_CHARACTERS = 2_048
# Of a limit that workers share, each lets this part through by itself, so that people who do
# ordinary things cost no call; and takes as much at a time from the others beyond it.
OWN_PART = 40


class Gate:
    """The keys that hold and the limits of one worker.

    Parameters
    ----------
    hot
        Where workers count together.
    """

    def __init__(
        self,
        keyring: Keyring,
        settings: LimitSettings,
        hot: Hot,
        *,
        clock: Callable[[], float] = time,
    ) -> None:
        self.keyring = keyring
        self._hot = hot
        self._addresses = Addresses(settings.proxies)

        def windows(kind: str, what: str, most: int) -> Windows | None:
            return Windows(Limit(kind, what, most), clock) if most else None

        self._user_requests = windows("user", "requests", settings.user_requests)
        self._user_events = windows("user", "events", settings.user_events)
        self._user_exports = windows("user", "exports", settings.user_exports)
        self._key_requests = windows("key", "requests", settings.key_requests)
        self._address_requests = windows("address", "requests", settings.address_requests)
        self._refusals = windows("address", "requests without a key", settings.address_refusals)

    @classmethod
    def of(
        cls,
        record: Record,
        keys: Path,
        settings: Settings,
        hot: Hot,
        *,
        now: Callable[[], datetime],
    ) -> Self:
        """The gate of a service; what holds is looked up at once."""
        keyring = Keyring(record, TokenSecrets(keys), settings.tokens, now=now)
        keyring.look()
        return cls(keyring, settings.limits, hot)

    async def admit(self, scope: Asked, access: Access) -> Caller:
        """Who sends a request.

        Raises
        ------
        Unauthorized, Forbidden, NotThere
            Nobody who may use this route. To a user token, what is not for it is not there.
        TooMany
            They may, later.
        StoreUnavailable
            Nobody can say now whether the key holds.
        """
        if access.scope is None:
            return NOBODY
        address = self._address(scope)
        try:
            caller = self.keyring.caller(_credential(scope["headers"]))
        except Unauthorized:
            if self._refusals is not None:
                self._refusals.take(address)
            raise
        _check_access(caller, access)
        if caller.plane is Plane.USER:
            await self._count(self._address_requests, address)
            await self._count(self._user_requests, caller.user_id or "")
        elif caller.plane is Plane.SERVER:
            await self._count(self._key_requests, caller.name)
        return caller

    async def events(self, caller: Caller, n: int) -> None:
        """Count the events a user tells; a server tells as many as it has.

        Raises
        ------
        TooMany, BodyTooLarge
            They do not fit now, or never.
        """
        windows = self._user_events
        if caller.plane is not Plane.USER or windows is None:
            return
        if n > windows.limit.most:
            raise BodyTooLarge(
                f"events are too many for one user, got {n}; allowed: {windows.limit.most} a minute"
            )
        await self._count(windows, caller.user_id or "", n)

    async def export(self, caller: Caller) -> None:
        """Count a copy that a user asks for; a server asks when somebody does.

        Raises
        ------
        TooMany
            It does not fit now.
        """
        if caller.plane is Plane.USER:
            await self._count(self._user_exports, caller.user_id or "")

    async def _count(self, windows: Windows | None, who: str, n: int = 1) -> None:
        if windows is None:
            return
        window = windows.take(who, n)
        own = windows.limit.most // OWN_PART
        if window.total > own and window.leased < n:
            await self._lease(windows, window, who, n)
        window.leased = max(0, window.leased - n)

    async def _lease(self, windows: Windows, window: Window, who: str, n: int) -> None:
        """Take from what all workers together allow; if that cannot be said, count alone."""
        kind, what, most = windows.limit
        name = blake2b(f"{kind}\n{what}\n{who}".encode(), digest_size=16).hexdigest()
        slot, wanted = window.slot, max(n, most // OWN_PART)
        given = await self._hot.lease(name, slot, wanted, most)
        if given is None:
            return
        if window.slot == slot:
            window.leased += given
        if given < n:
            window.counts[slot % SLOTS] -= n
            window.total -= n
            window.is_full = window.slot == slot and n == 1
            raise windows.too_many(window, n)

    def _address(self, scope: Asked) -> str:
        peer = (scope.get("client") or ("", 0))[0]
        return self._addresses.of(peer, _said(scope["headers"], b"x-forwarded-for"))


async def count_events(request: HTTPConnection, n: int) -> None:
    """Count events of the sender of a request; raises TooMany or BodyTooLarge."""
    gate: Gate = request.scope[GATE]
    await gate.events(caller_of(request), n)


async def count_export(request: HTTPConnection) -> None:
    """Count a copy for the sender of a request; raises TooMany."""
    gate: Gate = request.scope[GATE]
    await gate.export(caller_of(request))


def admitted(scope: Asked, gate: Gate, caller: Caller) -> None:
    """Tell a route who calls, and let it count."""
    scope[CALLER], scope[GATE] = caller, gate


def _check_access(caller: Caller, access: Access) -> None:
    if caller.plane is Plane.USER:
        if not access.is_users:
            raise NotThere("there is no such thing for a user token")
    elif access.scope not in caller.scopes:
        raise Forbidden(f"the key is not for this; allowed: one with the scope {access.scope}")


def _said(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key == name]


def _credential(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    said = _said(headers, b"authorization")
    if not said:
        return None
    scheme, _, credential = said[0].partition(" ")
    is_one = len(said) == 1 and len(credential) <= CREDENTIAL_CHARACTERS
    if not is_one or scheme.lower() != "bearer" or not credential:
        raise Unauthorized("Authorization is malformed; allowed: one header, Bearer KEY_OR_TOKEN")
    return credential
