"""Brings what persons asked for to its end beside the requests: erasures, copies of what is known.

A worker loads nothing that reads the lake, so a program of its own does that part.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from data.erasures import Erasures
from data.record_erasures import STEPS, Erasure
from recsys.errors import StoreUnavailable
from serving.persons import Persons

log = logging.getLogger(__name__)

LEAST_S = 0.5
CHUNK_BYTES = 65_536


@dataclass(slots=True)
class Keeper:
    """One worker's part in erasing and exporting."""

    erasures: Erasures
    persons: Persons
    now: Callable[[], datetime]
    _exporting: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    _has_compared: bool = False

    async def run(self, poll_s: float) -> None:
        """Look for erasures under way for ever; a step that fails is tried again."""
        while True:
            with suppress(StoreUnavailable):
                await self.look()
            await asyncio.sleep(max(poll_s, LEAST_S))

    async def look(self) -> None:
        """Bring what is under way one step further, if anything is."""
        pending = await asyncio.to_thread(self._pending)
        for one in pending:
            await self._drop_copies(one)
        is_long = any(set(STEPS) - {"copies"} - set(one.steps) for one in pending)
        if is_long or not self._has_compared:
            self._has_compared = True
            if is_long or await asyncio.to_thread(self._are_missing):
                await self._finish()

    def _pending(self) -> list[Erasure]:
        return self.erasures.record.erasing.pending()

    def _are_missing(self) -> bool:
        """Whether a record that was put back does not know of somebody who was erased."""
        buried = self.erasures.record.erasing.buried()
        return not self.erasures.remembered().keys() <= buried.keys()

    async def _drop_copies(self, erasure: Erasure) -> None:
        if "copies" in erasure.steps or not await self.persons.drop_copies(erasure.ids):
            return
        erasing = self.erasures.record.erasing
        done = await asyncio.to_thread(erasing.step_done, erasure, "copies")
        if set(done.steps) >= set(STEPS):
            await asyncio.to_thread(erasing.finish, done, at=self.now())

    async def _finish(self) -> None:
        child = await asyncio.create_subprocess_exec(
            *_command(self.erasures, "finish"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, said = await child.communicate()
        finally:
            if child.returncode is None:
                # What it did is written down; the next one goes on.
                child.terminate()
                await child.communicate()
        if child.returncode:
            log.error("an erasure does not end: %s", said.decode(errors="replace")[-300:])

    async def export(self, user_id: str) -> AsyncIterator[bytes]:
        """Everything that is kept of a person, line by line, as it is read."""
        async with self._exporting:
            child = await asyncio.create_subprocess_exec(
                *_command(self.erasures, "export", "-"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            assert child.stdin is not None
            assert child.stdout is not None
            try:
                # Not in the command, which everybody on the machine can read.
                child.stdin.write(user_id.encode() + b"\n")
                child.stdin.close()
                while chunk := await child.stdout.read(CHUNK_BYTES):
                    yield chunk
                if await child.wait():
                    raise StoreUnavailable("what is kept cannot be read now; ask again")
            finally:
                if child.returncode is None:
                    child.kill()
                    await child.wait()


def _command(erasures: Erasures, *words: str) -> list[str]:
    home = str(erasures.home.root)
    return [sys.executable, "-m", "dapei", "privacy", *words, "--home", home]
