"""What a rule would change: the same requests with it and without, list by list."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from recsys.bundle import Bundle
from recsys.events import ServedList
from recsys.histories import History
from recsys.recommend import Request, recommend
from recsys.rules import Rule


class Asked(NamedTuple):
    """A request that was made once, and what its person had done by then."""

    request: Request
    history: History
    at: datetime
    list_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What became of one list."""

    before: ServedList
    after: ServedList

    @property
    def entered(self) -> list[str]:
        """Items that are only in the list after."""
        return _missing(self.after, self.before)

    @property
    def left(self) -> list[str]:
        """Items that are only in the list before."""
        return _missing(self.before, self.after)

    @property
    def is_changed(self) -> bool:
        """Whether any place has another item."""
        return _ids(self.before) != _ids(self.after)

    @property
    def moved(self) -> int:
        """How many items of both lists have another place."""
        places = {item_id: place for place, item_id in enumerate(_ids(self.before))}
        both = [(places.get(one, place), place) for place, one in enumerate(_ids(self.after))]
        return sum(before != after for before, after in both)


def preview(
    asked: Iterable[Asked], bundle: Bundle, before: Iterable[Rule], after: Iterable[Rule]
) -> list[Change]:
    """Every list as it is under some rules, and as it would be under others.

    Chance falls alike on both sides, so that what differs is the rules' doing.
    """
    sides = bundle.ruled(before), bundle.ruled(after)
    found = []
    for one in asked:
        old, new = (
            recommend(one.request, one.history, side, at=one.at, list_id=one.list_id).served
            for side in sides
        )
        found.append(Change(before=old, after=new))
    return found


def request_of(served: ServedList) -> Request:
    """The request a served list came of, as far as it was kept: not its basket nor its cursor."""
    return Request(scene=served.scene, user_id=served.user_id, k=max(1, len(served.items)))


def _ids(served: ServedList) -> list[str]:
    return [item.item_id for item in served.items]


def _missing(served: ServedList, other: ServedList) -> list[str]:
    there = set(_ids(other))
    return [item_id for item_id in _ids(served) if item_id not in there]
