"""The shapes of request bodies: types and known fields. Bounds are the contracts' own business."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic_core import ErrorDetails

from recsys.catalog import KIND_WORDS, Kind
from recsys.events import EVENT_WORDS, TEXT_LIMITS, Platform
from recsys.recommend import MAX_BASKET, MAX_EXCLUDED, MAX_K, Request
from recsys.scenes import SCENES, About, scene_named

DETAIL_LIMIT = 300


def bound(**said: Any) -> Any:
    """What the description says of a field whose bounds are checked elsewhere, in other words."""
    return Field(json_schema_extra=said)


def batch_of(shape: str) -> Any:
    """A batch in the description; each part is checked by itself, so that good ones are kept."""
    return bound(items={"$ref": f"#/components/schemas/{shape}"}, maxItems=MAX_BATCH)


MAX_BATCH = 1_000
UserId = Annotated[str, bound(minLength=1, maxLength=TEXT_LIMITS["user_id"])]
ItemId = Annotated[str, Field(min_length=1, max_length=TEXT_LIMITS["item_id"])]


BasketIds = Annotated[list[ItemId], Field(max_length=MAX_BASKET)]

# Pydantic's own words name our classes, which callers do not know.
OUR_WORDS = dict.fromkeys(("model_type", "dict_type"), "Input should be an object")


def wrong(error: ValidationError) -> str:
    """What is wrong with a body, field by field, short enough for an answer or a log line."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    told = "; ".join(f"{_place(fault)}: {_words(fault)}" for fault in faults[:3])
    more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
    return told[:DETAIL_LIMIT] + more


def _place(fault: ErrorDetails) -> str:
    return ".".join(map(str, fault["loc"])) or "body"


def _words(fault: ErrorDetails) -> str:
    return OUR_WORDS.get(fault["type"], fault["msg"])


class Body(BaseModel):
    """A JSON object of known fields and exact types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class ListContext(Body):
    """What the list stands beside; a scene looks at the field that it is about."""

    order_items: BasketIds = []
    item_id: ItemId | None = None
    cart: BasketIds = []
    session: Annotated[str, Field(max_length=200)] = ""

    def basket(self, about: About) -> tuple[str, ...]:
        """The items that a scene's list stands beside."""
        said = () if about is About.NOTHING else getattr(self, about)
        return (said,) if isinstance(said, str) else tuple(said or ())


class ListBody(Body):
    """Body of POST /v1/lists; a guest without a person's id is a person of that id."""

    scene: Annotated[str, bound(enum=list(SCENES))]
    user_id: UserId | None = None
    guest_id: UserId | None = None
    k: Annotated[int, bound(minimum=1, maximum=MAX_K)] = 20
    kinds: list[Literal["product", "video"]] | None = None
    exclude: Annotated[list[ItemId], bound(maxItems=MAX_EXCLUDED)] = []
    context: ListContext = ListContext()
    cursor: str | None = None

    def request(self) -> Request:
        """The same for `recommend`, of nobody yet; raises InvalidInput for what is not allowed."""
        kinds: tuple[Kind, ...] | None = None
        if self.kinds is not None:
            kinds = tuple(KIND_WORDS[word] for word in self.kinds)
        return Request(
            scene=self.scene,
            k=self.k,
            kinds=kinds,
            exclude=tuple(self.exclude),
            basket=self.context.basket(scene_named(self.scene).about),
            session=self.context.session,
        )


class PrefetchQuery(BaseModel):
    """Query of GET /v1/prefetch/home: the platform's own words, of which none changes the list.

    Parameters
    ----------
    user_id, guest_id
        Added by the shop's backend, which knows whose token it is.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    user_id: UserId | None = None
    guest_id: UserId | None = None
    k: Annotated[int, bound(minimum=1, maximum=MAX_K)] = 20
    cursor: str | None = None
    appid: str | None = None
    token: str | None = None
    code: str | None = None
    timestamp: str | None = None
    path: str | None = None
    query: str | None = None
    scene: str | None = None

    def request(self) -> Request:
        """The request for home, of nobody yet; raises InvalidInput for what is not allowed."""
        return Request(scene="home", k=self.k)


class HistoryQuery(BaseModel):
    """Query of GET /v1/users/{user_id}/history."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Field(ge=1, le=1_000)] = 100


class AliasBody(Body):
    """Body of POST /v1/aliases: a guest logged in."""

    guest_id: UserId
    user_id: UserId


class ItemsBody(Body):
    """Body of PUT /v1/items; its items are checked one by one, so that good ones are kept."""

    items: Annotated[list[object], batch_of("ItemBody")]


class ItemBody(Body):
    """One item of a batch, whole: what is left out is as if it had never been said."""

    item_id: str
    kind: Literal["product", "video"]
    title: str = ""
    tags: list[str] = []
    category: list[str] = []
    creator_id: str | None = None
    shop_id: str | None = None
    price_minor: int | None = None
    member_price_minor: int | None = None
    available: bool = True
    stock: int | None = None
    published_at: str | int | None = None
    expires_at: str | int | None = None
    cards: list[str] = []
    duration_s: float | None = None
    durable: bool | None = None
    attributes: dict[str, str] = {}
    cover: str | None = None
    link: str | None = None
    sponsored: bool = False
    promotional: bool = False
    audience: list[str] = []
    restricted: bool = False
    commission_bp: int = 0
    media: str | None = None
    campaigns: list[str] = []


class SwitchBody(Body):
    """Body of PATCH /v1/items/{item_id}."""

    available: bool


class SwitchManyBody(Body):
    """Body of POST /v1/items/availability."""

    item_ids: Annotated[list[ItemId], Field(min_length=1, max_length=MAX_BATCH)]
    available: bool


class BatchBody(Body):
    """Body of POST /v1/events; its events are checked one by one, so that good ones are kept."""

    events: Annotated[list[object], batch_of("EventBody")]


class EventBody(Body):
    """One event of a batch; `at` is ISO 8601 with its zone, or whole milliseconds since 1970."""

    event_id: Annotated[str, bound(minLength=1, maxLength=TEXT_LIMITS["event_id"])]
    user_id: UserId | None = None
    item_id: Annotated[str, bound(minLength=1, maxLength=TEXT_LIMITS["item_id"])]
    type: Annotated[str, bound(enum=list(EVENT_WORDS))]
    at: str | int
    play_s: float | None = None
    duration_s: float | None = None
    dwell_s: float | None = None
    quantity: int | None = None
    amount_minor: int | None = None
    order_id: str | None = None
    choice: str | None = None
    list_id: str | None = None
    position: int | None = None
    platform: Annotated[str | None, bound(enum=[*Platform, None])] = None
    props: dict[str, JsonValue] = {}
