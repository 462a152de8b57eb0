"""How each platform writes what happened on it: names and nesting of its own exports.

Names are those of the platforms' open interfaces as far as the guides of `docs/guides` name them.
What lies under `shop`, and the CSV files, are the shop's own: its mini-program's log.
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

from recsys.catalog import Item
from recsys.events import EventType, Platform
from training.sample_people import DAY_MS
from training.sample_sales import Line, Order, Part, digits, open_id

# One of so many orders that no video led to was placed in a live room.
OF_LIVE = 4

# What the shop's mini-program calls what people do there.
WORDS = {
    EventType.LIKE: "like",
    EventType.SHARE: "share",
    EventType.FAVOURITE: "collect",
    EventType.FOLLOW: "follow",
    EventType.COMMENT: "comment",
    EventType.DISLIKE: "dislike",
}

# Of a row of the KuaiRand log, in the order they stand in it.
FLAGS = {
    EventType.LIKE: "is_like",
    EventType.FOLLOW: "is_follow",
    EventType.COMMENT: "is_comment",
    EventType.SHARE: "is_forward",
    EventType.DISLIKE: "is_hate",
}
# The sample's people begin to watch so long after a video was on their screen.
AFTER_SHOWN_MS = 1_000

Files = dict[str, bytes]


def _s(at_ms: int | None) -> int:
    """Seconds since 1970, and 0 for never, as platforms write it."""
    return 0 if at_ms is None else at_ms // 1_000


def _jsonl(rows: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def _csv(header: str, rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header.split(","))
    writer.writerows(rows)
    return text.getvalue().encode()


def _published_ms(item: Item) -> int:
    return 0 if item.published_at is None else round(item.published_at.timestamp() * 1_000)


def _shop(item: Item, **more: object) -> dict[str, object]:
    """What the shop itself knows of a video; no interface names the products it sells."""
    own: dict[str, object] = {
        "tags": item.tags,
        "category": item.category,
        "cards": item.cards,
        "duration": item.duration_s,
        "sponsored": item.sponsored,
    }
    return own | more


def _watched(part: Part) -> list[tuple[object, ...]]:
    """Plays and read notes as a player tells them: where it stood at the end, how long it is."""
    return [
        (
            open_id(act.user_id),
            act.item_id,
            act.at_ms,
            act.play_s or act.dwell_s,
            act.duration_s or 0,
        )
        for act in part.of(EventType.PLAY, EventType.VIEW)
    ]


def _reactions(part: Part, words: dict[EventType, str]) -> list[tuple[object, ...]]:
    return [
        (open_id(act.user_id), act.item_id, act.at_ms, words[act.type]) for act in part.of(*words)
    ]


def douyin(part: Part) -> Files:
    """Douyin: video list, item comments, shop orders with their lines."""
    videos = [
        {
            "item_id": item.item_id,
            "title": item.title,
            "create_time": _s(_published_ms(item)),
            "media_type": 4 if item.duration_s else 2,
            "shop": _shop(item, creator=item.creator_id),
        }
        for item in part.videos
    ]
    comments = [
        {
            "item_id": act.item_id,
            "comment_id": f"7{nth:018d}",
            "comment_user_id": open_id(act.user_id),
            "create_time": _s(act.at_ms),
        }
        for nth, act in enumerate(part.of(EventType.COMMENT), 1)
    ]
    # Comments come by an interface of their own.
    words: dict[EventType, str] = WORDS.copy()
    del words[EventType.COMMENT]
    return {
        "videos.jsonl": _jsonl(videos),
        "watch.csv": _csv("open_id,item_id,at,currentTime,duration", _watched(part)),
        "interactions.csv": _csv("open_id,item_id,at,action", _reactions(part, words)),
        "comments.jsonl": _jsonl(comments),
        "orders.jsonl": _jsonl(_doudian_order(order) for order in part.orders),
    }


def _doudian_order(order: Order) -> dict[str, Any]:
    is_live = order.number % OF_LIVE == 0
    lines = [_doudian_line(order, nth, is_live) for nth in range(len(order.lines))]
    return {
        "order_id": lines[0]["parent_order_id"],
        "order_status": 5 if order.paid_ms else 4,
        "doudian_open_id": order.open_id,
        "create_time": _s(order.created_ms),
        "pay_time": _s(order.paid_ms),
        "update_time": _s(order.updated_ms),
        "pay_amount": order.total_minor if order.paid_ms else 0,
        "sku_order_list": lines,
    }


def _doudian_line(order: Order, nth: int, is_live: bool) -> dict[str, Any]:
    line = order.lines[nth]
    in_room = is_live and line.video is None
    creator = line.video.creator_id if line.video else None
    return {
        "order_id": f"69175{order.number:012d}{nth:02d}",
        "parent_order_id": f"69175{order.number:012d}00",
        "product_id": 3_600_000_000_000_000_000 + line.number,
        "product_name": line.product.title,
        "code": line.product.item_id,
        "item_num": line.pieces,
        "pay_amount": line.paid_minor,
        "pay_time": _s(order.paid_ms),
        "update_time": _s(line.refunded_ms or order.updated_ms),
        "theme_type": "1" if in_room else "0",
        "room_id": 7_000_000_000_000_000_000 + order.number // 10_000 if in_room else 0,
        "author_id": digits(creator) if creator else 0,
        "video_id": line.video.item_id if line.video else "",
        "after_sale_info": {"refund_status": 3 if line.refunded_ms else 0},
    }


def channels(part: Part) -> Files:
    """WeChat Channels: orders of a WeChat shop as order/get has them."""
    videos = [
        {
            "feedId": item.item_id,
            "finderUserName": item.creator_id,
            "shop": _shop(item, title=item.title, published=_s(_published_ms(item))),
        }
        for item in part.videos
    ]
    return {
        "videos.jsonl": _jsonl(videos),
        "watch.csv": _csv("openid,feedId,at,currentTime,duration", _watched(part)),
        "interactions.csv": _csv("openid,feedId,at,action", _reactions(part, WORDS)),
        "orders.jsonl": _jsonl(_wechat_order(order) for order in part.orders),
    }


def _wechat_order(order: Order) -> dict[str, Any]:
    products = [
        {
            "product_id": str(10_000_000_000_000 + line.number),
            "sku_id": str(20_000_000_000_000 + line.number),
            "sku_cnt": line.pieces,
            "on_aftersale_sku_cnt": 0,
            "finish_aftersale_sku_cnt": line.pieces if line.refunded_ms else 0,
            "title": line.product.title,
            "real_price": line.paid_minor,
            "out_product_id": line.product.item_id,
        }
        for line in order.lines
    ]
    return {
        "order_id": f"3700{order.number:015d}",
        "openid": order.open_id,
        "status": 100 if order.paid_ms else 250,
        "create_time": _s(order.created_ms),
        "update_time": _s(order.updated_ms),
        "order_detail": {
            "product_infos": products,
            "pay_info": {"pay_time": _s(order.paid_ms)} if order.paid_ms else {},
            "price_info": {"order_price": order.total_minor},
        },
    }


def kuaishou(part: Part) -> Files:
    """Kuaishou: a log with flags as in KuaiRand, and orders of one product each."""
    videos = [
        {
            "photo_id": item.item_id,
            "caption": item.title,
            "create_time": _published_ms(item),
            "shop": _shop(item, creator=item.creator_id),
        }
        for item in part.videos
    ]
    header = f"user_id,video_id,time_ms,play_time_ms,duration_ms,{','.join(FLAGS.values())}"
    collected = _reactions(part, {EventType.FAVOURITE: WORDS[EventType.FAVOURITE]})
    return {
        "videos.jsonl": _jsonl(videos),
        "watch.csv": _csv(header, _kuairand(part)),
        "interactions.csv": _csv("open_id,photo_id,at,action", collected),
        "orders.jsonl": _jsonl(one for order in part.orders for one in _kwai_orders(order)),
    }


def _kuairand(part: Part) -> list[tuple[object, ...]]:
    """One row a video on a screen, with what was done to it in the row of its first play."""
    done: dict[tuple[str, str], set[EventType]] = {}
    for act in part.of(*FLAGS):
        done.setdefault((act.user_id, act.item_id), set()).add(act.type)
    played = part.of(EventType.PLAY, EventType.VIEW)
    began = {(act.user_id, act.item_id, act.at_ms) for act in played}
    passed = [
        act
        for act in part.of(EventType.IMPRESSION)
        if (act.user_id, act.item_id, act.at_ms + AFTER_SHOWN_MS) not in began
    ]
    rows: list[tuple[object, ...]] = []
    for act in sorted([*played, *passed], key=lambda act: act.at_ms):
        is_played = act.type is not EventType.IMPRESSION
        own = done.pop((act.user_id, act.item_id), set()) if is_played else set()
        times = (
            round(1_000 * (spent or 0)) for spent in (act.play_s or act.dwell_s, act.duration_s)
        )
        flags = (int(kind in own) for kind in FLAGS)
        rows.append((open_id(act.user_id), act.item_id, act.at_ms, *times, *flags))
    return rows


def _kwai_orders(order: Order) -> Iterable[dict[str, Any]]:
    for nth, line in enumerate(order.lines):
        creator = line.video.creator_id if line.video else None
        yield {
            "orderBaseInfo": {
                "oid": int(f"2310{order.number:010d}{nth:02d}"),
                "buyerOpenId": order.open_id,
                "createTime": order.created_ms,
                "payTime": order.paid_ms or 0,
                "updateTime": line.refunded_ms or order.updated_ms,
                "refundTime": line.refunded_ms or 0,
                "totalFee": line.paid_minor,
            },
            "orderItemInfo": {
                "itemId": 20_000_000_000 + line.number,
                "itemTitle": line.product.title,
                "skuNick": line.product.item_id,
                "num": line.pieces,
                "price": line.paid_minor // line.pieces,
            },
            "orderRefundList": (
                [{"refundStatus": 60, "handlingWay": 10}] if line.refunded_ms else []
            ),
            "orderCpsInfo": {"distributorId": digits(creator) if creator else 0},
        }


def xiaohongshu(part: Part) -> Files:
    """Xiaohongshu: notes, orders with their skus, and after-sales of their own."""
    notes = [
        {
            "note_id": item.item_id,
            "type": "video" if item.duration_s else "normal",
            "title": item.title,
            "published": _s(_published_ms(item)),
            "creator": item.creator_id,
        }
        | _shop(item)
        for item in part.videos
    ]
    returned = [
        _returned(order, line) for order in part.orders for line in order.lines if line.refunded_ms
    ]
    return {
        "notes.jsonl": _jsonl(notes),
        "watch.csv": _csv("openid,note_id,at,currentTime,duration", _watched(part)),
        "interactions.csv": _csv("openid,note_id,at,action", _reactions(part, WORDS)),
        "orders.jsonl": _jsonl(_ark_order(order) for order in part.orders),
        "returns.jsonl": _jsonl(returned),
    }


def _ark_order(order: Order) -> dict[str, Any]:
    skus = [
        {
            "skuId": f"6{line.number:023x}",
            "skuName": line.product.title,
            "erpcode": line.product.item_id,
            "skuQuantity": line.pieces,
            "totalPaidAmount": line.paid_minor,
            "kolId": (line.video.creator_id or "") if line.video else "",
        }
        for line in order.lines
    ]
    return {
        "orderId": f"P7{order.number:016d}",
        "userId": order.open_id,
        "orderStatus": 7 if order.paid_ms else 9,
        "orderAfterSalesStatus": 3 if any(line.refunded_ms for line in order.lines) else 1,
        "createdTime": order.created_ms,
        "paidTime": order.paid_ms or 0,
        "updateTime": order.updated_ms,
        "totalPayAmount": order.total_minor if order.paid_ms else 0,
        "skuList": skus,
    }


def _returned(order: Order, line: Line) -> dict[str, Any]:
    yuan = line.paid_minor / 100
    return {
        "returnsId": f"R7{order.number:013d}{line.number:04d}",
        "returnType": 1,
        "status": 4,
        "refundStatus": 2,
        "orderId": f"P7{order.number:016d}",
        "userId": order.open_id,
        "applyTime": (line.refunded_ms or 0) - DAY_MS,
        "refundTime": line.refunded_ms,
        "refundAmountYuan": yuan,
        "skus": [
            {
                "skuId": f"6{line.number:023x}",
                "skuERPCode": line.product.item_id,
                "appliedCount": line.pieces,
                "appliedTotalAmountYuan": yuan,
            }
        ],
    }


EXPORTS: dict[Platform, Callable[[Part], Files]] = {
    Platform.DOUYIN: douyin,
    Platform.CHANNELS: channels,
    Platform.KUAISHOU: kuaishou,
    Platform.XIAOHONGSHU: xiaohongshu,
}
