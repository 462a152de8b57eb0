"""Served lists → the bytes of the answer, each item with what a page needs to show it.

What a page shows lies ready as JSON in the catalogue: it is put together, not read and written.
"""

import orjson

from recsys.catalog import Catalog, Idxs
from recsys.events import ServedItem
from recsys.recommend import Answer

# A page shows a few of a video's products; the others are one tap away.
CARDS_SHOWN = 8
# Where a person finds the switch and what their lists are made from.
OFF, TAGS = "/v1/me/personalisation", "/v1/me/tags"


def encoded(
    answer: Answer,
    catalog: Catalog | None,
    cursor: str | None = None,
    appeal: str | None = None,
) -> bytes:
    """The JSON body of an answer; a list without items needs no catalogue.

    Parameters
    ----------
    appeal
        Where a person may complain.
    """
    served = answer.served
    items: list[bytes] = []
    if catalog is not None:
        cards = _cards(catalog, answer.items, is_minor=answer.controls.is_minor)
        shown = _shown(catalog, answer.items)
        items = [
            b'%b,%b,"cards":[%b]}' % (_said(item)[:-1], display, b",".join(cards.get(place, ())))
            for place, (item, display) in enumerate(zip(served.items, shown, strict=True))
        ]
    head = _head(answer, cursor, appeal)
    return b'%b,"items":[%b]}' % (head[:-1], b",".join(items))


def _head(answer: Answer, cursor: str | None, appeal: str | None) -> bytes:
    served = answer.served
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
            "controls": {"off": OFF, "tags": TAGS, "appeal": appeal},
            "minors": answer.signals and answer.signals._asdict(),
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


def _cards(catalog: Catalog, items: Idxs, *, is_minor: bool) -> dict[int, list[bytes]]:
    """By place in the list, the first cards of a video that are on sale, and for whom it is."""
    owners, cards = catalog.cards.rows(items)
    may_show = catalog.on_sale[cards]
    if is_minor:
        may_show &= ~(catalog.ad[cards] | catalog.restricted[cards])
    owners, cards = owners[may_show], cards[may_show]
    ids, shown = catalog.ids.raws(cards), _shown(catalog, cards)
    found: dict[int, list[bytes]] = {}
    for owner, item_id, display in zip(owners.tolist(), ids, shown, strict=True):
        told = found.setdefault(owner, [])
        if len(told) < CARDS_SHOWN:
            told.append(b'{"item_id":%b,%b}' % (orjson.dumps(item_id.decode()), display))
    return found
