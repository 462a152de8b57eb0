"""What a person chose about their lists, and what their age forbids: pure decisions.

Whoever is not to be personalised for is asked for as nobody: no history, no id. So such a list is
an anonymous one by the way it is made, on every path, and not because each path remembers to look.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta, timezone
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from recsys.blocked import NOTHING_BLOCKED, Blocked
from recsys.catalog import Catalog, Idxs, Item
from recsys.errors import InvalidItem
from recsys.events import EventType, moment
from recsys.histories import History
from recsys.ids import Mask

DAY_MS = 86_400_000
# A refusal halves what is shown of its category for so long.
REFUSAL_DAYS = 30
# China's minors mode: a reminder after half an hour, an hour a day, nothing from 22:00 to 6:00.
REST_MS, DAY_LIMIT_MS, PAUSE_MS = 30 * 60_000, 60 * 60_000, 5 * 60_000
NIGHT_FROM_H, NIGHT_UNTIL_H = 22, 6
CHINA = timezone(timedelta(hours=8))
ORDER, PLAY, DISLIKE = int(EventType.ORDER), int(EventType.PLAY), int(EventType.DISLIKE)


class Purpose(StrEnum):
    """What a person may agree to.

    `personalise` is that what they do is kept and their lists are made from it; `learn` is that
    models learn from it.
    """

    PERSONALISE = "personalise"
    LEARN = "learn"


class Age(StrEnum):
    """In whose hands the person's account is."""

    ADULT = "adult"
    MINOR = "minor"
    UNDER_14 = "under_14"


class Signals(NamedTuple):
    """What a page of a minor must do now."""

    rest: bool
    used_up: bool
    night: bool


@dataclass(frozen=True, slots=True, eq=False)
class Halved:
    """Categories that are shown half as often, and which of their items may stay."""

    categories: Idxs
    kept: Idxs


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """The choices of one person.

    Parameters
    ----------
    is_on
        The switch: whether lists are made for this person at all.
    removed
        Tags, categories and creators that may not speak, by name.
    refused
        Items they are not interested in, with when they said so (ms).
    consents
        What they agreed to or declined; what is not here was never asked.
    has_guardian
        Whether a guardian agreed; without one nothing is kept of a child under 14.
    is_known
        False where the choices could not be read.
    is_erased
        Whether the person asked to be forgotten.
    needs_consent
        Whether the shop's basis is consent, so that silence is a no.
    blocked
        Terms that no tag and no reason of anybody may hold.
    """

    is_on: bool = True
    removed: frozenset[str] = frozenset()
    refused: Mapping[str, int] = field(default_factory=dict)
    consents: Mapping[Purpose, bool] = field(default_factory=dict)
    age: Age = Age.ADULT
    has_guardian: bool = False
    is_known: bool = True
    is_erased: bool = False
    needs_consent: bool = False
    blocked: Blocked = NOTHING_BLOCKED

    def agrees(self, purpose: Purpose) -> bool:
        """Whether the person agrees, said or by the shop's basis."""
        return self.consents.get(purpose, not self.needs_consent)

    @property
    def is_minor(self) -> bool:
        """Whether what is not for minors must be left out."""
        return self.age is not Age.ADULT

    @property
    def may_keep(self) -> bool:
        """Whether what the person does may be kept."""
        is_alone = self.age is Age.UNDER_14 and not self.has_guardian
        return not self.is_erased and not is_alone and self.agrees(Purpose.PERSONALISE)

    @property
    def is_personal(self) -> bool:
        """Whether lists may be made from what the person did."""
        return self.is_known and self.is_on and self.may_keep and not self.is_minor

    @property
    def may_learn(self) -> bool:
        """Whether models may learn from what the person did."""
        return self.is_personal and self.agrees(Purpose.LEARN)

    def unread(self) -> "Controls":
        """What holds while the choices cannot be read; these are the last that are known."""
        return replace(self, is_known=False)

    def speaking(self, history: History, catalog: Catalog) -> History:
        """The part of a history that lists may be made from."""
        if not self.is_personal:
            return history.take(slice(0, 0))
        if not self.removed and not self.blocked:
            return history
        silent = self._silent(history, catalog)
        return history.take(~silent) if silent.any() else history

    def barred(self, history: History, catalog: Catalog) -> Idxs:
        """Items that are not to come again.

        Those refused, and of what may not speak any more what was seen, disliked, or bought for
        good: a removed tag must not bring back what the person is done with.
        """
        nothing = np.empty(0, dtype=np.int32)
        if not self.is_personal:
            return nothing
        refused = catalog.ids.find_all(tuple(self.refused)) if self.refused else nothing
        if not self.removed and not self.blocked:
            return refused.astype(np.int32)
        past = history.take(self._silent(history, catalog))
        done = np.isin(past.type, (PLAY, DISLIKE))
        done |= (past.type == ORDER) & catalog.durable[past.item]
        return np.union1d(refused, past.item[done]).astype(np.int32)

    def _silent(self, history: History, catalog: Catalog) -> Mask:
        """Shape (n events,). Which events are of items that carry what may not speak."""
        items, where = np.unique(history.item, return_inverse=True)
        found = np.zeros(len(items), dtype=np.bool_)
        for owner, _, name in labels(items, catalog):
            found[owner] |= name in self.removed or self.blocked.hits(name)
        silent: Mask = found[where]
        return silent

    def halved(self, items: Idxs, catalog: Catalog, at_ms: int) -> Halved | None:
        """What the next list may show of categories of which something was refused lately.

        Parameters
        ----------
        items
            The list as it would be, in its order.

        Returns
        -------
        None if the list holds nothing of such a category.
        """
        since_ms = at_ms - REFUSAL_DAYS * DAY_MS
        lately = tuple(one for one, ms in self.refused.items() if ms > since_ms)
        if not lately or not self.is_personal:
            return None
        # Position 0 is "no category": it says nothing about what two items are for.
        refused = np.unique(catalog.category[catalog.ids.find_all(lately)])
        categories = np.intersect1d(refused[refused > 0], catalog.category[items])
        if len(categories) == 0:
            return None
        shown = [items[catalog.category[items] == one] for one in categories]
        kept = np.concatenate([one[: len(one) // 2] for one in shown])
        return Halved(categories.astype(np.int32), kept.astype(np.int32))

    def signals(self, history: History, at_ms: int) -> Signals | None:
        """What the page of a minor must do now; None for others, and where nobody can say.

        Parameters
        ----------
        history
            Everything that is known of what the person did, with what may not speak.
        """
        if not self.is_minor or not self.is_known:
            return None
        local = moment(at_ms).astimezone(CHINA)
        is_night = local.hour >= NIGHT_FROM_H or local.hour < NIGHT_UNTIL_H
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        today = history.at_ms >= int(midnight.timestamp() * 1_000)
        spent_ms, sitting_ms = _spent(history.take(today & (history.at_ms <= at_ms)), at_ms)
        return Signals(sitting_ms >= REST_MS, spent_ms >= DAY_LIMIT_MS, is_night)


FREE = Controls()
# Nobody knows what the person chose: then as if they had chosen everything that protects them.
UNREAD = Controls(age=Age.MINOR, is_known=False)


def _spent(history: History, at_ms: int) -> tuple[int, int]:
    """How long a person was here today, and without a pause until now; ms.

    Somebody is here from an act, a play for as long as it lasted, to the next one, if that follows
    within `PAUSE_MS`.
    """
    acts = [
        (begin, begin + (int(value * 1_000) if kind == PLAY and value == value else 0))
        for begin, kind, value in zip(
            history.at_ms.tolist(), history.type.tolist(), history.value.tolist(), strict=True
        )
    ]
    total = sitting = 0
    since = until = None
    for begin, end in sorted(acts):
        if since is None or until is None or begin - until > PAUSE_MS:
            total += 0 if since is None or until is None else until - since
            since, until = begin, end
        until = max(until, end)
    if since is not None and until is not None:
        total += min(until, at_ms) - since
        sitting = at_ms - since if at_ms - until <= PAUSE_MS else 0
    return total, sitting


def labels(items: Idxs, catalog: Catalog) -> list[tuple[int, str, str]]:
    """What items are labelled with: place in `items`, kind of label, name.

    Kinds are "tag", "category" (its whole path) and "creator".
    """
    owners, tags = catalog.tags.rows(items)
    names = [one.decode() for one in catalog.tag_names.raws(tags)]
    found = [(owner, "tag", name) for owner, name in zip(owners.tolist(), names, strict=True)]
    for kind, column, texts in (
        ("category", catalog.category, catalog.categories),
        ("creator", catalog.creator, catalog.creators),
    ):
        for owner, position in enumerate(column[items].tolist()):
            # Position 0 is "none".
            if position:
                found.append((owner, kind, texts[position]))
    return found


class InUse(NamedTuple):
    """A label that lists of a person are made from, and the share of their acts that carry it."""

    kind: str
    name: str
    share: float


def in_use(speaking: History, catalog: Catalog) -> list[InUse]:
    """Every label of what a person's lists are made from, the most frequent first.

    Parameters
    ----------
    speaking
        What the person's choices let speak: nothing else is read for a list.
    """
    items, counts = np.unique(speaking.item, return_counts=True)
    shares: dict[tuple[str, str], int] = {}
    for owner, kind, name in labels(items.astype(np.int32), catalog):
        shares[kind, name] = shares.get((kind, name), 0) + int(counts[owner])
    found = [InUse(*label, n / len(speaking)) for label, n in shares.items()]
    return sorted(found, key=lambda one: (-one.share, one.kind, one.name))


def check_tags(item: Item, blocked: Blocked) -> None:
    """Raise InvalidItem if a tag or a category holds a blocked term: no tag of anybody may."""
    for name in ("tags", "category"):
        hit = next((one for one in getattr(item, name) if blocked.hits(one)), None)
        if hit is not None:
            raise InvalidItem(f"{name} holds a blocked term, got {hit!r}; allowed: others")
