"""The shapes of answers: what the API's description promises, and tests hold it to."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Told(BaseModel):
    """A JSON object with exactly these fields."""

    model_config = ConfigDict(extra="forbid")


class ErrorAnswer(Told):
    """Every answer that is an error."""

    error: str
    detail: str


class Card(Told):
    """A product that a video sells."""

    item_id: str
    title: str
    price_minor: int | None
    cover: str | None
    link: str | None


class ListItem(Told):
    """One place of a list."""

    item_id: str
    kind: Literal["product", "video"]
    rank: int
    score: float
    source: str
    reason: str
    ad: bool
    coupon: str | None
    title: str
    price_minor: int | None
    cover: str | None
    link: str | None
    cards: list[Card]


class ControlLinks(Told):
    """Where a person finds what is in their hand; the last is the shop's own page, if it said."""

    off: str
    tags: str
    appeal: str | None


class MinorSignals(Told):
    """What the page of a minor must do: remind of a rest, end for today, close for the night."""

    rest: bool
    used_up: bool
    night: bool


class ListAnswer(Told):
    """A ranked list."""

    list_id: str
    scene: str
    personalised: bool
    degraded: list[str]
    bundle: str
    pipeline: str
    arms: list[str]
    cursor: str | None
    controls: ControlLinks
    minors: MinorSignals | None
    items: list[ListItem]


class RefusedPart(Told):
    """What of a batch was refused: its place, and why."""

    index: int
    error: str
    detail: str


class EventsAnswer(Told):
    """What became of a batch of events."""

    accepted: int
    duplicates: int
    rejected: list[RefusedPart]


class ItemsAnswer(Told):
    """What became of a batch of items."""

    accepted: int
    changed: int
    rejected: list[RefusedPart]


class ItemAnswer(Told):
    """An item as it is kept."""

    item_id: str
    kind: Literal["product", "video"]
    title: str
    tags: list[str]
    category: list[str]
    creator_id: str | None
    shop_id: str | None
    price_minor: int | None
    member_price_minor: int | None
    available: bool
    stock: int | None
    published_at: str | None
    expires_at: str | None
    cards: list[str]
    duration_s: float | None
    durable: bool | None
    attributes: dict[str, str]
    cover: str | None
    link: str | None
    sponsored: bool
    promotional: bool
    audience: list[str]
    restricted: bool
    commission_bp: int
    media: str | None
    campaigns: list[str]


class SwitchAnswer(Told):
    """How an item stands now."""

    item_id: str
    available: bool


class SwitchManyAnswer(Told):
    """How many items were switched, and which ids no item has."""

    switched: int
    unknown: list[str]


class AliasAnswer(Told):
    """Whether the guest was joined just now; false if it was before, to the same person."""

    joined: bool


class HistoryAnswer(Told):
    """What lists of a person are made from, newest first; each event as it was sent."""

    user_id: str
    events: list[dict[str, Any]]


class HealthAnswer(Told):
    """The process answers."""

    status: Literal["ok"]


class ReadyAnswer(Told):
    """Whether requests may be sent, and what they are answered from."""

    ready: bool
    bundle: str | None
    refused_bundles: int
    lost_lists: int
