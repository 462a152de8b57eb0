"""Counts every answer by route and status, around the whole application."""

from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.metrics import Metrics

NO_ROUTE = "none"


class Counted:
    """An application whose answers are counted; it changes none of them."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, and count the answer under the pattern of its path."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s, status = perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", NO_ROUTE)
            self._metrics.answered(route, status, perf_counter() - started_s)
