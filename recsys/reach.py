"""Whom a learned scorer speaks for: the kinds, and the kinds of past, it was found better on.

What was learned from people with a dated past of products says nothing about the videos of people
whose past has no times; each list asks whether its person is one of those judged.
"""

from collections.abc import Collection

from recsys.catalog import Catalog, Kind
from recsys.events import EventType
from recsys.histories import UNDATED, History

NO_PAST = "no past"


def group_of(history: History, kind: Kind, catalog: Catalog) -> str:
    """The group of lists that one of a kind for one person belongs to, like "video: dated, own".

    Persons differ by whether their acts have times (that of any act is enough) and by whether some
    act was on an item of the kind asked for ("own") or all on others ("other"). What was only on a
    screen is no act.
    """
    acts = history.type != EventType.IMPRESSION
    if not acts.any():
        return f"{kind.word}: {NO_PAST}"
    times = "dated" if (history.at_ms[acts] != UNDATED).any() else "undated"
    is_own = bool((catalog.kind[history.item[acts]] == kind).any())
    return f"{kind.word}: {times}, {'own' if is_own else 'other'}"


def reached(
    groups: Collection[str], history: History, kinds: Collection[Kind], catalog: Catalog
) -> list[Kind]:
    """The kinds whose list for a person is of one of some groups."""
    return [kind for kind in kinds if group_of(history, kind, catalog) in groups]


def every_group() -> list[str]:
    """All that there can be."""
    pasts = (NO_PAST, *(f"{t}, {of}" for t in ("dated", "undated") for of in ("own", "other")))
    return [f"{kind.word}: {past}" for kind in Kind for past in pasts]
