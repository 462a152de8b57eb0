"""What the sample shop sells and shows: products, videos and notes, made from word tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from recsys.catalog import Item, Kind
from recsys.events import VIDEO_PLATFORMS, Platform
from training.sample_text import COMPLEMENTS, PHRASES, ROOTS, SCENES, WARES, Ware

Weights = NDArray[np.float64]
Ints = NDArray[np.int64]

START = datetime(2026, 8, 1, tzinfo=UTC)
DAYS = 60
END = START + timedelta(days=DAYS)
TASTES = tuple(ROOTS)
PLATFORMS = VIDEO_PLATFORMS

PRODUCTS_A_WARE = 4
VIDEOS_A_WARE = 6
CREATORS_A_TASTE = 6
# Shares of notes and of short, middle and long videos; the seconds of each.
FORMATS = ((0.15, (0, 0)), (0.25, (8, 20)), (0.35, (21, 90)), (0.25, (91, 720)))
# Shares among the four products of one ware, the best seller first.
WARE_SHARES = (0.45, 0.27, 0.18, 0.10)


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """Items of one kind with what the generator knows of them; all arrays of shape (n items,).

    Attributes
    ----------
    wares
        Position of each item's sort of product in `WARES`.
    pull
        How much attention an item gets, other things being equal.
    published_ms
        Milliseconds since 1970.
    """

    items: tuple[Item, ...]
    wares: Ints
    pull: Weights
    published_ms: Ints

    @classmethod
    def of(cls, items: Sequence[Item], wares: list[int], pull: list[float]) -> "Shelf":
        """The items in the order given; each must say when it was published."""
        times = [int(item.published_at.timestamp() * 1000) for item in items if item.published_at]
        return cls(tuple(items), np.array(wares), np.array(pull), np.array(times))

    def of_ware(self, ware: int) -> Ints:
        """Positions of the items of one ware, the best seller first."""
        return np.flatnonzero(self.wares == ware)


@dataclass(frozen=True, slots=True, eq=False)
class Goods:
    """The whole shop.

    Attributes
    ----------
    fitting
        Product position → positions of the products that belong to it.
    platforms
        Where each video was posted, by video position.
    product_positions
        Product id → position.
    """

    products: Shelf
    videos: Shelf
    fitting: dict[int, tuple[int, ...]]
    platforms: tuple[Platform, ...]
    product_positions: dict[str, int]


def make_goods(rng: Generator) -> Goods:
    """A shop; the same generator state gives the same shop."""
    products = _products(rng)
    fitting = _fitting(products)
    videos = _videos(rng, products, fitting)
    platforms = tuple(Platform(item.attributes["platform"]) for item in videos.items)
    positions = {item.item_id: idx for idx, item in enumerate(products.items)}
    return Goods(products, videos, fitting, platforms, positions)


def ware_positions() -> dict[str, int]:
    """Each ware's position in `WARES`, by name."""
    return {ware.name: idx for idx, ware in enumerate(WARES)}


def _products(rng: Generator) -> Shelf:
    items: list[Item] = []
    wares, pull = [], []
    for ware_idx, ware in enumerate(WARES):
        pairs = [(word, size) for word in ware.words for size in ware.sizes]
        chosen = rng.permutation(len(pairs))[:PRODUCTS_A_WARE]
        for share, pair in zip(WARE_SHARES, chosen, strict=True):
            items.append(_product(rng, 1001 + len(items), ware, pairs[pair]))
            wares.append(ware_idx)
            pull.append(share)
    return Shelf.of(items, wares, pull)


def _product(rng: Generator, number: int, ware: Ware, pair: tuple[str, str]) -> Item:
    low, high = ware.yuan
    price_minor = int(rng.integers(low, high + 1)) * 100 - 10
    sold_out = rng.random() < 0.03
    return Item(
        item_id=f"product-{number}",
        kind=Kind.PRODUCT,
        title=f"{pair[0]}{ware.name} {pair[1]}",
        tags=(*ware.tags, ware.name),
        category=ware.category,
        shop_id=f"shop-{101 + TASTES.index(ware.taste)}",
        price_minor=price_minor,
        member_price_minor=price_minor * 95 // 1000 * 10,
        available=bool(rng.random() >= 0.04),
        stock=0 if sold_out else int(rng.integers(5, 900)),
        published_at=_published(rng, new_share=0.08),
        durable=ware.cycle_days is None,
        promotional=bool(rng.random() < 0.02),
        commission_bp=int(rng.integers(4, 31)) * 100,
    )


def _published(rng: Generator, *, new_share: float) -> datetime:
    is_new = rng.random() < new_share
    days = float(rng.random()) * (DAYS - 5 if is_new else -150)
    return START + timedelta(seconds=round(days * 86_400))


def _fitting(products: Shelf) -> dict[int, tuple[int, ...]]:
    """Best seller to best seller, second to second: the planted pairs."""
    positions = ware_positions()
    fitting = {}
    for name, others in COMPLEMENTS.items():
        for rank, product in enumerate(products.of_ware(positions[name])):
            fitting[int(product)] = tuple(
                int(products.of_ware(positions[other])[rank]) for other in others
            )
    return fitting


def _videos(rng: Generator, products: Shelf, fitting: dict[int, tuple[int, ...]]) -> Shelf:
    items: list[Item] = []
    wares, pull = [], []
    for ware_idx, ware in enumerate(WARES):
        sold = products.of_ware(ware_idx)
        lines = [(scene, "日常") for scene in SCENES[ware.taste]] + list(PHRASES)
        for line in rng.permutation(len(lines))[:VIDEOS_A_WARE]:
            cards = tuple(products.items[idx].item_id for idx in _cards(rng, sold, fitting))
            items.append(_video(rng, 2001 + len(items), ware, lines[line], cards))
            wares.append(ware_idx)
            pull.append(float(rng.pareto(1.6) + 0.3))
    return Shelf.of(items, wares, pull)


def _cards(rng: Generator, sold: Ints, fitting: dict[int, tuple[int, ...]]) -> tuple[int, ...]:
    """One to four products: of the ware itself, and now and then one that belongs to it."""
    if rng.random() < 0.25:
        return ()
    first = int(rng.choice(sold, p=WARE_SHARES))
    others = [int(idx) for idx in sold if idx != first and rng.random() < 0.25]
    if rng.random() < 0.5:
        others += fitting.get(first, ())
    return (first, *others[:3])


def _video(
    rng: Generator, number: int, ware: Ware, line: tuple[str, str], cards: tuple[str, ...]
) -> Item:
    phrase, tag = line
    shares = [share for share, _ in FORMATS]
    low, high = FORMATS[int(rng.choice(len(FORMATS), p=shares))][1]
    creator = TASTES.index(ware.taste) * CREATORS_A_TASTE + int(rng.integers(CREATORS_A_TASTE))
    return Item(
        item_id=f"video-{number}",
        kind=Kind.VIDEO,
        title=phrase.format(ware=ware.name, word=str(rng.choice(ware.words))),
        tags=(*ware.tags, ware.name, tag),
        category=ware.category[:1],
        creator_id=f"creator-{301 + creator}",
        published_at=_published(rng, new_share=0.5),
        cards=cards,
        duration_s=float(rng.integers(low, high + 1)),
        sponsored=bool(cards and rng.random() < 0.06),
        promotional=bool(rng.random() < 0.03),
        attributes={"platform": PLATFORMS[int(rng.integers(len(PLATFORMS)))].value},
    )
