"""What happened on one platform, before anybody's export: its videos, acts and orders."""

from dataclasses import dataclass

from recsys.catalog import Item
from recsys.events import EventType
from training.sample_people import DAY_MS, Act


def digits(name: str) -> int:
    """product-1001 → 1001."""
    return int(name.split("-")[1])


def open_id(user_id: str) -> str:
    """user-5001 → open-5001: what a platform calls the person."""
    return f"open-{digits(user_id)}"


@dataclass(frozen=True, slots=True)
class Line:
    """One product of an order; `video` led to it, if one did."""

    product: Item
    pieces: int
    paid_minor: int
    refunded_ms: int | None
    video: Item | None

    @property
    def number(self) -> int:
        """The product's number, of which platforms' own ids are made."""
        return digits(self.product.item_id)


@dataclass(frozen=True, slots=True)
class Order:
    """One order; never paid where `paid_ms` is None."""

    number: int
    open_id: str
    created_ms: int
    paid_ms: int | None
    lines: tuple[Line, ...]

    @property
    def updated_ms(self) -> int:
        """When anything about it changed last."""
        changed = [line.refunded_ms for line in self.lines if line.refunded_ms is not None]
        return max([(self.paid_ms or self.created_ms) + DAY_MS, *changed])

    @property
    def total_minor(self) -> int:
        """What was paid for all of it."""
        return sum(line.paid_minor for line in self.lines)


@dataclass(frozen=True, slots=True)
class Part:
    """What happened on one platform, in order of time."""

    videos: tuple[Item, ...]
    acts: tuple[Act, ...]
    orders: tuple[Order, ...]

    def of(self, *types: EventType) -> list[Act]:
        """The acts of these types."""
        return [act for act in self.acts if act.type in types]
