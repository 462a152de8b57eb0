"""What a simulated shop sells and shows, as columns that behaviour is computed from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from recsys.catalog import Item, Kind
from recsys.events import millis
from training.sample_goods import (
    PLATFORMS,
    PRODUCTS_A_WARE,
    TASTES,
    VIDEOS_A_WARE,
    Goods,
    Ints,
    make_goods,
    ware_positions,
)
from training.sample_text import COMPLEMENTS, ROOTS, WARES

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
NOTHING = -1
# What is not used up lasts beyond any simulation.
DURABLE_DAYS = 1e6
# Of every sort of product so many products and videos are kept in a small shop.
SMALL = (2, 3)
MAX_CARDS = 4
# The taste whose videos and goods call it by different words.
OUTDOORS, VIDEO_TAGS, GOODS_TAG = "露营", ("户外运动", "山野"), "登山"


class Placed(NamedTuple):
    """An item with what only the world knows of it.

    Attributes
    ----------
    ware
        Position in `WARES` of the sort of product it is, or is about.
    quality
        How good it is for everybody, in logits around 0.
    """

    item: Item
    ware: int
    quality: float


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Market:
    """Everything for sale and on show; positions here are the world's own, not a bundle's.

    Attributes
    ----------
    placed
        By position.
    is_product, is_ad
        Shape (n items,).
    ware, quality
        Shape (n items,); see `Placed`.
    price_minor
        Shape (n items,), fen; 0 for videos.
    duration_s
        Shape (n items,), seconds; 0 for notes, NaN for products.
    cards
        Shape (n items, MAX_CARDS). Positions of products, `NOTHING` where there are fewer.
    creator, platform
        Shape (n items,). Positions in `creators` and `PLATFORMS`, `NOTHING` for products.
    published_ms
        Shape (n items,).
    stock
        Shape (n items,). Pieces left; changes as people buy.
    told_on_sale
        Shape (n items,). Whether there was any left when the shop was told last.
    """

    placed: tuple[Placed, ...]
    creators: tuple[str, ...]
    is_product: Mask
    is_ad: Mask
    ware: Ints
    quality: Floats
    price_minor: Ints
    duration_s: Floats
    cards: Ints
    creator: Ints
    platform: Ints
    published_ms: Ints
    stock: Ints
    told_on_sale: Mask

    @classmethod
    def of(cls, placed: Sequence[Placed]) -> Self:
        """The items in the order given; cards to unknown items are left out."""
        items = [one.item for one in placed]
        positions = {item.item_id: idx for idx, item in enumerate(items)}
        creators = tuple(dict.fromkeys(item.creator_id for item in items if item.creator_id))
        numbers = {creator: idx for idx, creator in enumerate(creators)}
        cards = np.full((len(items), MAX_CARDS), NOTHING, dtype=np.int64)
        for idx, item in enumerate(items):
            known = [positions[card] for card in item.cards if card in positions][:MAX_CARDS]
            cards[idx, : len(known)] = known
        return cls(
            placed=tuple(placed),
            creators=creators,
            is_product=np.array([item.kind is Kind.PRODUCT for item in items]),
            is_ad=np.array([item.sponsored or item.promotional for item in items]),
            ware=np.array([one.ware for one in placed]),
            quality=np.array([one.quality for one in placed]),
            price_minor=np.array([item.price_minor or 0 for item in items]),
            duration_s=np.array([_seconds(item) for item in items]),
            cards=cards,
            creator=np.array([numbers.get(item.creator_id or "", NOTHING) for item in items]),
            platform=np.array([_platform(item) for item in items]),
            published_ms=np.array(
                [millis(item.published_at) if item.published_at else 0 for item in items]
            ),
            stock=np.array([_stock(item) for item in items]),
            told_on_sale=np.zeros(len(items), dtype=np.bool_),
        )

    @classmethod
    def drawn(cls, rng: Generator, *, is_small: bool, more: Sequence[Placed] = ()) -> Self:
        """The sample shop's goods, or a few of each sort; `more` stands behind them."""
        goods = make_goods(rng)
        kept = SMALL if is_small else (PRODUCTS_A_WARE, VIDEOS_A_WARE)
        return cls.of([*_of_goods(goods, *kept), *more])

    def __len__(self) -> int:
        """How many items there are."""
        return len(self.placed)

    @property
    def positions(self) -> dict[str, int]:
        """Each item's position by its id."""
        return {one.item.item_id: idx for idx, one in enumerate(self.placed)}

    def of_ware(self, name: str, *, is_product: bool) -> Ints:
        """Positions of the products, or of the videos, of one sort."""
        chosen = (self.ware == ware_positions()[name]) & (self.is_product == is_product)
        return np.flatnonzero(chosen)

    def of_taste(self, taste: str, *, is_product: bool) -> Ints:
        """Positions of the products, or of the videos, of one taste."""
        chosen = (TASTE_OF[self.ware] == TASTES.index(taste)) & (self.is_product == is_product)
        return np.flatnonzero(chosen)

    def out(self, at_ms: int) -> Mask:
        """Shape (n items,). What is published by a moment."""
        return self.published_ms <= at_ms

    def has_turned(self, idx: int) -> bool:
        """Whether a product is sold out or in again since the shop was told."""
        return bool(self.is_product[idx] and self.told_on_sale[idx] != (self.stock[idx] > 0))

    def told(self, idxs: Sequence[int]) -> None:
        """The shop knows how things stand with some items."""
        self.told_on_sale[list(idxs)] = self.stock[list(idxs)] > 0

    def item(self, idx: int) -> Item:
        """The item as the shop's record has it now: with what is left in stock."""
        item = self.placed[idx].item
        return item if item.kind is Kind.VIDEO else replace(item, stock=int(self.stock[idx]))


# Shape (n wares,): the taste each belongs to, and days until it is used up.
TASTE_OF: Ints = np.array([TASTES.index(ware.taste) for ware in WARES])
CYCLE_DAYS: Floats = np.array([ware.cycle_days or DURABLE_DAYS for ware in WARES])
# Of the usual price of its sort a product's own is told by, in fen.
USUAL_MINOR: Floats = np.array([50.0 * sum(ware.yuan) for ware in WARES])


def complements() -> Mask:
    """Shape (n wares, n wares). Who bought the first needs the second."""
    positions, found = ware_positions(), np.zeros((len(WARES), len(WARES)), dtype=np.bool_)
    for name, others in COMPLEMENTS.items():
        for other in others:
            found[positions[name], positions[other]] = True
    return found


def _of_goods(goods: Goods, n_products: int, n_videos: int) -> list[Placed]:
    found = []
    for shelf, n in ((goods.products, n_products), (goods.videos, n_videos)):
        kept = np.sort(np.concatenate([shelf.of_ware(idx)[:n] for idx in range(len(WARES))]))
        logs = np.log(shelf.pull[kept])
        spread = (logs - logs.mean()) / max(float(logs.std()), 1e-9)
        found += [
            Placed(_apart(shelf.items[idx]), int(shelf.wares[idx]), float(quality))
            for idx, quality in zip(kept, spread, strict=True)
        ]
    return found


def _apart(item: Item) -> Item:
    """The item; outdoors, videos and goods share no tag, as where videos come from others."""
    if item.category[0] != ROOTS[OUTDOORS]:
        return item
    return replace(item, tags=VIDEO_TAGS if item.kind is Kind.VIDEO else (GOODS_TAG, item.tags[-1]))


def _seconds(item: Item) -> float:
    if item.kind is Kind.PRODUCT:
        return float("nan")
    return item.duration_s or 0.0


def _platform(item: Item) -> int:
    names = [platform.value for platform in PLATFORMS]
    return names.index(item.attributes["platform"]) if item.kind is Kind.VIDEO else NOTHING


def _stock(item: Item) -> int:
    return item.stock or 0 if item.kind is Kind.PRODUCT and item.available else 0
