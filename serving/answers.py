"""Served lists → the bytes of the answer, each item with what a page needs to show it."""

from typing import Any

import orjson

from recsys.catalog import Catalog, Kind
from recsys.events import ServedList
from recsys.recommend import Answer

VIDEO = Kind.VIDEO.word
# A page shows a few of a video's products; the others are one tap away.
CARDS_SHOWN = 8


def encoded(answer: Answer, catalog: Catalog | None, cursor: str | None = None) -> bytes:
    """The JSON body of an answer; a list without items needs no catalogue."""
    served = answer.served
    items: list[dict[str, Any]] = []
    if catalog is not None:
        for item, item_idx in zip(served.items, answer.items.tolist(), strict=True):
            items.append(
                {
                    "item_id": item.item_id,
                    "kind": item.kind,
                    "rank": item.rank,
                    "score": item.score,
                    "source": item.source,
                    "reason": item.reason,
                    "ad": item.ad,
                    **_shown(catalog, item_idx),
                    "cards": _cards(catalog, item_idx) if item.kind == VIDEO else [],
                }
            )
    return orjson.dumps(_head(served, cursor) | {"items": items})


def _head(served: ServedList, cursor: str | None) -> dict[str, Any]:
    return {
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


def _shown(catalog: Catalog, item_idx: int) -> dict[str, Any]:
    display: dict[str, Any] = orjson.loads(catalog.display.raw(item_idx))
    return {"title": catalog.titles[item_idx], **display}


def _cards(catalog: Catalog, item_idx: int) -> list[dict[str, Any]]:
    cards = catalog.cards.row(item_idx)
    on_sale = cards[catalog.on_sale[cards]][:CARDS_SHOWN]
    return [{"item_id": catalog.ids[idx], **_shown(catalog, idx)} for idx in on_sale.tolist()]
