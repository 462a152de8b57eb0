"""Values worked out once for something that never changes."""

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Once:
    """What can be asked the same several times and answers from memory after the first."""

    __slots__ = ("_known",)
    _known: dict[object, Any]

    def once(self, key: object, work: Callable[[], T]) -> T:
        """What `work` gives, worked out once for this value.

        Parameters
        ----------
        key
            What the work is done with, and its name. Nothing that may change, such as a model,
            which may learn again, but something learned: it is kept alive here, so that nothing
            else can be taken for it.
        """
        try:
            known = self._known
        except AttributeError:
            known = {}
            object.__setattr__(self, "_known", known)
        if key not in known:
            known[key] = work()
        found: T = known[key]
        return found
