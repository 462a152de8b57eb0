"""Which plane may use which route: one row a route, and no route without its row."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from starlette.routing import BaseRoute, compile_path

from recsys.errors import ConfigError
from serving.identity import Scope


class Access(NamedTuple):
    """Who may use a route.

    Parameters
    ----------
    scope
        What a server key must be for; None: no server key is asked for, anybody may.
    is_users
        Whether a user token may, for its own subject.
    """

    scope: Scope | None
    is_users: bool = False


ANYBODY = Access(None)

# What a person may do behind /v1/me, and the shop's backend behind /v1/users/{user_id}.
IN_HAND = (
    ("PUT", "/personalisation"),
    ("PUT", "/consent"),
    ("PUT", "/minors"),
    ("GET", "/tags"),
    ("DELETE", "/tags/{tag:path}"),
    ("PUT", "/tags/{tag:path}"),
    ("POST", "/not-interested"),
    ("DELETE", "/not-interested/{item_id:path}"),
    ("GET", "/export"),
    ("POST", "/erase"),
    ("GET", "/erase"),
)

# (method, path) as the routes say them.
ACCESS: dict[tuple[str, str], Access] = {
    ("POST", "/v1/lists"): Access(Scope.LISTS, is_users=True),
    ("GET", "/v1/prefetch/home"): Access(Scope.LISTS, is_users=True),
    ("POST", "/v1/events"): Access(Scope.EVENTS, is_users=True),
    ("PUT", "/v1/items"): Access(Scope.ITEMS),
    ("POST", "/v1/items/availability"): Access(Scope.ITEMS),
    ("PATCH", "/v1/items/{item_id:path}"): Access(Scope.ITEMS),
    ("GET", "/v1/items/{item_id:path}"): Access(Scope.ITEMS),
    ("POST", "/v1/aliases"): Access(Scope.USERS),
    ("GET", "/v1/users/{user_id:path}/history"): Access(Scope.USERS),
    ("GET", "/v1/rules"): Access(Scope.RULES),
    ("PUT", "/v1/rules/{rule_id}"): Access(Scope.RULES),
    ("DELETE", "/v1/rules/{rule_id}"): Access(Scope.RULES),
    **{
        (method, "/v1/me" + path): Access(Scope.PRIVACY, is_users=True)
        for method, path in (*IN_HAND, ("GET", ""), ("GET", "/history"))
    },
    **{
        (method, "/v1/users/{user_id:path}" + path): Access(Scope.PRIVACY)
        for method, path in (*IN_HAND, ("GET", "/choices"))
    },
    ("GET", "/healthz"): ANYBODY,
    ("GET", "/readyz"): ANYBODY,
    ("GET", "/metrics"): Access(Scope.METRICS),
    ("GET", "/openapi.json"): ANYBODY,
}


class Rule(NamedTuple):
    """A route's row, with the path it is counted under."""

    path: str
    access: Access


class Rules:
    """Finds the row of a request as the router finds its route.

    Raises
    ------
    ConfigError
        A route has no row, or a row no route.
    """

    def __init__(
        self,
        routes: Iterable[BaseRoute],
        table: Mapping[tuple[str, str], Access] = ACCESS,
    ) -> None:
        named = [
            (method, path)
            for route in routes
            for path in [str(getattr(route, "path", route))]
            for method in sorted(getattr(route, "methods", None) or {""})
        ]
        _check_complete(set(named), set(table))
        self._exact: dict[tuple[str, str], Rule] = {}
        self._patterns: list[tuple[str, re.Pattern[str], Rule]] = []
        for method, path in named:
            rule = Rule(path, table[method, path])
            self._patterns.append((method, compile_path(path)[0], rule))
            if "{" not in path:
                self._exact[method, path] = rule

    def methods(self, path: str) -> list[str]:
        """What may be said to a path; empty if there is no such path."""
        return sorted({method for method, regex, _ in self._patterns if regex.match(path)})

    def of(self, method: str, path: str) -> Rule | None:
        """The row of a request; None if no route takes it."""
        found = self._exact.get((method, path))
        if found is not None:
            return found
        return next(
            (rule for said, regex, rule in self._patterns if said == method and regex.match(path)),
            None,
        )


def _check_complete(served: set[tuple[str, str]], listed: set[tuple[str, str]]) -> None:
    told = [
        f"{what}: {', '.join(' '.join(one) for one in sorted(which))}"
        for what, which in (("no row", served - listed), ("no route", listed - served))
        if which
    ]
    if told:
        raise ConfigError(f"serving/access.py must have one row a route, got {'; '.join(told)}")
