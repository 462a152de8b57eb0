"""Campaigns of items: flash sales, coupons, topics, live sessions; each with its window.

An item names its campaigns as texts, `flash:618 2026-06-18T00:00:00Z/2026-06-18T02:00:00Z limit=2`:
what it is, its name, from when until when (ISO 8601), how many pieces one person may have, and with
`stock=n` how many are left: of 0 it is over. A text without a colon is a label that nothing is done
with.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recsys.errors import InvalidItem
from recsys.events import check_text, millis
from recsys.ids import Ints, Texts

CAMPAIGN_LIMIT, MAX_CAMPAIGNS = 200, 16
MAX_PIECES = 1_000_000
# What may be said behind a window, and the least of each.
NUMBERS = {"limit": 1, "stock": 0}
FORM = "kind:name from/until, with limit=n and stock=n behind it if there are any"


class Offer(IntEnum):
    """What a campaign is; the number is what arrays hold and must never change."""

    FLASH = 0
    COUPON = 1
    TOPIC = 2
    LIVE = 3

    @property
    def word(self) -> str:
        """The word callers use."""
        return self.name.lower()


OFFER_WORDS: dict[str, Offer] = {offer.word: offer for offer in Offer}


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """One campaign of one item.

    Parameters
    ----------
    ends_ms
        As early as it starts if none is left.
    per_person
        So many pieces one person may order while it runs; 0 means any number.
    """

    offer: Offer
    name: str
    starts_ms: int
    ends_ms: int
    per_person: int = 0


def campaign_of(text: str) -> Campaign | None:
    """What an item's text says; None for a label.

    Raises
    ------
    InvalidItem
        It means to be a campaign and is none.
    """
    check_text("campaigns", text, limit=CAMPAIGN_LIMIT, error=InvalidItem)
    word, colon, rest = text.partition(":")
    if not colon:
        return None
    if word not in OFFER_WORDS:
        raise InvalidItem(
            f"campaign is of no kind, got {word!r}; allowed: {', '.join(OFFER_WORDS)}"
        )
    parts = rest.split()
    if not 2 <= len(parts) <= 2 + len(NUMBERS) or "/" not in parts[1]:
        raise InvalidItem(f"campaign cannot be read, got {text!r}; allowed: {FORM}")
    starts_ms, ends_ms = (_moment(one, text) for one in parts[1].split("/", 1))
    if ends_ms <= starts_ms:
        raise InvalidItem(f"campaign ends before it starts, got {text!r}; allowed: {FORM}")
    said = _numbers(parts[2:], text)
    return Campaign(
        offer=OFFER_WORDS[word],
        name=parts[0],
        starts_ms=starts_ms,
        # Of what is gone none is left to wait for.
        ends_ms=starts_ms if said.get("stock") == 0 else ends_ms,
        per_person=said.get("limit", 0),
    )


def _moment(said: str, text: str) -> int:
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise InvalidItem(f"campaign has no window, got {text!r}; allowed: times with a zone")
    return millis(at)


def _numbers(parts: list[str], text: str) -> dict[str, int]:
    """What stands behind a window, by its word."""
    found: dict[str, int] = {}
    for said in parts:
        word, _, number = said.partition("=")
        is_number = number.isascii() and number.isdigit() and word in NUMBERS and word not in found
        if not is_number or not NUMBERS[word] <= int(number) <= MAX_PIECES:
            raise InvalidItem(
                f"campaign has no limit, got {text!r}; allowed: limit=1 or more, stock=0 or more"
            )
        found[word] = int(number)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Campaigns:
    """All campaigns of all items, one entry each.

    Attributes
    ----------
    item
        Shape (n,), ascending.
    offer, starts_ms, ends_ms, per_person
        Shape (n,), as of `Campaign`.
    name
        Shape (n,), positions in `names`.
    """

    item: NDArray[np.int32]
    offer: NDArray[np.int8]
    starts_ms: Ints
    ends_ms: Ints
    per_person: NDArray[np.int32]
    name: NDArray[np.int32]
    names: Texts

    @classmethod
    def of(cls, said: Iterable[tuple[int, Sequence[str]]]) -> Self:
        """Of items' positions and texts; labels are left out."""
        found = [
            (item_idx, campaign)
            for item_idx, texts in said
            for text in texts
            if (campaign := campaign_of(text)) is not None
        ]
        found.sort(key=lambda one: one[0])
        names = list(dict.fromkeys(one.name for _, one in found))
        places = {name: place for place, name in enumerate(names)}
        return cls(
            item=np.array([item_idx for item_idx, _ in found], dtype=np.int32),
            offer=np.array([one.offer for _, one in found], dtype=np.int8),
            starts_ms=np.array([one.starts_ms for _, one in found], dtype=np.int64),
            ends_ms=np.array([one.ends_ms for _, one in found], dtype=np.int64),
            per_person=np.array([one.per_person for _, one in found], dtype=np.int32),
            name=np.array([places[one.name] for _, one in found], dtype=np.int32),
            names=Texts.of(names),
        )

    def __len__(self) -> int:
        """How many entries there are."""
        return len(self.item)

    def take(self, chosen: NDArray[Any]) -> "Campaigns":
        """Some entries; all names stay."""
        return Campaigns(
            item=self.item[chosen],
            offer=self.offer[chosen],
            starts_ms=self.starts_ms[chosen],
            ends_ms=self.ends_ms[chosen],
            per_person=self.per_person[chosen],
            name=self.name[chosen],
            names=self.names,
        )

    def running(self, at_ms: int) -> "Campaigns":
        """Those that have begun and not ended at a moment."""
        return self.take((self.starts_ms <= at_ms) & (at_ms < self.ends_ms))

    def of_offer(self, *offers: Offer) -> "Campaigns":
        """Those of some kinds."""
        return self.take(np.isin(self.offer, offers))

    def patched(self, said: Iterable[tuple[int, Sequence[str]]]) -> "Campaigns":
        """The same with some items' campaigns as they are now."""
        now = [(item_idx, texts) for item_idx, texts in said]
        if not now:
            return self
        kept = self.take(~np.isin(self.item, [item_idx for item_idx, _ in now]))
        more = Campaigns.of(now)
        if len(more) == 0:
            return kept
        both = Campaigns(
            **{
                name: np.concatenate([getattr(kept, name), getattr(more, name)])
                for name in ("item", "offer", "starts_ms", "ends_ms", "per_person")
            },
            name=np.concatenate([kept.name, more.name + np.int32(len(kept.names))]),
            names=Texts.of([*kept.names.all(), *more.names.all()]),
        )
        return both.take(np.argsort(both.item, kind="stable"))
