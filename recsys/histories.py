"""Persons' events as flat arrays, and what refunds and dislikes make of them."""

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recsys.events import PLATFORM_NUMBERS, Event, EventType, choice_key, millis, text_key
from recsys.ids import Ints, Mask
from recsys.once import Once

# The time of an event whose source had none; older than anything, so undated events come first.
ORDER, REFUND = int(EventType.ORDER), int(EventType.REFUND)
UNDATED = np.int64(np.iinfo(np.int64).min)


@dataclass(frozen=True, slots=True, eq=False)
class History(Once):
    """Events in time order, of one person or of many one behind the other.

    Attributes
    ----------
    item
        Shape (n,). Positions in one catalogue.
    type
        Shape (n,). Values of `EventType`.
    at_ms
        Shape (n,). Milliseconds since 1970, UTC; `UNDATED` where the source had no time.
    value
        Shape (n,). Seconds watched for a play, seconds on the page for a view, pieces for cart,
        order and refund; NaN where not said.
    duration_s
        Shape (n,). Length of the video as the event said it; NaN where not said.
    order
        Shape (n,). Key of the order's id; of a choice, of its answer; of an item that a friend
        sent, of the friend. 0 where there is none.
    platform
        Shape (n,). Positions in `recsys.events.PLATFORMS`.
    """

    item: NDArray[np.int32]
    type: NDArray[np.int8]
    at_ms: Ints
    value: NDArray[np.float32]
    duration_s: NDArray[np.float32]
    order: Ints
    platform: NDArray[np.int8]

    @classmethod
    def empty(cls) -> Self:
        """The history of a person nobody knows."""
        return cls(
            item=np.empty(0, dtype=np.int32),
            type=np.empty(0, dtype=np.int8),
            at_ms=np.empty(0, dtype=np.int64),
            value=np.empty(0, dtype=np.float32),
            duration_s=np.empty(0, dtype=np.float32),
            order=np.empty(0, dtype=np.int64),
            platform=np.empty(0, dtype=np.int8),
        )

    @classmethod
    def of(cls, events: list[tuple[int, Event]]) -> "History":
        """Events with their items' positions, put in time order (ties keep the order given)."""
        if not events:
            return cls.empty()
        history = cls(
            item=np.array([item_idx for item_idx, _ in events], dtype=np.int32),
            type=np.array([event.type for _, event in events], dtype=np.int8),
            at_ms=np.array(
                [UNDATED if event.at is None else millis(event.at) for _, event in events],
                dtype=np.int64,
            ),
            value=np.array([event_value(event) for _, event in events], dtype=np.float32),
            duration_s=np.array(
                [np.nan if event.duration_s is None else event.duration_s for _, event in events],
                dtype=np.float32,
            ),
            order=np.array([named_key(event) for _, event in events], dtype=np.int64),
            platform=np.array([PLATFORM_NUMBERS[e.platform] for _, e in events], dtype=np.int8),
        )
        return history.take(np.argsort(history.at_ms, kind="stable"))

    def __len__(self) -> int:
        """How many events there are."""
        return len(self.item)

    def take(self, index: NDArray[Any] | slice) -> "History":
        """The chosen events, in the order chosen; a slice copies nothing."""
        # Field by field: to ask which fields there are would cost as much as to choose.
        return History(
            item=self.item[index],
            type=self.type[index],
            at_ms=self.at_ms[index],
            value=self.value[index],
            duration_s=self.duration_s[index],
            order=self.order[index],
            platform=self.platform[index],
        )

    def merged(self, later: "History") -> "History":
        """Both histories of one person, in time order."""
        if len(later) == 0:
            return self
        both = History(
            **{
                f.name: np.concatenate([getattr(self, f.name), getattr(later, f.name)])
                for f in fields(self)
            }
        )
        return both.take(np.argsort(both.at_ms, kind="stable"))

    def of_types(self, *types: EventType) -> "History":
        """Only the events of these types."""
        return self.take(self._is_of(types))

    def items_of(self, *types: EventType) -> NDArray[np.int32]:
        """The items of the events of these types."""
        return self.once(types, lambda: self.item[self._is_of(types)])

    def _is_of(self, types: tuple[EventType, ...]) -> Mask:
        wanted = np.zeros(len(EventType), dtype=np.bool_)
        wanted[list(types)] = True
        return wanted[self.type]

    def standing(self, as_of_ms: int) -> "History":
        """Without this one person's orders that refunds up to `as_of_ms` took back."""
        refunds = self.once("refunds", lambda: self.at_ms[self.type == REFUND])
        if len(refunds) == 0:
            return self
        n_refunds = int((refunds <= as_of_ms).sum())
        return self.once(("standing", n_refunds), lambda: self.take(~self.undone(as_of_ms)))

    def undone(self, as_of_ms: int) -> Mask:
        """Which orders of this one person a refund up to `as_of_ms` took back.

        A refund takes back the latest order of its item that still stands: of the same order id if
        it names one, of any else. A refund of fewer pieces than were ordered takes nothing back.
        """
        undone = np.zeros(len(self), dtype=np.bool_)
        for refund in np.flatnonzero((self.type == REFUND) & (self.at_ms <= as_of_ms)):
            standing = (self.type[:refund] == ORDER) & ~undone[:refund]
            standing &= self.item[:refund] == self.item[refund]
            if self.order[refund]:
                standing &= self.order[:refund] == self.order[refund]
            # NaN pieces compare false, so a refund that names no number takes back the whole.
            standing &= ~(self.value[:refund] > self.value[refund])
            if standing.any():
                undone[np.flatnonzero(standing)[-1]] = True
        return undone


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """Many persons' events: person p has `events.take(slice(offsets[p], offsets[p + 1]))`."""

    events: History
    offsets: Ints

    @classmethod
    def of(cls, histories: list[History]) -> Self:
        """One history a person, in the order given."""
        offsets = np.zeros(len(histories) + 1, dtype=np.int64)
        np.cumsum([len(history) for history in histories], out=offsets[1:])
        columns = {
            f.name: np.concatenate(
                [getattr(history, f.name) for history in (*histories, History.empty())]
            )
            for f in fields(History)
        }
        return cls(History(**columns), offsets)

    def __len__(self) -> int:
        """How many persons there are."""
        return len(self.offsets) - 1

    def of_person(self, user_idx: int) -> History:
        """One person's events, oldest first; nothing is copied."""
        return self.events.take(slice(int(self.offsets[user_idx]), int(self.offsets[user_idx + 1])))

    def persons(self) -> Ints:
        """Shape (n events,). Which person each event belongs to."""
        return np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.offsets))

    def undone(self, as_of_ms: int) -> Mask:
        """Shape (n events,). Which orders a refund of the same person took back."""
        undone = np.zeros(len(self.events), dtype=np.bool_)
        refunds = np.flatnonzero(self.events.type == REFUND)
        if len(refunds) == 0:
            return undone
        for person in np.unique(np.searchsorted(self.offsets, refunds, side="right") - 1):
            span = slice(int(self.offsets[person]), int(self.offsets[person + 1]))
            undone[span] = self.events.take(span).undone(as_of_ms)
        return undone

    def keeping(self, chosen: Mask) -> "Histories":
        """The same persons with only the chosen events, `chosen` one value an event."""
        if chosen.all():
            return self
        kept_before = np.concatenate([[0], np.cumsum(chosen)]).astype(np.int64)
        return Histories(self.events.take(chosen), kept_before[self.offsets])


def event_value(event: Event) -> float:
    """The one number an event of this type is about; NaN where it said none."""
    if event.type is EventType.PLAY:
        value = event.play_s
    elif event.type in (EventType.CART, EventType.UNCART, EventType.ORDER, EventType.REFUND):
        value = event.quantity
    else:
        value = event.dwell_s
    return float("nan") if value is None else float(value)


# Acts that a friend's message may have led to, and what their props call the friend.
SHARED_TYPES = (EventType.IMPRESSION, EventType.PLAY, EventType.VIEW)
SHARED_BY = "shared_by"


def named_key(event: Event) -> int:
    """The key of what an event names besides its item; 0 where it names nothing."""
    if event.type is EventType.CHOOSE:
        return 0 if event.choice is None else choice_key(event.choice)
    if event.type in SHARED_TYPES:
        friend = event.props.get(SHARED_BY)
        return text_key(friend) if isinstance(friend, str) and friend else 0
    return order_key(event.order_id)


def order_key(order_id: str | None) -> int:
    """A signed 64-bit key of an order's id; 0 is no order."""
    return 0 if order_id is None else text_key(order_id)


def known_items(history: History) -> NDArray[np.int32]:
    """The distinct items a person had to do with; what was only on a screen is none of them."""
    return np.unique(history.item[history.type != EventType.IMPRESSION])
