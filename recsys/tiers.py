"""Who a person is to the shop: new, returning or member, from orders, spend and recency."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from recsys.audience import AUDIENCES, Audience
from recsys.catalog import Catalog
from recsys.events import EventType
from recsys.histories import UNDATED, History

DAY_MS = 86_400_000
ORDER = int(EventType.ORDER)


class Tier(StrEnum):
    """What orders make of a person."""

    NEW = "new"
    RETURNING = "returning"
    MEMBER = "member"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiers:
    """From when on a person is a member, and from when on lapsed.

    Parameters
    ----------
    member_orders, member_spend_minor
        So many orders, or so much spent, within the last `member_days` make a member.
    lapsed_days
        Who ordered before, and not for so long, is to be won back.
    """

    member_orders: int = 3
    member_spend_minor: int = 100_000
    member_days: float = 365.0
    lapsed_days: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a person is to the shop at one moment."""

    tier: Tier = Tier.NEW
    is_lapsed: bool = False

    @property
    def mask(self) -> int:
        """The audiences they belong to, as bits of `Audience`."""
        return AUDIENCES[self.tier.value] | (Audience.LAPSED if self.is_lapsed else 0)

    @property
    def words(self) -> tuple[str, ...]:
        """The same as words, the one that says most first."""
        return (*(("lapsed",) if self.is_lapsed else ()), self.tier.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """What is done for a part of the people in one scene: welcome, winning back, thanks.

    Parameters
    ----------
    tags
        Items that carry one of them get seats of their own.
    every
        Of each kind's seats every so-manieth is for these items.
    ceiling
        The share of products is at most this, whatever was learned.
    """

    tags: tuple[str, ...] = ()
    every: int = 5
    ceiling: float = 1.0


NOBODY = Standing()


def standing_of(history: History, catalog: Catalog, tiers: Tiers, at_ms: int) -> Standing:
    """A person's standing from orders that were not given back.

    Spend counts what the catalogue asks for the pieces; what was really paid, an order of one item
    alone does not say. Orders without a time count, and tell nothing of recency.
    """
    standing = history.standing(at_ms)
    orders = standing.once("orders", lambda: standing.take(standing.type == ORDER))
    # Events are in time order, undated ones first.
    if len(orders) and orders.at_ms[-1] > at_ms:
        orders = orders.take(orders.at_ms <= at_ms)
    if len(orders) == 0:
        return NOBODY
    recent = orders
    if orders.at_ms[0] <= (oldest_ms := at_ms - tiers.member_days * DAY_MS):
        recent = orders.take((orders.at_ms == UNDATED) | (orders.at_ms > oldest_ms))
    is_member = (
        _n_orders(recent) >= tiers.member_orders
        or _spent_minor(recent, catalog) >= tiers.member_spend_minor
    )
    last_ms = int(orders.at_ms[-1])
    is_lapsed = last_ms != UNDATED and at_ms - last_ms > tiers.lapsed_days * DAY_MS
    return Standing(tier=Tier.MEMBER if is_member else Tier.RETURNING, is_lapsed=is_lapsed)


def _n_orders(orders: History) -> int:
    """Orders; lines of one order's id, or of one moment, are one."""
    return len(set(np.where(orders.order != 0, orders.order, orders.at_ms).tolist()))


def _spent_minor(orders: History, catalog: Catalog) -> float:
    price = np.maximum(catalog.price_minor[orders.item], 0)
    return float((price * np.nan_to_num(orders.value, nan=1.0)).sum())
