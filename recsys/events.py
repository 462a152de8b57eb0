"""Events and served lists: frozen, checked at birth.

The bounds stand in tables so that the import, which checks columns and not single events, reads the
same ones.
"""

import json
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import Enum, IntEnum, StrEnum
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from recsys.errors import InvalidEvent, InvalidInput
from recsys.ids import hash64


class EventType(IntEnum):
    """What a person did; the number is what arrays hold and must never change."""

    IMPRESSION = 0
    PLAY = 1
    LIKE = 2
    DISLIKE = 3
    COMMENT = 4
    SHARE = 5
    FAVOURITE = 6
    FOLLOW = 7
    CHOOSE = 8
    VIEW = 9
    TRY_ON = 10
    CART = 11
    UNCART = 12
    ORDER = 13
    REFUND = 14

    @property
    def word(self) -> str:
        """The word callers use."""
        return self.name.lower()


EVENT_WORDS: dict[str, EventType] = {kind.word: kind for kind in EventType}


class Platform(StrEnum):
    """Where it happened."""

    DOUYIN = "douyin"
    CHANNELS = "channels"
    KUAISHOU = "kuaishou"
    XIAOHONGSHU = "xiaohongshu"
    MINIPROGRAM = "miniprogram"
    OTHER = "other"


# The number of each platform in arrays, never to change.
PLATFORMS: tuple[Platform, ...] = tuple(Platform)
PLATFORM_NUMBERS: dict[Platform, int] = {one: number for number, one in enumerate(PLATFORMS)}
# Where videos are watched; all else is the shop's own.
VIDEO_PLATFORMS = (Platform.DOUYIN, Platform.CHANNELS, Platform.KUAISHOU, Platform.XIAOHONGSHU)


class Bound(NamedTuple):
    """The smallest and largest value allowed, both included."""

    low: float
    high: float


# Longest text in characters, by field.
TEXT_LIMITS: dict[str, int] = {
    "event_id": 64,
    "user_id": 128,
    "item_id": 128,
    "order_id": 64,
    "list_id": 64,
    "choice": 64,
}
# A day is the longest single play; 10^12 fen is more than any order.
NUMBER_BOUNDS: dict[str, Bound] = {
    "play_s": Bound(0, 86_400),
    "duration_s": Bound(0, 86_400),
    "dwell_s": Bound(0, 86_400),
    "quantity": Bound(1, 1_000_000),
    "amount_minor": Bound(0, 1_000_000_000_000),
    "position": Bound(0, 100_000),
}
NEEDED = frozenset({"event_id", "user_id", "item_id"})
WHOLE_NUMBERS = frozenset({"quantity", "amount_minor", "position"})
PROPS_BYTES = 1_024
# A key of `props`: nobody vouches for the event, so nothing is learned from it for others.
UNPROVEN = "unproven"
EARLIEST_AT = datetime(2000, 1, 1, tzinfo=UTC)
LATEST_AT = datetime(2100, 1, 1, tzinfo=UTC)
_texts_of = attrgetter(*TEXT_LIMITS)
_numbers_of = attrgetter(*NUMBER_BOUNDS)


def check_text(
    name: str, value: object, *, limit: int, error: type[InvalidInput] = InvalidEvent
) -> None:
    """Refuse a text that is empty, too long, or holds what stores and logs cannot carry."""
    # Nearly every text is fine, and every event has several: one look for all that may be wrong.
    if type(value) is str and 0 < len(value) <= limit and value.isprintable():
        return
    if not isinstance(value, str) or not value:
        raise error(f"{name} is missing or no text, got {value!r:.80}; allowed: a text")
    if len(value) > limit:
        raise error(f"{name} is too long, got {len(value)} characters; allowed: up to {limit}")
    if not value.isprintable():
        raise error(f"{name} has unprintable characters, got {value!r:.80}; allowed: printable")


def _check_number(name: str, value: object) -> None:
    low, high = NUMBER_BOUNDS[name]
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise InvalidEvent(f"{name} is not a number, got {value!r:.80}")
    if name in WHOLE_NUMBERS and not isinstance(value, int):
        raise InvalidEvent(f"{name} is not a whole number, got {value!r:.80}")
    # NaN fails every comparison, so it is refused here too.
    if not low <= value <= high:
        raise InvalidEvent(f"{name} is out of range, got {value}; allowed: {low:g} to {high:g}")


def check_at(at: datetime | None) -> None:
    """Refuse a time without zone or outside this century; None means undated."""
    if at is None:
        return
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise InvalidEvent(f"at has no time zone, got {at!r:.80}; allowed: an aware time")
    if not EARLIEST_AT <= at <= LATEST_AT:
        raise InvalidEvent(f"at is out of range, got {at.isoformat()}; allowed: 2000 to 2100")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One act of one person on one item.

    Parameters
    ----------
    event_id
        The caller's; the same id twice counts once.
    at
        When it happened; None only from an import of undated data.
    play_s, duration_s, dwell_s
        Seconds watched, length of the video, seconds on the page.
    amount_minor
        Money of the whole line in fen.
    list_id, position
        The served list it came from and the place in it, from 0.

    Raises
    ------
    InvalidEvent
        A field is missing, of the wrong kind or out of bounds.
    """

    event_id: str
    user_id: str
    item_id: str
    type: EventType
    at: datetime | None
    play_s: float | None = None
    duration_s: float | None = None
    dwell_s: float | None = None
    quantity: int | None = None
    amount_minor: int | None = None
    order_id: str | None = None
    choice: str | None = None
    list_id: str | None = None
    position: int | None = None
    platform: Platform = Platform.OTHER
    props: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check every field once, so that the inside can trust it."""
        for name, value in zip(TEXT_LIMITS, _texts_of(self), strict=True):
            if value is not None or name in NEEDED:
                check_text(name, value, limit=TEXT_LIMITS[name])
        for name, value in zip(NUMBER_BOUNDS, _numbers_of(self), strict=True):
            if value is not None:
                _check_number(name, value)
        check_at(self.at)
        _check_props(self.props)

    @property
    def is_proven(self) -> bool:
        """Whether others' lists may learn from it."""
        return UNPROVEN not in self.props

    def body(self) -> dict[str, Any]:
        """All that the caller said, as plain JSON values; equal bodies mean the same event."""
        said = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: _plain(value) for name, value in said.items() if value not in (None, {})}


def _plain(value: object) -> object:
    if isinstance(value, EventType):
        return value.word
    if isinstance(value, datetime):
        return moment(millis(value)).isoformat(timespec="milliseconds")
    return value.value if isinstance(value, Enum) else value


def _check_props(props: object) -> None:
    if not props:
        return
    try:
        size = len(json.dumps(props, allow_nan=False).encode())
    except (TypeError, ValueError, RecursionError) as cause:
        raise InvalidEvent("props cannot be written as JSON; allowed: plain values") from cause
    if not isinstance(props, dict) or size > PROPS_BYTES:
        raise InvalidEvent(f"props is too large, got {size} bytes; allowed: {PROPS_BYTES}")


def choice_key(choice: str) -> int:
    """A signed 64-bit key of an answer, alike for the value of an attribute; never 0."""
    return text_key(choice.strip().casefold())


def text_key(text: str) -> int:
    """A signed 64-bit key of a text; never 0."""
    return int(np.uint64(hash64(text)).astype(np.int64)) or 1


def millis(at: datetime) -> int:
    """An aware time as whole milliseconds since 1970, UTC: what arrays and stores hold."""
    return round(at.timestamp() * 1000)


def moment(at_ms: int) -> datetime:
    """The aware time of milliseconds since 1970."""
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedItem:
    """One place of a served list.

    Parameters
    ----------
    score
        What the pipeline ranked by; no unit, comparable only inside one list.
    source
        The source that gave the item the most of its score.
    reason
        A true sentence about why it is here, for the person to read.
    probability
        With what chance it came to be here, where it was drawn; None where it was ranked.
    coupon
        Name of a coupon on it that the person may use now; None where there is none.
    """

    item_id: str
    kind: str
    rank: int
    score: float
    source: str
    reason: str
    ad: bool
    probability: float | None = None
    coupon: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedList:
    """What was answered, in full: enough to explain it and to learn from it later.

    Parameters
    ----------
    relaxed
        Limits on the list that its candidates did not allow to keep, by name.
    looked_at
        Of a few lists, what their scorer looked at; see `recsys.lookback`.
    commission
        Of a list that commissions reordered: how many items moved, "moved", and how much relevance
        that cost at most, "loss"; see `recsys.commerce.Lean`.
    mix
        Of a list with a learned share of products: that share, "commerce", and how likely it was to
        be chosen, "probability".
    """

    list_id: str
    user_id: str | None
    scene: str
    at: datetime
    bundle: str
    pipeline: str
    personalised: bool
    degraded: tuple[str, ...]
    items: tuple[ServedItem, ...]
    arms: tuple[str, ...] = ()
    relaxed: tuple[str, ...] = ()
    looked_at: dict[str, Any] | None = None
    mix: dict[str, float] | None = None
    commission: dict[str, float] | None = None
