"""Copies of what is known of people, for fast reads, which may be lost.

Every person has a mark, any text. A copy says for which mark it was made and holds only as long as
the mark is that. Whoever stores an event of a person removes the mark before the event is
acknowledged; whoever makes a copy looks at the mark first and reads the record after that. So in
whatever order things happen, a copy made without the event is void.

The same place keeps counts of the last minute, for limits that hold for all workers together.
"""

from collections.abc import Collection
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from recsys.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found of a person.

    Parameters
    ----------
    mark
        Says of a copy made from now on until when it holds.
    body
        The copy; None if there is none that holds.
    """

    mark: str
    body: bytes | None


class Hot(Protocol):
    """Somewhere to keep copies. None of these raises when that place fails."""

    async def find(self, user_id: str, under: str, *, with_copy: bool) -> Seen | None:
        """What there is of a person; None if that cannot be said now."""
        ...

    async def keep(self, user_id: str, under: str, mark: str, body: bytes) -> None:
        """Keep a copy made after the mark was seen."""
        ...

    async def forget(self, user_ids: Collection[str], *under: str) -> bool:
        """Make every copy of these people void; whether that is certain."""
        ...

    async def lease(self, name: str, slot: int, n: int, most: int) -> int | None:
        """How many of n more all workers together allow, 0 to n; None if that cannot be said now.

        Parameters
        ----------
        name
            What is counted, of whom.
        slot
            The present twelfth of a minute, counted from any beginning that all have in common.
        most
            So many there may be in this slot and the twelve before.
        """
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...


class NoHot:
    """Nowhere: the record is always read."""

    async def find(self, user_id: str, under: str, *, with_copy: bool) -> Seen | None:
        """Nothing can be said."""
        return None

    async def keep(self, user_id: str, under: str, mark: str, body: bytes) -> None:
        """Nothing is kept."""

    async def forget(self, user_ids: Collection[str], *under: str) -> bool:
        """There is no copy to be void."""
        return True

    async def lease(self, name: str, slot: int, n: int, most: int) -> int | None:
        """Each worker counts for itself."""
        return None

    async def close(self) -> None:
        """There is nothing to let go of."""


def hot_of(url: str | None) -> Hot:
    """Where a configuration wants copies kept; None: nowhere.

    Raises
    ------
    ConfigError
        The address is none, or the client of Redis is not installed.
    """
    if url is None:
        return NoHot()
    try:
        # Only who uses Redis needs its client.
        redis = import_module("serving.hot_redis")
    except ModuleNotFoundError as cause:
        raise ConfigError("copies in Redis need more; run: pip install dapei[redis]") from cause
    hot: Hot = redis.RedisHot.of(url)
    return hot
