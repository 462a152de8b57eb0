"""What a page shows of each item, as JSON made when it is first shown, and kept as it is."""

import numpy as np
import orjson

from recsys.catalog import Catalog, Idxs

# A page shows a few of a video's products; the others are one tap away.
CARDS_SHOWN = 8
# So many items are kept, some 10 MB; then all are forgotten at once, as what is shown comes again.
MAX_KEPT = 30_000


class Shelf:
    """The items of one catalogue, which never changes, as pages show them.

    Parameters
    ----------
    catalog
        In it what a page shows lies ready as JSON: it is put together, not read and written.
    is_for_minors
        Whether cards that minors may not see are left out.
    """

    def __init__(self, catalog: Catalog, *, is_for_minors: bool = False) -> None:
        self._catalog = catalog
        self._is_for_minors = is_for_minors
        self._minors: Shelf | None = None
        self._kept: dict[int, bytes] = {}

    def for_minors(self) -> "Shelf":
        """The same for minors: videos without cards of advertising or of what is not for them."""
        if self._minors is None:
            self._minors = Shelf(self._catalog, is_for_minors=True)
        return self._minors

    def shown(self, items: Idxs) -> list[bytes]:
        """Of each item its title, what else a page shows and its cards: the inside of an object."""
        asked, kept = items.tolist(), self._kept
        try:
            return [kept[idx] for idx in asked]
        except KeyError:
            if len(kept) > MAX_KEPT:
                kept.clear()
            missing = [idx for idx in asked if idx not in kept]
            kept |= zip(missing, self._made(np.array(missing, dtype=np.int32)), strict=True)
            return [kept[idx] for idx in asked]

    def _made(self, items: Idxs) -> list[bytes]:
        cards = self._cards(items)
        return [
            b'%b,"cards":[%b]' % (display, b",".join(cards.get(place, ())))
            for place, display in enumerate(self._displays(items))
        ]

    def _displays(self, items: Idxs) -> list[bytes]:
        displays, titles = self._catalog.display.raws(items), self._catalog.titles.raws(items)
        return [
            b'"title":%b,%b' % (orjson.dumps(title.decode()), display[1:-1])
            for display, title in zip(displays, titles, strict=True)
        ]

    def _cards(self, items: Idxs) -> dict[int, list[bytes]]:
        """By place in the list, the first cards of a video that are on sale."""
        owners, cards = self._catalog.cards.rows(items)
        may_show = self._catalog.on_sale[cards]
        if self._is_for_minors:
            may_show = may_show & ~(self._catalog.ad[cards] | self._catalog.restricted[cards])
        owners, cards = owners[may_show], cards[may_show]
        ids, shown = self._catalog.ids.raws(cards), self._displays(cards)
        found: dict[int, list[bytes]] = {}
        for owner, item_id, display in zip(owners.tolist(), ids, shown, strict=True):
            told = found.setdefault(owner, [])
            if len(told) < CARDS_SHOWN:
                told.append(b'{"item_id":%b,%b}' % (orjson.dumps(item_id.decode()), display))
        return found
