"""Served lists → the bytes of the answer, each item with what a page needs to show it."""

import orjson

from recsys.events import ServedItem
from recsys.recommend import Answer
from serving.shelf import Shelf

# Where a person finds the switch and what their lists are made from.
OFF, TAGS = "/v1/me/personalisation", "/v1/me/tags"


def encoded(
    answer: Answer,
    shelf: Shelf | None,
    cursor: str | None = None,
    appeal: str | None = None,
) -> bytes:
    """The JSON body of an answer; a list without items needs no shelf.

    Parameters
    ----------
    appeal
        Where a person may complain.
    """
    served = answer.served
    items: list[bytes] = []
    if shelf is not None:
        shelf = shelf.for_minors() if answer.controls.is_minor else shelf
        items = [
            b"%b,%b}" % (orjson.dumps(_said(item))[:-1], shown)
            for item, shown in zip(served.items, shelf.shown(answer.items), strict=True)
        ]
    head = _head(answer, cursor, appeal)
    return b'%b,"items":[%b]}' % (head[:-1], b",".join(items))


def _said(item: ServedItem) -> dict[str, object]:
    # How likely chance was to bring it is for the record, not for the page.
    return {
        "item_id": item.item_id,
        "kind": item.kind,
        "rank": item.rank,
        "score": item.score,
        "source": item.source,
        "reason": item.reason,
        "ad": item.ad,
        "coupon": item.coupon,
    }


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
