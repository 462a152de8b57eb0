"""A catalogue as of now: the bundle's, with items that changed since, and behind them the new ones.

Nothing of the bundle's is copied but small columns: texts, ids and links stay memory-mapped and
shared, and what differs lies over them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recsys.audience import mask_of
from recsys.campaigns import Campaigns
from recsys.catalog import (
    Attributes,
    Catalog,
    Idxs,
    Item,
    Kind,
    commission_of,
    display_of,
    expires_ms_of,
    price_of,
    published_ms_of,
    title_of,
)
from recsys.ids import IdMap, Ints, Mask, Texts
from recsys.links import Links

# What of a known item is taken over at once; by its other traits models know it, and keep to them.
COLUMNS = (
    *("on_sale", "durable", "ad", "restricted", "published_ms"),
    *("expires_ms", "price_minor", "commission_bp", "audience"),
)


@dataclass(frozen=True, slots=True, eq=False)
class PatchedTexts(Texts):
    """Texts of which some are others now, and more behind them."""

    patches: Mapping[int, bytes]
    tail: Texts

    def __len__(self) -> int:
        """How many texts there are."""
        return len(self.offsets) - 1 + len(self.tail)

    def raw(self, idx: int) -> bytes:
        """Text `idx` as UTF-8."""
        n = len(self.offsets) - 1
        if idx >= n:
            return self.tail.raw(idx - n)
        patch = self.patches.get(idx)
        return Texts.raw(self, idx) if patch is None else patch

    def raws(self, idxs: NDArray[Any]) -> list[bytes]:
        """Some texts as UTF-8."""
        return [self.raw(idx) for idx in idxs.tolist()]

    def all(self) -> list[str]:
        """Every text, in order."""
        return [self[idx] for idx in range(len(self))]


@dataclass(frozen=True, slots=True, eq=False)
class GrownIds(IdMap):
    """Ids with more behind them."""

    tail: IdMap

    def __len__(self) -> int:
        """How many ids there are."""
        return len(self.order) + len(self.tail)

    @classmethod
    def grown(cls, base: IdMap, tail: IdMap) -> Self:
        """A map with another behind it, of ids that are not in the first."""
        texts = PatchedTexts(base.texts.blob, base.texts.offsets, {}, tail.texts)
        return cls(texts, base.hashes, base.order, tail)

    def raws(self, idxs: NDArray[Any]) -> list[bytes]:
        """The ids at some positions, as UTF-8."""
        return [self[idx].encode() for idx in idxs.tolist()]

    def _known(self) -> IdMap:
        return IdMap(self.texts, self.hashes, self.order)

    def find(self, outside_id: str) -> int | None:
        """The position of an outside id, or None if it is not here."""
        idx = self._known().find(outside_id)
        if idx is not None:
            return idx
        new = self.tail.find(outside_id)
        return None if new is None else len(self.order) + new

    def look_up(self, outside_ids: Any) -> tuple[Ints, Mask]:
        """For each id its position, and whether it is here at all."""
        return self._both(self._known().look_up(outside_ids), self.tail.look_up(outside_ids))

    def translate(self, other: IdMap) -> tuple[Ints, Mask]:
        """For every position of `other`: its position here, and whether it is here at all."""
        return self._both(self._known().translate(other), self.tail.translate(other))

    def marked(self, marks: Any) -> Ints:
        """The positions of all ids that have one of these marks."""
        new = self.tail.marked(marks) + len(self.order)
        return np.concatenate([self._known().marked(marks), new])

    def _both(self, known: tuple[Ints, Mask], new: tuple[Ints, Mask]) -> tuple[Ints, Mask]:
        (old_at, is_old), (new_at, is_new) = known, new
        return np.where(is_old, old_at, new_at + len(self.order)), is_old | is_new


@dataclass(frozen=True, slots=True, eq=False)
class GrownLinks(Links):
    """Links of which some rows are others now, and more rows behind them."""

    patches: Mapping[int, Idxs]
    tail: Links

    def row(self, idx: int) -> Idxs:
        """The targets of row `idx`."""
        n = len(self.offsets) - 1
        if idx >= n:
            return self.tail.row(idx - n)
        patch = self.patches.get(idx)
        return Links.row(self, idx) if patch is None else patch

    def rows(self, idxs: NDArray[Any]) -> tuple[Ints, Idxs]:
        """The targets of several rows, one behind the other, and for each which row it is of."""
        asked = idxs.tolist()
        n = len(self.offsets) - 1
        if max(asked, default=0) < n and self.patches.keys().isdisjoint(asked):
            return Links.rows(self, idxs)
        whole = Links.of([self.row(idx) for idx in asked])
        return np.repeat(np.arange(len(asked)), np.diff(whole.offsets)), whole.targets


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Overlay:
    """What changed since a bundle was made; never changed itself, `with_items` gives the next one.

    Parameters
    ----------
    base
        The bundle's catalogue.
    columns
        By names of `COLUMNS`: the base's, with what changed.
    titles, displays
        By position of the base: texts that are others now.
    cards
        By position of the base: ids on the cards of videos where they are others now.
    campaigns
        By position of the base: campaigns as they are now, of every item that was looked at.
    fresh
        Items that the bundle does not know, by id; their order is that of their positions.
    tag_counts
        Shape (n tags,). How many items of the base carry each tag.
    """

    base: Catalog
    tag_counts: Ints
    columns: Mapping[str, NDArray[Any]]
    titles: Mapping[int, bytes] = field(default_factory=dict)
    displays: Mapping[int, bytes] = field(default_factory=dict)
    cards: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    campaigns: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    fresh: Mapping[str, Item] = field(default_factory=dict)

    @classmethod
    def of(cls, base: Catalog) -> Self:
        """Nothing changed yet."""
        return cls(
            base=base,
            tag_counts=np.bincount(base.tags.targets, minlength=len(base.tag_names)),
            columns={name: getattr(base, name) for name in COLUMNS},
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing was looked at that might have changed."""
        return not self.fresh and all(self.columns[n] is getattr(self.base, n) for n in COLUMNS)

    def with_items(self, items: Iterable[Item]) -> "Overlay":
        """The same with items as they are now; what changed before and is not named stays."""
        columns = {name: column.copy() for name, column in self.columns.items()}
        titles, displays = dict(self.titles), dict(self.displays)
        cards, fresh = dict(self.cards), dict(self.fresh)
        campaigns = dict(self.campaigns)
        for item in items:
            idx = self.base.ids.find(item.item_id)
            if idx is None:
                fresh[item.item_id] = item
                continue
            for name, value in _column_values(item).items():
                columns[name][idx] = value
            titles[idx], displays[idx] = title_of(item).encode(), display_of(item).encode()
            cards[idx] = item.cards
            campaigns[idx] = item.campaigns
            self._drop_same(idx, titles, displays, cards)
        return replace(
            self,
            columns=columns,
            titles=titles,
            displays=displays,
            cards=cards,
            campaigns=campaigns,
            fresh=fresh,
        )

    def _drop_same(
        self,
        idx: int,
        titles: dict[int, bytes],
        displays: dict[int, bytes],
        cards: dict[int, tuple[str, ...]],
    ) -> None:
        """Forget what is no change: a shop that counts its stock all day changes no title."""
        base = self.base
        if titles[idx] == base.titles.raw(idx):
            del titles[idx]
        if displays[idx] == base.display.raw(idx):
            del displays[idx]
        shown = base.cards.row(idx).tolist()
        if cards[idx] == tuple(base.ids[card] for card in shown):
            del cards[idx]

    def catalog(self) -> Catalog:
        """The catalogue as of now; positions of the base stay what they are."""
        columns: dict[str, Any] = dict(self.columns)
        columns["campaigns"] = self._campaigns()
        if not (self.fresh or self.cards):
            return self._with_texts(replace(self.base, **columns), Texts.of([]), Texts.of([]))
        tail = Catalog.of(list(self.fresh.values()))
        for name in (*COLUMNS, "kind", "duration_s"):
            before = columns.get(name, getattr(self.base, name))
            columns[name] = np.concatenate([before, getattr(tail, name)])
        grown = replace(self.base, **columns, **self._traits(tail))
        grown = replace(grown, **self._links(tail, grown.kind))
        return self._with_texts(grown, tail.titles, tail.display)

    def _campaigns(self) -> Campaigns:
        new = ((len(self.base) + at, one.campaigns) for at, one in enumerate(self.fresh.values()))
        return self.base.campaigns.patched([*self.campaigns.items(), *new])

    def _with_texts(self, catalog: Catalog, titles: Texts, display: Texts) -> Catalog:
        old = self.base
        return replace(
            catalog,
            titles=PatchedTexts(old.titles.blob, old.titles.offsets, self.titles, titles),
            display=PatchedTexts(old.display.blob, old.display.offsets, self.displays, display),
        )

    def _traits(self, tail: Catalog) -> dict[str, Any]:
        """Categories, creators, shops and tags with the tail's, named as in the base."""
        base = self.base
        category, categories = _recoded(base.categories, tail.categories, tail.category)
        creator, creators = _recoded(base.creators, tail.creators, tail.creator)
        shop, shops = _recoded(base.shops, tail.shops, tail.shop)
        tag_names, tags = _retagged(base.tag_names, tail)
        # Models that know answers know no new item, and nobody else asks for attributes.
        links, silent = base.attributes.links, Links.of([()] * len(tail))
        return {
            "category": np.concatenate([base.category, category]),
            "categories": categories,
            "creator": np.concatenate([base.creator, creator]),
            "creators": creators,
            "shop": np.concatenate([base.shop, shop]),
            "shops": shops,
            "attributes": Attributes(
                base.attributes.keys, GrownLinks(links.offsets, links.targets, {}, silent)
            ),
            "tag_names": tag_names,
            "tags": GrownLinks(base.tags.offsets, base.tags.targets, {}, tags),
        }

    def _links(self, tail: Catalog, kind: NDArray[np.int8]) -> dict[str, Any]:
        """Ids with the tail's, and cards as they are now, in both directions."""
        base = self.base
        ids = GrownIds.grown(base.ids, tail.ids)
        patches = {idx: _products(ids, kind, said) for idx, said in self.cards.items()}
        new = Links.of([_products(ids, kind, item.cards) for item in self.fresh.values()])
        return {
            "ids": ids,
            "cards": GrownLinks(base.cards.offsets, base.cards.targets, patches, new),
            "shown_by": self._shown_by(patches, new, len(base)),
        }

    def _shown_by(self, cards: Mapping[int, Idxs], new_cards: Links, n: int) -> Links:
        """Which videos show a product, where that is not what the base says."""
        base = self.base
        rows: dict[int, list[int]] = {}

        def row(product: int) -> list[int]:
            known = base.shown_by.row(product).tolist() if product < n else []
            return rows.setdefault(product, known)

        for video, products in cards.items():
            for product in base.cards.row(video).tolist():
                row(product).remove(video)
            for product in products.tolist():
                row(product).append(video)
        for number in range(len(new_cards.offsets) - 1):
            for product in new_cards.row(number).tolist():
                row(product).append(n + number)
        patches = {idx: np.array(sorted(row), np.int32) for idx, row in rows.items() if idx < n}
        tail = Links.of([sorted(rows.get(n + j, [])) for j in range(len(self.fresh))])
        return GrownLinks(base.shown_by.offsets, base.shown_by.targets, patches, tail)


def _column_values(item: Item) -> dict[str, Any]:
    """What `COLUMNS` hold of an item."""
    return {
        "on_sale": item.on_sale,
        "durable": item.durable is not False,
        "ad": item.sponsored or item.promotional,
        "restricted": item.restricted,
        "published_ms": published_ms_of(item),
        "expires_ms": expires_ms_of(item),
        "price_minor": price_of(item),
        "commission_bp": commission_of(item),
        "audience": mask_of(item.audience),
    }


def _products(ids: IdMap, kind: NDArray[np.int8], cards: tuple[str, ...]) -> Idxs:
    found = ids.find_all(cards).astype(np.int32)
    products: Idxs = found[kind[found] == Kind.PRODUCT]
    return products


def _recoded(base: Texts, tail: Texts, codes: Idxs) -> tuple[Idxs, Texts]:
    """The tail's codes in the base's names, with the names that only the tail has behind them."""
    names = tail.all()
    wanted = set(names)
    known = {name: idx for idx, name in enumerate(base.all()) if name in wanted}
    more = [name for name in names if name not in known]
    known |= {name: len(base) + at for at, name in enumerate(more)}
    places = np.array([known[name] for name in names], dtype=np.int32)
    return places[codes], PatchedTexts(base.blob, base.offsets, {}, Texts.of(more))


def _retagged(base: IdMap, tail: Catalog) -> tuple[IdMap, Links]:
    """The tail's tags in the base's names, with the names that only the tail has behind them."""
    names = tail.tag_names.texts.all()
    _, is_known = base.look_up(names)
    more = [name for name, known in zip(names, is_known.tolist(), strict=True) if not known]
    grown = GrownIds.grown(base, IdMap.of(more))
    places, _ = grown.look_up(names)
    rows = (np.sort(places[tail.tags.row(idx)]) for idx in range(len(tail)))
    return grown, Links.of(rows)
