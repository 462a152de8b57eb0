"""Whom an item may be meant for: words outside, bits inside."""

from collections.abc import Iterable
from enum import IntEnum

from recsys.errors import InvalidItem


class Audience(IntEnum):
    """A part of the people; the number is the bit that arrays hold and must never change.

    A lapsed person has not ordered for long; they are returning or a member besides.
    """

    NEW = 1
    RETURNING = 2
    MEMBER = 4
    LAPSED = 8


AUDIENCES: dict[str, Audience] = {one.name.lower(): one for one in Audience}


def mask_of(words: Iterable[str]) -> int:
    """The bits of some words; 0 means everybody.

    Raises
    ------
    InvalidItem
        A word is unknown.
    """
    mask = 0
    for word in words:
        if word not in AUDIENCES:
            allowed = ", ".join(AUDIENCES)
            raise InvalidItem(f"audience is unknown, got {word!r:.80}; allowed: {allowed}")
        mask |= AUDIENCES[word]
    return mask
