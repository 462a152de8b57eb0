"""What can be shown: one item space for products and videos, as columns."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recsys.audience import mask_of
from recsys.campaigns import MAX_CAMPAIGNS, Campaigns, campaign_of
from recsys.errors import InvalidItem
from recsys.events import check_text, choice_key, millis
from recsys.ids import IdMap, Ints, Mask, Texts
from recsys.links import Links
from recsys.once import Once

Idxs = NDArray[np.int32]

TITLE_LIMIT, TAG_LIMIT, LINK_LIMIT = 300, 64, 1_000
MAX_TAGS, MAX_CARDS = 64, 64


class Kind(IntEnum):
    """What an item is; the number is what arrays hold and must never change."""

    PRODUCT = 0
    VIDEO = 1

    @property
    def word(self) -> str:
        """The word callers use."""
        return self.name.lower()


KIND_WORDS: dict[str, Kind] = {kind.word: kind for kind in Kind}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One product or video.

    Parameters
    ----------
    category
        Path from the root, like ("母婴", "辅食").
    price_minor, member_price_minor
        Public prices in fen.
    stock
        None means not counted; 0 means sold out.
    cards
        Ids of the products a video sells.
    duration_s
        Length of a video in seconds; 0 for a note of pictures and text.
    durable
        Bought once (a cooker), not again and again (rice); None means unknown.
    sponsored, promotional
        Both force the 广告 mark.
    audience
        Words of `AUDIENCES`; nobody else sees it. Empty means everybody.
    commission_bp
        Commission in hundredths of a percent.
    attributes
        What an interactive video's answers are about, such as colour → black.
    campaigns
        As `recsys.campaigns` reads them.

    Raises
    ------
    InvalidItem
        A field is missing, of the wrong kind or out of bounds.
    """

    item_id: str
    kind: Kind
    title: str = ""
    tags: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    creator_id: str | None = None
    shop_id: str | None = None
    price_minor: int | None = None
    member_price_minor: int | None = None
    available: bool = True
    stock: int | None = None
    published_at: datetime | None = None
    expires_at: datetime | None = None
    cards: tuple[str, ...] = ()
    duration_s: float | None = None
    durable: bool | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    cover: str | None = None
    link: str | None = None
    sponsored: bool = False
    promotional: bool = False
    audience: tuple[str, ...] = ()
    restricted: bool = False
    commission_bp: int = 0
    media: str | None = None
    campaigns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what lists and stores rely on."""
        check_text("item_id", self.item_id, limit=128, error=InvalidItem)
        self._check_texts()
        self._check_meant()
        for name in ("price_minor", "member_price_minor", "stock", "commission_bp", "duration_s"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 10**12:
                raise InvalidItem(f"{name} is out of range, got {value}; allowed: 0 to 10^12")
        for name in ("published_at", "expires_at"):
            at = getattr(self, name)
            if at is not None and at.tzinfo is None:
                raise InvalidItem(f"{name} has no time zone, got {at}; allowed: an aware time")

    def _check_texts(self) -> None:
        if len(self.title) > TITLE_LIMIT:
            raise InvalidItem(f"title is too long, got {len(self.title)}; allowed: {TITLE_LIMIT}")
        for name, limit in (("tags", MAX_TAGS), ("cards", MAX_CARDS), ("category", 8)):
            values = getattr(self, name)
            if len(values) > limit:
                raise InvalidItem(f"{name} has too many parts, got {len(values)}; max {limit}")
            for value in values:
                check_text(
                    name, value, limit=128 if name == "cards" else TAG_LIMIT, error=InvalidItem
                )
        for name in ("cover", "link"):
            value = getattr(self, name)
            if value is not None:
                check_text(name, value, limit=LINK_LIMIT, error=InvalidItem)

    def _check_meant(self) -> None:
        mask_of(self.audience)
        if len(self.campaigns) > MAX_CAMPAIGNS:
            n = len(self.campaigns)
            raise InvalidItem(f"campaigns has too many parts, got {n}; max {MAX_CAMPAIGNS}")
        for text in self.campaigns:
            campaign_of(text)

    @property
    def on_sale(self) -> bool:
        """Whether it may be shown: switched on and not sold out."""
        return self.available and self.stock != 0


@dataclass(frozen=True, slots=True, eq=False)
class Attributes:
    """The values of items' attributes, whatever the attribute is called.

    Attributes
    ----------
    keys
        Shape (n values,), ascending: `recsys.events.choice_key` of each value.
    links
        Each item's own, as positions in `keys`.
    """

    keys: Ints
    links: Links

    @classmethod
    def of(cls, items: Sequence[Item]) -> Self:
        """Those of items in the order given."""
        rows = [sorted({choice_key(one) for one in item.attributes.values()}) for item in items]
        keys = np.unique(np.array([key for row in rows for key in row], dtype=np.int64))
        return cls(keys, Links.of(np.searchsorted(keys, row) for row in rows))


@dataclass(frozen=True, slots=True, eq=False)
class Catalog(Once):
    """Every item as columns, one value a position; what a bundle carries and a request reads.

    Attributes
    ----------
    ids
        Outside ids; n positions.
    kind
        Shape (n,), values of `Kind`.
    on_sale, durable, ad, restricted
        Shape (n,). An item of unknown durability counts as durable: showing it again is the
        worse mistake.
    category, creator, shop
        Shape (n,), positions in `categories` (joined by "/"; position 0 is the empty path),
        `creators` and `shops` (position 0 is none).
    duration_s
        Shape (n,), seconds; NaN where unknown.
    published_ms
        Shape (n,), milliseconds since 1970; 0 where unknown.
    expires_ms
        Shape (n,), milliseconds since 1970 from when on it is not shown; 0 means never.
    price_minor
        Shape (n,), fen; −1 where unknown.
    commission_bp
        Shape (n,).
    audience
        Shape (n,), bits of `Audience`; 0 means everybody.
    campaigns
        All items' campaigns.
    attributes
        What answers of interactive videos are about.
    tag_names, tags
        The tags there are, and each item's own.
    cards, shown_by
        Video → products on its cards, and the same links turned round.
    titles
        By position.
    display
        By position: JSON object of price_minor, cover and link, ready to be sent.
    """

    ids: IdMap
    kind: NDArray[np.int8]
    on_sale: Mask
    durable: Mask
    ad: Mask
    restricted: Mask
    category: Idxs
    categories: Texts
    creator: Idxs
    creators: Texts
    shop: Idxs
    shops: Texts
    duration_s: NDArray[np.float32]
    published_ms: Ints
    expires_ms: Ints
    price_minor: Ints
    commission_bp: NDArray[np.int32]
    audience: NDArray[np.uint8]
    campaigns: Campaigns
    attributes: Attributes
    tag_names: IdMap
    tags: Links
    cards: Links
    shown_by: Links
    titles: Texts
    display: Texts

    @classmethod
    def of(cls, items: Sequence[Item]) -> Self:
        """The items in the order given; cards to unknown or non-product items are left out."""
        places = {item.item_id: idx for idx, item in enumerate(items)}
        tag_names = IdMap.of(_distinct(tag for item in items for tag in item.tags))
        tag_places = {name: idx for idx, name in enumerate(tag_names.texts.all())}
        category, categories = _coded(["/".join(item.category) for item in items])
        creator, creators = _coded([item.creator_id or "" for item in items])
        shop, shops = _coded([item.shop_id or "" for item in items])
        kind = np.array([item.kind for item in items], dtype=np.int8)
        cards = Links.of(_places_of_cards(item, places, kind) for item in items)
        return cls(
            ids=IdMap.of([item.item_id for item in items]),
            kind=kind,
            on_sale=_mask(item.on_sale for item in items),
            durable=_mask(item.durable is not False for item in items),
            ad=_mask(item.sponsored or item.promotional for item in items),
            restricted=_mask(item.restricted for item in items),
            category=category,
            categories=categories,
            creator=creator,
            creators=creators,
            shop=shop,
            shops=shops,
            duration_s=np.array([duration_of(item) for item in items], dtype=np.float32),
            published_ms=np.array([published_ms_of(item) for item in items], dtype=np.int64),
            expires_ms=np.array([expires_ms_of(item) for item in items], dtype=np.int64),
            price_minor=np.array([price_of(item) for item in items], dtype=np.int64),
            commission_bp=np.array([commission_of(item) for item in items], dtype=np.int32),
            audience=np.array([mask_of(item.audience) for item in items], dtype=np.uint8),
            campaigns=Campaigns.of((idx, item.campaigns) for idx, item in enumerate(items)),
            attributes=Attributes.of(items),
            tag_names=tag_names,
            tags=Links.of(sorted({tag_places[tag] for tag in item.tags}) for item in items),
            cards=cards,
            shown_by=cards.turned(len(items)),
            titles=Texts.of(title_of(item) for item in items),
            display=Texts.of(display_of(item) for item in items),
        )

    def __len__(self) -> int:
        """How many items there are."""
        return len(self.ids)

    @property
    def latest_ms(self) -> int:
        """When the last of all items comes out; from then on nothing has to be asked of it."""
        return self.once("latest", lambda: int(self.published_ms.max(initial=0)))

    @property
    def expiring_ms(self) -> int:
        """When the first of all items expires."""
        never = np.iinfo(np.int64).max
        expires_ms = self.expires_ms
        return self.once(
            "expiring", lambda: int(expires_ms.min(initial=never, where=expires_ms != 0))
        )

    @property
    def is_for_some(self) -> bool:
        """Whether any item is meant for a part of the people."""
        return self.once("some", lambda: bool(self.audience.any()))

    def of_kind(self, kind: Kind) -> Idxs:
        """Positions of one kind, ascending."""
        return np.flatnonzero(self.kind == kind).astype(np.int32)

    def newest(self, n: int | None = None) -> Idxs:
        """Positions, published last first, up to n of each kind; a pass over everything."""
        items = np.argsort(-self.published_ms, kind="stable").astype(np.int32)
        place = np.zeros(len(items), dtype=np.int64)
        for kind in Kind:
            is_kind = self.kind[items] == kind
            place[is_kind] = np.arange(int(is_kind.sum()))
        return items if n is None else items[place < n]


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _coded(values: list[str]) -> tuple[Idxs, Texts]:
    names = _distinct(["", *values])
    positions = {name: idx for idx, name in enumerate(names)}
    return np.array([positions[value] for value in values], dtype=np.int32), Texts.of(names)


def _places_of_cards(item: Item, places: dict[str, int], kind: NDArray[np.int8]) -> list[int]:
    return [places[c] for c in item.cards if c in places and kind[places[c]] == Kind.PRODUCT]


def _mask(values: Iterable[bool]) -> Mask:
    return np.fromiter(values, dtype=np.bool_)


def duration_of(item: Item) -> float:
    """Seconds; NaN where the item does not say."""
    return float("nan") if item.duration_s is None else item.duration_s


def published_ms_of(item: Item) -> int:
    """When an item was published; 0 where it does not say."""
    return millis(item.published_at) if item.published_at else 0


def expires_ms_of(item: Item) -> int:
    """From when on an item is not shown; 0 means never."""
    return millis(item.expires_at) if item.expires_at else 0


def price_of(item: Item) -> int:
    """What an item costs everybody, in fen; −1 where it does not say."""
    return -1 if item.price_minor is None else item.price_minor


def commission_of(item: Item) -> int:
    """Commission in hundredths of a percent; nobody gets more than all."""
    return min(item.commission_bp, 10_000)


def title_of(item: Item) -> str:
    """What a page calls an item."""
    return item.title or item.item_id


def display_of(item: Item) -> str:
    """What a page shows of an item besides its title, as a JSON object."""
    shown = {"price_minor": item.price_minor, "cover": item.cover, "link": item.link}
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
