"""Bodies of events → events worth keeping, or why not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from pydantic import ValidationError

from recsys.errors import InvalidEvent, InvalidInput
from recsys.events import EVENT_WORDS, UNPROVEN, Event, EventType, Platform, moment
from serving.errors import BodyTooLarge, FutureEvent, LateEvent
from serving.identity import OPEN, Caller, Plane
from serving.list_ids import ListIds
from serving.schemas import MAX_BATCH, EventBody, wrong

MAX_EVENTS = MAX_BATCH
LATEST = timedelta(days=7)
AHEAD = timedelta(minutes=5)
# What the record keeps of a refused event; more would let anybody fill the disk.
QUARANTINE_BYTES = 4_096
# Purchases come from where orders are paid, or brushing (刷单) would cost nothing.
# The code of an event that is good, but of a person of whom nothing may be kept.
NOT_KEPT = "not_kept"
SERVERS_ALONE = frozenset({"order", "refund"})


@dataclass(frozen=True, slots=True)
class Rejected:
    """One event that was refused: its place in the batch, the error's code, and why."""

    index: int
    error: str
    detail: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A batch after checking: the good events with their places, and the refused ones."""

    indexes: list[int]
    events: list[Event]
    rejected: list[Rejected]


@dataclass(frozen=True, slots=True)
class Sender:
    """Who tells events, and what is believed of them.

    Parameters
    ----------
    caller
        A user tells of themselves alone, and of no money.
    lists
        Knows whose a list was; None: what users tell is believed without a list as well.
    """

    caller: Caller = OPEN
    lists: ListIds | None = None

    def stamped(self, said: dict[str, Any], received_at: datetime) -> dict[str, Any]:
        """What an event says, with whom it is about and whether it is proven.

        Raises
        ------
        InvalidEvent
            Its sender may not tell this.
        """
        if self.caller.plane is not Plane.USER:
            if "user_id" not in said:
                raise InvalidEvent("user_id: Field required, unless a user token tells it")
            return said
        if "user_id" in said:
            raise InvalidEvent("a user token is its own subject, got user_id; allowed: none")
        if said["type"] in SERVERS_ALONE:
            raise InvalidEvent(
                f"type is {said['type']}, which only a server key tells; allowed to a user: others"
            )
        user_id = self.caller.user_id
        assert user_id is not None
        more: dict[str, Any] = {"user_id": user_id}
        lists, list_id = self.lists, said.get("list_id")
        if lists is not None and not lists.is_of(list_id, user_id, received_at):
            more["props"] = said.get("props", {}) | {UNPROVEN: True}
        return said | more


ANYBODY = Sender()


def check_batch(
    bodies: Sequence[object], received_at: datetime, sender: Sender = ANYBODY
) -> Checked:
    """Check the events of a batch one by one; a bad one does not take the others with it.

    Raises
    ------
    BodyTooLarge
        There are more than `MAX_EVENTS`.
    """
    if len(bodies) > MAX_EVENTS:
        raise BodyTooLarge(f"events are too many, got {len(bodies)}; allowed: up to {MAX_EVENTS}")
    checked = Checked([], [], [])
    for index, body in enumerate(bodies):
        try:
            event = event_of(body, received_at, sender)
        except InvalidEvent as error:
            checked.rejected.append(Rejected(index, error.code, str(error)))
        else:
            checked.indexes.append(index)
            checked.events.append(event)
    return checked


def event_of(body: object, received_at: datetime, sender: Sender = ANYBODY) -> Event:
    """The event a body describes.

    Raises
    ------
    InvalidEvent
        It breaks the contract, its sender may not tell it, or it happened more than 7 days before
        or 5 minutes after it came.
    """
    try:
        shaped = EventBody.model_validate(body)
    except ValidationError as cause:
        raise InvalidEvent(wrong(cause)) from cause
    # The values themselves: dumping the model would cost more than checking it.
    values = vars(shaped)
    said = {name: values[name] for name in shaped.model_fields_set}
    said = sender.stamped(said, received_at)
    at = moment_of("at", said["at"], InvalidEvent)
    _check_fresh(at, received_at)
    platform = said.pop("platform", None)
    if platform is not None:
        said["platform"] = _platform(platform)
    return Event(**said | {"type": _type(said["type"]), "at": at})


def whose_is(body: object, caller: Caller) -> str | None:
    """Whom a refused event is about, as far as it says."""
    said = body.get("user_id") if isinstance(body, dict) else None
    return said if isinstance(said, str) else caller.user_id


def quarantine_row(body: object, rejected: Rejected) -> tuple[bytes, str, str]:
    """A refused event as the record keeps it: body, error, detail."""
    return orjson.dumps(body)[:QUARANTINE_BYTES], rejected.error, rejected.detail


def moment_of(name: str, said: str | int, error: type[InvalidInput]) -> datetime:
    """The aware time that a field says; raises the error if it says none."""
    try:
        at = moment(said) if isinstance(said, int) else datetime.fromisoformat(said)
    except (ValueError, OverflowError, OSError) as cause:
        raise error(
            f"{name} is no time, got {said!r:.40}; allowed: ISO 8601 with its zone, or milliseconds"
        ) from cause
    if at.tzinfo is None:
        raise error(f"{name} has no time zone, got {said!r:.40}; allowed: an aware time")
    return at


def _check_fresh(at: datetime, received_at: datetime) -> None:
    if at < received_at - LATEST:
        raise LateEvent(f"at is too long ago, got {at.isoformat()}; allowed: the last 7 days")
    if at > received_at + AHEAD:
        raise FutureEvent(f"at is in the future, got {at.isoformat()}; allowed: 5 minutes ahead")


def _type(said: str) -> EventType:
    if said not in EVENT_WORDS:
        raise InvalidEvent(f"type is unknown, got {said!r:.40}; allowed: {', '.join(EVENT_WORDS)}")
    return EVENT_WORDS[said]


def _platform(said: str) -> Platform:
    try:
        return Platform(said)
    except ValueError as cause:
        raise InvalidEvent(
            f"platform is unknown, got {said!r:.40}; allowed: {', '.join(Platform)}"
        ) from cause
