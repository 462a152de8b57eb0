"""The guard around every route: says who calls, and lets nobody in whom the table does not name."""

from http import HTTPStatus

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from recsys.errors import RecsysError
from serving.access import Rules
from serving.errors import NotThere
from serving.failures import error_body, refusal
from serving.gate import Gate, admitted


class Guard:
    """An application behind which every request has a caller."""

    def __init__(self, app: ASGIApp, rules: Rules, gate: Gate) -> None:
        self._app = app
        self._rules = rules
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say who calls, then answer, or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        rule = self._rules.of(scope["method"], scope["path"])
        if rule is None:
            await _unknown(self._rules.methods(scope["path"]))(scope, receive, send)
            return
        try:
            caller = await self._gate.admit(scope, rule.access)
        except RecsysError as error:
            # Refusals are counted under the route as well.
            scope["route"] = rule
            hidden = isinstance(error, NotThere)
            await (_unknown([]) if hidden else refusal(error))(scope, receive, send)
            return
        admitted(scope, self._gate, caller)
        await self._app(scope, receive, send)


def _unknown(allowed: list[str]) -> Response:
    """The answer where no route is, or none of this method."""
    if not allowed:
        return error_body(HTTPStatus.NOT_FOUND, "not_found", "Not Found")
    headers = {"allow": ", ".join(allowed)}
    status = HTTPStatus.METHOD_NOT_ALLOWED
    return error_body(status, "method_not_allowed", "Method Not Allowed", headers)
