"""The clock of a service that a simulator drives: each request says what time it is."""

from contextvars import ContextVar
from datetime import UTC, datetime

from starlette.types import ASGIApp, Receive, Scope, Send

from recsys.errors import InvalidInput
from recsys.events import EARLIEST_AT, LATEST_AT
from serving.failures import refusal

HEADER = "x-simulated-now"
_NOW: ContextVar[datetime | None] = ContextVar("simulated_now", default=None)


def simulated_now() -> datetime:
    """The time that this request said; the real one where it said none."""
    return _NOW.get() or datetime.now(UTC)


class SimulatedClock:
    """An application whose requests may set the time for themselves, and for nobody else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request at the time its header says."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = dict(scope["headers"]).get(HEADER.encode())
        try:
            at = None if said is None else moment_said(said.decode("latin-1"))
        except InvalidInput as error:
            await refusal(error)(scope, receive, send)
            return
        token = _NOW.set(at)
        try:
            await self._app(scope, receive, send)
        finally:
            _NOW.reset(token)


def moment_said(text: str) -> datetime:
    """The time in the header.

    Raises
    ------
    InvalidInput
        It is no aware time of this century.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not EARLIEST_AT <= at <= LATEST_AT:
        raise InvalidInput(f"{HEADER} is no time, got {text!r:.40}; allowed: like {EARLIEST_AT}")
    return at
