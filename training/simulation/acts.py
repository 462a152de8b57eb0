"""What simulated people did, as columns: ordinary events, and histories, are made of them."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from recsys.events import PLATFORM_NUMBERS, Event, EventType, Platform, moment
from recsys.histories import History
from training.sample_goods import PLATFORMS, Ints
from training.simulation.market import NOTHING, Floats

# Positions of platforms in acts: where people watch, then the shop itself.
PLACES = (*PLATFORMS, Platform.MINIPROGRAM)
IN_SHOP = len(PLATFORMS)
NUMBERS = np.array([PLATFORM_NUMBERS[one] for one in PLACES], dtype=np.int8)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Acts:
    """Acts of many people; all of shape (n acts,).

    Attributes
    ----------
    who, item
        Positions among the people and in the market.
    type
        Values of `EventType`.
    seconds, duration_s
        Watched, or spent on the page; length of the video; NaN where it is no matter of time.
    amount_minor
        Fen of an order or a refund, 0 for other acts; every order is of one piece.
    order
        Number of the order, 0 for none.
    shown
        Number of the served list it came from, and the place in it; `NOTHING` for none.
    place
        Position in `PLACES`.
    """

    who: Ints
    item: Ints
    type: Ints
    at_ms: Ints
    seconds: Floats
    duration_s: Floats
    amount_minor: Ints
    order: Ints
    shown: Ints
    position: Ints
    place: Ints

    @classmethod
    def of(cls, type: EventType, seen: "Seen", **more: NDArray[Any]) -> Self:
        """One act of a type for everything that was seen; what is not said is nothing."""
        n = len(seen.who)
        said: dict[str, NDArray[Any]] = {
            "type": np.full(n, int(type)),
            "seconds": np.full(n, np.nan),
            "duration_s": np.full(n, np.nan),
            "amount_minor": np.zeros(n, dtype=np.int64),
            "order": np.zeros(n, dtype=np.int64),
        }
        return cls(**{**said, **seen._asdict(), **more})

    @classmethod
    def none(cls) -> Self:
        """Nothing was done."""
        empty = np.empty(0, dtype=np.int64)
        return cls.of(EventType.VIEW, Seen(*(empty for _ in Seen._fields)))

    @classmethod
    def joined(cls, parts: list["Acts"]) -> Self:
        """All of them, person by person, in order of time; acts of one moment as they stand."""
        columns = {
            f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)
        }
        order = np.lexsort((columns["at_ms"], columns["who"]))
        return cls(**{name: column[order] for name, column in columns.items()})

    def __len__(self) -> int:
        """How many acts there are."""
        return len(self.who)

    def take(self, index: NDArray[Any] | slice) -> "Acts":
        """The chosen acts."""
        return Acts(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def turned(self, type: EventType, at_ms: Ints) -> "Acts":
        """The same things done in another way at another time."""
        return replace(self, type=np.full(len(self), int(type)), at_ms=at_ms)

    def histories(self) -> dict[int, History]:
        """By person what they did, in positions of the market."""
        is_counted = np.isin(self.type, (EventType.ORDER, EventType.REFUND))
        whole = History(
            item=self.item.astype(np.int32),
            type=self.type.astype(np.int8),
            at_ms=self.at_ms,
            value=np.where(is_counted, 1.0, self.seconds).astype(np.float32),
            duration_s=self.duration_s.astype(np.float32),
            order=self.order,
            platform=NUMBERS[self.place],
        )
        people, starts = np.unique(self.who, return_index=True)
        ends = [*starts.tolist(), len(self)][1:]
        spans = zip(people.tolist(), starts.tolist(), ends, strict=True)
        return {person: whole.take(slice(start, end)) for person, start, end in spans}

    def events(self, names: "Names") -> list[Event]:
        """The same as ordinary events."""
        columns = [getattr(self, f.name).tolist() for f in fields(self)]
        return [_event(_Act(*row), names) for row in zip(*columns, strict=True)]


class Seen(NamedTuple):
    """Who had what before their eyes, when, and where; all of shape (n,)."""

    who: Ints
    item: Ints
    at_ms: Ints
    shown: Ints
    position: Ints
    place: Ints

    def take(self, index: NDArray[Any], **other: NDArray[Any]) -> "Seen":
        """The chosen ones, with some columns as said."""
        return Seen(*(column[index] for column in self))._replace(**other)


class Names(NamedTuple):
    """What positions and numbers are called outside."""

    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    list_ids: dict[int, str]
    new_id: Callable[[], str]


class _Act(NamedTuple):
    """One act, in the order of the fields of `Acts`."""

    who: int
    item: int
    type: int
    at_ms: int
    seconds: float
    duration_s: float
    amount_minor: int
    order: int
    shown: int
    position: int
    place: int


def _event(act: _Act, names: Names) -> Event:
    kind = EventType(act.type)
    said: dict[str, Any] = {}
    if kind is EventType.PLAY:
        said = {"play_s": act.seconds, "duration_s": act.duration_s}
    elif kind is EventType.VIEW:
        said = {"dwell_s": act.seconds}
    elif act.order:
        order_id = f"order-{act.who}-{act.order}"
        said = {"quantity": 1, "amount_minor": act.amount_minor, "order_id": order_id}
    if act.shown != NOTHING:
        said |= {"list_id": names.list_ids[act.shown], "position": act.position}
    return Event(
        event_id=names.new_id(),
        user_id=names.user_ids[act.who],
        item_id=names.item_ids[act.item],
        type=kind,
        at=moment(act.at_ms),
        platform=PLACES[act.place],
        **said,
    )
