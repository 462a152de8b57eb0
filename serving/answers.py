"""Served lists → the bytes of the answer, each item with what a page needs to show it.

What a page shows lies ready as JSON in the catalogue: it is put together, not read and written.
"""

import orjson

from recsys.catalog import Catalog, Idxs
from recsys.events import ServedItem, ServedList
from recsys.recommend import Answer

# A page shows a few of a video's products; the others are one tap away.
CARDS_SHOWN = 8


def encoded(answer: Answer, catalog: Catalog | None, cursor: str | None = None) -> bytes:
    """The JSON body of an answer; a list without items needs no catalogue."""
    served = answer.served
    items: list[bytes] = []
    if catalog is not None:
        cards = _cards(catalog, answer.items)
        shown = _shown(catalog, answer.items)
        items = [
            b'%b,%b,"cards":[%b]}' % (_said(item)[:-1], display, b",".join(cards.get(place, ())))
            for place, (item, display) in enumerate(zip(served.items, shown, strict=True))
        ]
    return b'%b,"items":[%b]}' % (_head(served, cursor)[:-1], b",".join(items))


def _head(served: ServedList, cursor: str | None) -> bytes:
    return orjson.dumps(
        {
            "list_id": served.list_id,
            "scene": served.scene,
            "personalised": served.personalised,
            "degraded": served.degraded,
            "bundle": served.bundle,
            "pipeline": served.pipeline,
            "arms": served.arms,
            "cursor": cursor,
            "controls": {},
        }
    )


def _said(item: ServedItem) -> bytes:
    return orjson.dumps(
        {
            "item_id": item.item_id,
            "kind": item.kind,
            "rank": item.rank,
            "score": item.score,
            "source": item.source,
            "reason": item.reason,
            "ad": item.ad,
        }
    )


def _shown(catalog: Catalog, items: Idxs) -> list[bytes]:
    """For each item its title and what else a page shows, as the inside of a JSON object."""
    displays, titles = catalog.display.raws(items), catalog.titles.raws(items)
    return [
        b'"title":%b,%b' % (orjson.dumps(title.decode()), display[1:-1])
        for display, title in zip(displays, titles, strict=True)
    ]


def _cards(catalog: Catalog, items: Idxs) -> dict[int, list[bytes]]:
    """By place in the list, the first cards of a video that are on sale."""
    owners, cards = catalog.cards.rows(items)
    on_sale = catalog.on_sale[cards]
    owners, cards = owners[on_sale], cards[on_sale]
    ids, shown = catalog.ids.raws(cards), _shown(catalog, cards)
    found: dict[int, list[bytes]] = {}
    for owner, item_id, display in zip(owners.tolist(), ids, shown, strict=True):
        told = found.setdefault(owner, [])
        if len(told) < CARDS_SHOWN:
            told.append(b'{"item_id":%b,%b}' % (orjson.dumps(item_id.decode()), display))
    return found
