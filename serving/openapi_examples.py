"""One example a body and an answer; tests hold them to the shapes."""

from typing import Any

from serving.openapi_hand import examples

_ITEM: dict[str, Any] = {
    "item_id": "product-1121",
    "kind": "product",
    "title": "宝宝辅食机",
    "tags": ["辅食", "母婴"],
    "category": ["母婴", "辅食"],
    "creator_id": None,
    "shop_id": "shop-1",
    "price_minor": 19_900,
    "member_price_minor": None,
    "available": True,
    "stock": 40,
    "published_at": "2026-10-01T08:00:00+00:00",
    "expires_at": None,
    "cards": [],
    "duration_s": None,
    "durable": True,
    "attributes": {"颜色": "白"},
    "cover": "https://shop.example/1121.jpg",
    "link": "/pages/product?id=1121",
    "sponsored": False,
    "promotional": False,
    "audience": [],
    "restricted": False,
    "commission_bp": 0,
    "media": None,
    "campaigns": [],
}
_RULE: dict[str, Any] = {
    "effect": "run",
    "scenes": ["home"],
    "by": "creator",
    "in_a_row": 1,
    "who": "li",
    "why": "no two videos of one creator side by side",
    "from": "2026-10-01T00:00:00+08:00",
    "until": "2027-11-01T00:00:00+08:00",
}
_CARD = {
    "item_id": "product-1121",
    "title": "宝宝辅食机",
    "price_minor": 19_900,
    "cover": "https://shop.example/1121.jpg",
    "link": "/pages/product?id=1121",
}
_LIST: dict[str, Any] = {
    "list_id": "5f0c7e1ab1f54cf6a1f0d1e52b7d5a10",
    "scene": "home",
    "personalised": True,
    "degraded": [],
    "bundle": "20261001-1",
    "pipeline": "home",
    "arms": [],
    "cursor": "q0yDgk2mB5hZ3n1XAQID",
    "controls": {"off": "/v1/me/personalisation", "tags": "/v1/me/tags", "appeal": "/pages/appeal"},
    "minors": None,
    "items": [
        {
            "item_id": "video-2195",
            "kind": "video",
            "rank": 0,
            "score": 0.0312,
            "source": "item_knn",
            "reason": "watched 婴儿辅食 videos",
            "ad": False,
            "coupon": None,
            "title": "六个月宝宝第一口辅食",
            "price_minor": None,
            "cover": None,
            "link": None,
            "cards": [_CARD],
        }
    ],
}
_EVENT = {
    "event_id": "a-20261001-000017",
    "user_id": "user-5001",
    "item_id": "video-2195",
    "type": "play",
    "at": "2026-10-01T20:15:03+08:00",
    "play_s": 31.5,
    "duration_s": 40.0,
    "platform": "miniprogram",
}

EXAMPLES: dict[str, dict[str, Any]] = {
    "post /v1/lists": {
        "body": {"scene": "home", "user_id": "user-5001", "k": 10},
        "answer": _LIST,
    },
    "get /v1/prefetch/home": {"answer": _LIST},
    "post /v1/events": {
        "body": {"events": [_EVENT]},
        "answer": {"accepted": 1, "duplicates": 0, "rejected": []},
    },
    "put /v1/items": {
        "body": {"items": [_ITEM]},
        "answer": {"accepted": 1, "changed": 1, "rejected": []},
    },
    "post /v1/items/availability": {
        "body": {"item_ids": ["product-1121", "product-0"], "available": False},
        "answer": {"switched": 1, "unknown": ["product-0"]},
    },
    "patch /v1/items/{item_id}": {
        "body": {"available": False},
        "answer": {"item_id": "product-1121", "available": False},
    },
    "get /v1/items/{item_id}": {"answer": _ITEM},
    "get /v1/rules": {
        "answer": {
            "version": 3,
            "rules": [{"rule_id": "autumn-pin", "is_default": False} | _RULE],
            "dropped": [],
        },
    },
    "put /v1/rules/{rule_id}": {
        "body": _RULE,
        "answer": {"rule_id": "autumn-pin", "version": 3},
    },
    "delete /v1/rules/{rule_id}": {"answer": {"rule_id": "autumn-pin", "version": 4}},
    "post /v1/aliases": {
        "body": {"guest_id": "guest-7001", "user_id": "user-5001"},
        "answer": {"joined": True},
    },
    "get /v1/users/{user_id}/history": {"answer": {"user_id": "user-5001", "events": [_EVENT]}},
    "get /v1/me/history": {"answer": {"user_id": "user-5001", "events": [_EVENT]}},
    **examples(),
    "get /healthz": {"answer": {"status": "ok"}},
    "get /readyz": {
        "answer": {"ready": True, "bundle": "20261001-1", "refused_bundles": 0, "lost_lists": 0}
    },
    "get /metrics": {"answer": 'dapei_lists_total{scene="home",step="personal"} 17.0\n'},
}

# One example of each refusal, by its status.
ERRORS: dict[str, dict[str, str]] = {
    "400": {
        "error": "malformed_body",
        "detail": "the body is no JSON: unexpected end of data: line 1 column 1 (char 0)",
    },
    "401": {
        "error": "unauthorized",
        "detail": "the key is not valid; allowed: one that `dapei keys new` showed",
    },
    "403": {
        "error": "forbidden",
        "detail": "the key is not for this; allowed: one with the scope items",
    },
    "404": {"error": "not_found", "detail": "Not Found"},
    "409": {
        "error": "alias_conflict",
        "detail": "guest_id is joined to another person already, got 'guest-7001'; "
        "allowed: a guest who is not, or the same person",
    },
    "413": {
        "error": "too_large",
        "detail": "the body has over 1048576 bytes; allowed: up to that many",
    },
    "415": {
        "error": "unsupported_media_type",
        "detail": "content-type is 'text/plain'; allowed: application/json",
    },
    "422": {"error": "invalid_input", "detail": "scene: Field required"},
    "429": {
        "error": "too_many",
        "detail": "too many events of one user; allowed: 240 a minute",
    },
    "503": {
        "error": "store_unavailable",
        "detail": "the record cannot be written now: database is locked",
    },
}
