"""Answers of many lines, sent as they are made, and ended when nobody reads them any more."""

import asyncio
import logging
from collections.abc import AsyncGenerator

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/x-ndjson"
# Whoever reads more slowly than this allows holds up everybody behind them.
MOST_S = 300.0


class Lines(StreamingResponse):
    """Lines as JSON, from something that is closed with the answer, however that ends."""

    def __init__(self, lines: AsyncGenerator[bytes, None], *, most_s: float | None = None) -> None:
        super().__init__(lines, media_type=MEDIA_TYPE)
        self._lines = lines
        self._most_s = MOST_S if most_s is None else most_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them, as long as somebody takes them."""
        try:
            async with asyncio.timeout(self._most_s):
                await super().__call__(scope, receive, send)
        except TimeoutError:
            # It ends without its last line, so that whoever reads sees that it was cut.
            log.warning("an answer was cut: it was read for over %g s", self._most_s)
        finally:
            await self._lines.aclose()
