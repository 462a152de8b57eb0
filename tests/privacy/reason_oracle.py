"""Whether a reason is true, worked out from events and items alone; nothing of `recsys.reasons`."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from re import Match

from recsys.catalog import Item, Kind
from recsys.events import Event, EventType, ServedItem

LIKING = {
    *(EventType.LIKE, EventType.FAVOURITE, EventType.SHARE),
    *(EventType.COMMENT, EventType.FOLLOW),
}
CUT = 24


def names(what: str, title: str) -> bool:
    """Whether a reason that says `what` means this title; long ones are cut."""
    return what == title or (what == title[: CUT - 1] + "…" and len(title) > CUT)


@dataclass
class Person:
    """What one person did until now, told by item id.

    Attributes
    ----------
    did
        Acts, without orders that were given back, and without what was only on a screen.
    sent
        Items that a friend sent.
    orders
        By order id, those that stand: when, and pieces by item.
    """

    did: dict[str, set[EventType]] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    orders: dict[str, tuple[datetime, dict[str, int]]] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Sequence[Event], now: datetime) -> "Person":
        """From their events; a refund names its order and gives one item of it back whole."""
        past = [one for one in events if one.at is not None and one.at <= now]
        back = {(one.order_id, one.item_id) for one in past if one.type is EventType.REFUND}
        found = cls()
        for one in past:
            if one.type is EventType.IMPRESSION:
                if one.props.get("shared_by"):
                    found.sent.add(one.item_id)
                continue
            if one.type is EventType.ORDER:
                if (one.order_id, one.item_id) in back:
                    continue
                _, lines = found.orders.setdefault(str(one.order_id), (one.at, {}))
                lines[one.item_id] = one.quantity or 1
            found.did.setdefault(one.item_id, set()).add(one.type)
        return found


@dataclass
class Oracle:
    """Knows the items, the moment, whom it is about and what the list stands beside."""

    items: dict[str, Item]
    now: datetime
    person: Person
    basket: tuple[str, ...] = ()

    def is_true(self, said: ServedItem) -> bool:
        """Whether the reason of an item holds; a sentence that nobody knows does not."""
        for pattern, holds in SENTENCES:
            if found := re.fullmatch(pattern, said.reason):
                return holds(self, said, found)
        return False

    def titled(self, what: str) -> list[Item]:
        return [one for one in self.items.values() if names(what, one.title)]

    def acts(self, item_id: str) -> set[EventType]:
        return self.person.did.get(item_id, set())

    def did(self, what: str, types: set[EventType]) -> bool:
        """Whether the person did one of these with the item of this title."""
        return any(self.acts(one.item_id) & types for one in self.titled(what))

    def did_with_tag(self, tag: str, kind: Kind, types: set[EventType]) -> bool:
        tagged = [one for one in self.items.values() if one.kind is kind and tag in one.tags]
        return any(self.acts(one.item_id) & types for one in tagged)

    def is_beside(self, what: str) -> bool:
        return any(names(what, self.items[one].title) for one in self.basket)

    def is_on_it(self, what: str) -> bool:
        """Whether it is on a card of what the list stands beside."""
        cards = [card for one in self.basket for card in self.items[one].cards]
        return any(names(what, self.items[one].title) for one in cards)

    def shares_tag(self, said: ServedItem, tag: str) -> bool:
        """Whether the item and something beside the list carry it."""
        beside = any(tag in self.items[one].tags for one in self.basket)
        return beside and tag in self.items[said.item_id].tags

    def shows(self, said: ServedItem, what: str) -> bool:
        """Whether the item is a video with this on its cards."""
        return any(names(what, self.items[one].title) for one in self.items[said.item_id].cards)

    def is_sold_in(self, said: ServedItem, what: str) -> list[Item]:
        return [one for one in self.titled(what) if said.item_id in one.cards]

    def runs(self, said: ServedItem, offer: str, name: str) -> bool:
        """Whether a campaign of the item runs now."""
        for text in self.items[said.item_id].campaigns:
            word, _, rest = text.partition(":")
            called, window = rest.split()[:2]
            begin, end = (datetime.fromisoformat(one) for one in window.split("/"))
            if (word, called) == (offer, name) and begin <= self.now < end:
                return True
        return False

    def is_of(self, audience: str) -> bool:
        """Whether the person is new, returning, a member or lapsed: by orders and recency."""
        made = self.person.orders.values()
        last = max((at for at, _ in made), default=None)
        recent = [lines for at, lines in made if at > self.now - timedelta(days=365)]
        spent = sum(
            n * (self.items[item_id].price_minor or 0)
            for lines in recent
            for item_id, n in lines.items()
        )
        is_member = len(recent) >= 3 or spent >= 100_000
        return {
            "new": last is None,
            "returning": last is not None and not is_member,
            "member": last is not None and is_member,
            "lapsed": last is not None and last < self.now - timedelta(days=60),
        }[audience]


ALL = set(EventType)
Holds = Callable[[Oracle, ServedItem, Match[str]], bool]
# Each with what it claims; the first that fits is the sentence.
SENTENCES: list[tuple[str, Holds]] = [
    (r"popular now", lambda o, s, f: s.source in ("popular", "trend", "ladder")),
    (r"from the shop's selection", lambda o, s, f: True),
    (r"recommended by the shop for a while", lambda o, s, f: s.source == "exposure"),
    (r"something different for once", lambda o, s, f: s.probability is not None),
    (r"a friend sent you this", lambda o, s, f: s.item_id in o.person.sent),
    (
        r"a friend sent you something about (.+)",
        lambda o, s, f: any(f[1] in o.items[one].tags for one in o.person.sent),
    ),
    (
        r"a friend sent you (.+)",
        lambda o, s, f: any(names(f[1], o.items[one].title) for one in o.person.sent),
    ),
    (r"in the flash sale (.+)", lambda o, s, f: o.runs(s, "flash", f[1])),
    (r"in the live session (.+)", lambda o, s, f: o.runs(s, "live", f[1])),
    (r"part of (.+)", lambda o, s, f: o.runs(s, "topic", f[1])),
    (r"for new customers", lambda o, s, f: o.is_of("new")),
    (r"for who ordered before", lambda o, s, f: o.is_of("returning")),
    (r"for members", lambda o, s, f: o.is_of("member")),
    (r"to welcome you back", lambda o, s, f: o.is_of("lapsed")),
    (
        r"it may be time to buy it again",
        lambda o, s, f: EventType.ORDER in o.acts(s.item_id),
    ),
    (
        r"sold in (.+), which you watched",
        lambda o, s, f: any(EventType.PLAY in o.acts(one.item_id) for one in o.is_sold_in(s, f[1])),
    ),
    (
        r"shows (.+), which you looked at",
        lambda o, s, f: o.shows(s, f[1]) and o.did(f[1], ALL),
    ),
    (r"goes with (.+) of this order", lambda o, s, f: o.is_beside(f[1])),
    (r"goes with (.+) in the cart", lambda o, s, f: o.is_beside(f[1])),
    (r"goes with (.+)", lambda o, s, f: o.is_beside(f[1]) or o.is_on_it(f[1])),
    (r"shows (.+) of this order", lambda o, s, f: o.is_beside(f[1]) and o.shows(s, f[1])),
    (r"shows (.+) in the cart", lambda o, s, f: o.is_beside(f[1]) and o.shows(s, f[1])),
    (r"shows (.+)", lambda o, s, f: o.is_beside(f[1]) and o.shows(s, f[1])),
    (r"about (.+), as this order", lambda o, s, f: o.shares_tag(s, f[1])),
    (r"about (.+), as the cart", lambda o, s, f: o.shares_tag(s, f[1])),
    (r"about (.+) too", lambda o, s, f: o.shares_tag(s, f[1])),
    (
        r"sold in (.+)",
        lambda o, s, f: any(
            one.item_id in o.basket or o.acts(one.item_id) or one.item_id in o.person.sent
            for one in o.is_sold_in(s, f[1])
        ),
    ),
    (
        r"bought (.+) products",
        lambda o, s, f: o.did_with_tag(f[1], Kind.PRODUCT, {EventType.ORDER}),
    ),
    (r"watched (.+) videos", lambda o, s, f: o.did_with_tag(f[1], Kind.VIDEO, {EventType.PLAY})),
    (r"liked (.+) videos", lambda o, s, f: o.did_with_tag(f[1], Kind.VIDEO, LIKING)),
    (r"looked at (.+) videos", lambda o, s, f: o.did_with_tag(f[1], Kind.VIDEO, ALL)),
    (r"looked at (.+) products", lambda o, s, f: o.did_with_tag(f[1], Kind.PRODUCT, ALL)),
    (r"bought (.+)", lambda o, s, f: o.did(f[1], {EventType.ORDER})),
    (r"put (.+) in the cart", lambda o, s, f: o.did(f[1], {EventType.CART})),
    (r"liked (.+)", lambda o, s, f: o.did(f[1], LIKING)),
    (r"watched (.+)", lambda o, s, f: o.did(f[1], {EventType.PLAY})),
    (r"tried on (.+)", lambda o, s, f: o.did(f[1], {EventType.TRY_ON})),
    (r"looked at (.+)", lambda o, s, f: o.did(f[1], ALL)),
]
