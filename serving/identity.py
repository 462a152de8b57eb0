"""Who calls: the plane a request came by, whom it is about, and what its sender may do."""

from dataclasses import dataclass, field
from enum import StrEnum

from starlette.requests import HTTPConnection

from recsys.errors import InvalidInput

# Where the guard puts the caller; a route that was not guarded finds nothing there and breaks.
CALLER = "dapei.caller"


class Plane(StrEnum):
    """The way a request came in."""

    SERVER = "server"
    USER = "user"
    OPEN = "open"


class Scope(StrEnum):
    """What a server key may be for; one key may be for several."""

    LISTS = "lists"
    EVENTS = "events"
    ITEMS = "items"
    USERS = "users"
    RULES = "rules"
    EXPERIMENTS = "experiments"
    PRIVACY = "privacy"
    GUARDIAN = "guardian"
    METRICS = "metrics"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, as far as it was proven.

    Parameters
    ----------
    plane
        A server key, a user token, or neither on a service that has no keys yet.
    user_id
        The subject of a user token; None on the other planes, which name whom they mean.
    scopes
        What the server key is for; on an open service everything.
    name
        What the key is called, for the audit; never the key.
    """

    plane: Plane
    user_id: str | None = None
    scopes: frozenset[Scope] = field(default=frozenset())
    name: str = ""

    def subject(self, *named: str | None) -> str | None:
        """Whom a request is about: a token's own subject, or the first that others name.

        Raises
        ------
        InvalidInput
            A user token names somebody, be it its own subject: what it may name it may mistake.
        """
        said = next((one for one in named if one is not None), None)
        if self.plane is not Plane.USER:
            return said
        if said is not None:
            raise InvalidInput(
                "a user token is its own subject, got user_id or guest_id; allowed: neither"
            )
        return self.user_id


OPEN = Caller(Plane.OPEN, scopes=frozenset(Scope), name="open")


def caller_of(request: HTTPConnection) -> Caller:
    """Who sent this request; every route has been guarded before it runs."""
    caller: Caller = request.scope[CALLER]
    return caller
