"""Served lists → the bytes of the answer, each item with what a page needs to show it."""

import orjson

from recsys.events import ServedList
from recsys.recommend import Answer
from serving.shelf import Shelf


def encoded(answer: Answer, shelf: Shelf | None, cursor: str | None = None) -> bytes:
    """The JSON body of an answer; a list without items needs no shelf."""
    served = answer.served
    items: list[bytes] = []
    if shelf is not None:
        items = [
            b"%b,%b}" % (orjson.dumps(item)[:-1], shown)
            for item, shown in zip(served.items, shelf.shown(answer.items), strict=True)
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
