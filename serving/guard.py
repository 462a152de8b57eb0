"""The guard around every route: says who calls, and lets nobody in whom the table does not name."""

from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.access import Rules
from serving.failures import error_body
from serving.identity import CALLER, OPEN

NO_PATH = error_body(HTTPStatus.NOT_FOUND, "not_found", "Not Found")


class Guard:
    """An application behind which every request has a caller."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say who calls, then answer, or refuse."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        rule = self._rules.of(scope["method"], scope["path"])
        if rule is None:
            await self._refuse_unknown(scope, receive, send)
            return
        scope[CALLER] = OPEN
        await self._app(scope, receive, send)

    async def _refuse_unknown(self, scope: Scope, receive: Receive, send: Send) -> None:
        allowed = self._rules.methods(scope["path"])
        if not allowed:
            await NO_PATH(scope, receive, send)
            return
        answer = error_body(
            HTTPStatus.METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "Method Not Allowed",
            {"allow": ", ".join(allowed)},
        )
        await answer(scope, receive, send)
