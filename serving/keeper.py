"""Brings what persons asked for to its end beside the requests: erasures, copies of what is known.

A worker loads nothing that reads the lake, so a program of its own does that part.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import datetime

from data.erasures import Erasures
from data.record_erasures import STEPS, Erasure
from recsys.errors import StoreUnavailable
from serving.errors import TooMany
from serving.persons import Persons

log = logging.getLogger(__name__)

LEAST_S = 0.5
CHUNK_BYTES = 65_536
# Copies under way and in line on one worker; each takes a program of its own some seconds.
MOST_COPIES, COPY_RETRY_S = 8, 10


@dataclass(slots=True)
class Keeper:
    """One worker's part in erasing and exporting."""

    erasures: Erasures
    persons: Persons
    now: Callable[[], datetime]
    _exporting: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    _copies: int = 0
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

    def check_room(self) -> None:
        """Raise TooMany if so many wait for their copies already that another may not."""
        if self._copies >= MOST_COPIES:
            raise TooMany(
                f"copies are too many now, got one more; allowed: {MOST_COPIES} at a time",
                COPY_RETRY_S,
            )

    def export(self, user_id: str) -> AsyncGenerator[bytes, None]:
        """Everything that is kept of a person, line by line; one copy is made at a time.

        Whoever closes it ends the program that reads.

        Raises
        ------
        TooMany
            Others wait for theirs already.
        """
        self.check_room()
        return self._exported(user_id)

    async def _exported(self, user_id: str) -> AsyncGenerator[bytes, None]:
        self._copies += 1
        try:
            async with self._exporting, aclosing(self._read(user_id)) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            self._copies -= 1

    async def _read(self, user_id: str) -> AsyncGenerator[bytes, None]:
        """What a program of its own says; it ends with whoever reads it."""
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
                # What it said before is read as well: until then its end would not be seen.
                await child.communicate()


def _command(erasures: Erasures, *words: str) -> list[str]:
    home = str(erasures.home.root)
    return [sys.executable, "-m", "dapei", "privacy", *words, "--home", home]
