"""The histories of the people who came last, so that a request reads only what is new."""

from collections import OrderedDict
from dataclasses import dataclass

from data.histories_file import Past
from recsys.controls import UNREAD, Controls
from recsys.histories import History
from serving.current import Current


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known of a person.

    Parameters
    ----------
    upto_seq
        The record's events of this person up to this number are in the history.
    joins
        How many ids had been joined to the person then.
    mark
        As long as the person's mark among the copies is this one, nothing came since.
    controls
        What the person chose, as it was read with the rest.
    """

    history: History
    upto_seq: int
    joins: int = 0
    mark: str | None = None
    controls: Controls = UNREAD


class Remembered:
    """At most so many people, those who came last, in the positions of the bundle in use.

    A copy that may be lost: whatever is here is followed by a read of the record or a look at the
    person's mark, so an event that another worker took is never missed.
    """

    def __init__(self, n_people: int) -> None:
        self._n_people = n_people
        self._people: OrderedDict[str, Known] = OrderedDict()
        self._bundle_id = ""
        self._past: Past | None = None
        self._n_items = 0
        self._shown_limit = 0

    def find(self, user_id: str, current: Current) -> Known | None:
        """What is known of a person; after a swap of bundle or histories nothing of anybody.

        Nor after new items came: what people did with them before had no position.
        """
        if not self._is_in_use(current):
            self._people.clear()
            self._bundle_id, self._past = current.bundle.bundle_id, current.past
            self._n_items = len(current.bundle.catalog)
            self._shown_limit = current.shown_limit
        known = self._people.get(user_id)
        if known is not None:
            self._people.move_to_end(user_id)
        return known

    def keep(self, user_id: str, known: Known, current: Current) -> None:
        """Remember a person and forget who has not come for longest.

        What was worked out for another bundle, before a swap, is not remembered.
        """
        if not self._is_in_use(current):
            return
        self._people[user_id] = known
        self._people.move_to_end(user_id)
        while len(self._people) > self._n_people:
            self._people.popitem(last=False)

    def _is_in_use(self, current: Current) -> bool:
        is_bundle = current.bundle.bundle_id == self._bundle_id
        has_items = len(current.bundle.catalog) == self._n_items
        has_items &= current.shown_limit == self._shown_limit
        return is_bundle and has_items and current.past is self._past
