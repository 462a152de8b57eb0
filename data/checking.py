"""The bounds of `recsys.events` on whole columns: what an event would refuse at birth."""

import sys
from datetime import datetime
from functools import cache

import numpy as np

from data.mapping_columns import Column, Fault, sentence
from recsys.events import EARLIEST_AT, LATEST_AT, NUMBER_BOUNDS, PROPS_BYTES, TEXT_LIMITS, millis

SURROGATES = range(0xD800, 0xE000)


@cache
def _unprintable() -> str:
    """What `str.isprintable` refuses, as a class of characters.

    Spelled out, as who searches columns may know another version of Unicode than Python does: what
    one takes for a letter may not be assigned yet for the other.
    """
    refused = [
        code
        for code in range(sys.maxunicode + 1)
        if code not in SURROGATES and not chr(code).isprintable()
    ]
    edges = np.flatnonzero(np.diff(refused) != 1)
    firsts = [refused[0], *(refused[at + 1] for at in edges)]
    lasts = [*(refused[at] for at in edges), refused[-1]]
    spans = (rf"\x{{{first:X}}}-\x{{{last:X}}}" for first, last in zip(firsts, lasts, strict=True))
    return f"[{''.join(spans)}]"


def checked(name: str, column: Column, *, needed: bool, latest_at: datetime) -> Column:
    """The column with the faults an event of this field may have.

    Parameters
    ----------
    needed
        Whether an event without a value is wrong.
    latest_at
        Times behind it are wrong: nothing can have happened yet.
    """
    faults = _bounds(name, column, latest_at)
    if needed:
        missing = sentence(f"{name} is missing, got {{}}", column.said)
        faults = [Fault(column.value.is_null(), missing), *faults]
    return column.also(*faults)


def _bounds(name: str, column: Column, latest_at: datetime) -> list[Fault]:
    if name in TEXT_LIMITS:
        return _text_faults(name, column, TEXT_LIMITS[name])
    if name in NUMBER_BOUNDS:
        low, high = NUMBER_BOUNDS[name]
        return [_outside(name, column, low, high, f"{low:g} to {high:g}")]
    if name == "at":
        end = min(latest_at, LATEST_AT)
        allowed = f"{EARLIEST_AT:%Y-%m-%d} to {end:%Y-%m-%d %H:%M} UTC"
        return [_outside(name, column, millis(EARLIEST_AT), millis(end), allowed)]
    if name == "props":
        size = column.value.str.len_bytes()
        reason = sentence(f"props is too large, got {{}} bytes; allowed: {PROPS_BYTES}", size)
        return [Fault(size > PROPS_BYTES, reason)]
    return []


def _text_faults(name: str, column: Column, limit: int) -> list[Fault]:
    length = column.value.str.len_chars()
    too_long = sentence(f"{name} is too long, got {{}} characters; allowed: up to {limit}", length)
    unprintable = sentence(
        f"{name} has unprintable characters, got {{}}; allowed: printable", column.said
    )
    return [
        Fault(length > limit, too_long),
        Fault(column.value.str.contains(_unprintable()), unprintable),
    ]


def _outside(name: str, column: Column, low: float, high: float, allowed: str) -> Fault:
    # NaN is not between any two numbers, so it is refused here too.
    reason = sentence(f"{name} is out of range, got {{}}; allowed: {allowed}", column.said)
    return Fault(~column.value.is_between(low, high), reason)
