"""Events that a consumer cannot digest: tried three times, then set aside, so that others pass."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import TypeVar

import orjson
import polars as pl

from recsys.errors import InvalidInput
from recsys.events import Event

T = TypeVar("T")
# With all others, with so many others, alone: what fails alone is at fault itself.
TOGETHER = 1_000
INDIGESTIBLE = (ValueError, TypeError, ArithmeticError, InvalidInput, pl.exceptions.PolarsError)


def sifted(
    events: Sequence[Event], digest: Callable[[Sequence[Event]], T]
) -> tuple[list[T], list[tuple[Event, str]]]:
    """What comes of events, and those that nothing comes of, each with the reason."""
    digested: list[T] = []
    poison: list[tuple[Event, str]] = []
    for size in (len(events), TOGETHER, 1):
        left: list[Event] = []
        reason = ""
        for chunk in _chunks(events, size):
            try:
                digested.append(digest(chunk))
            except INDIGESTIBLE as error:
                left += chunk
                reason = f"{type(error).__name__}: {error}"
                if size == 1:
                    poison.append((chunk[0], reason))
        events = left
    return digested, poison


def dead_letters(poison: Iterable[tuple[Event, str]]) -> list[tuple[bytes, str, str]]:
    """Events that were set aside as the record's quarantine keeps them: body, code, reason."""
    return [
        (orjson.dumps(asdict(event), default=str), "poison", reason) for event, reason in poison
    ]


def _chunks(events: Sequence[Event], size: int) -> Iterable[Sequence[Event]]:
    return (events[at : at + size] for at in range(0, len(events), size or 1))
