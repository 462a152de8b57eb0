"""What a day in a simulated shop came to: money, watching, visits, and the share of commerce."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from recsys.events import EventType
from training.sample_goods import Ints
from training.simulation.acts import Acts
from training.simulation.behaviour import Outcome


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Day:
    """One day of a world.

    Parameters
    ----------
    number
        The first day is 1.
    visitors
        Who came to the shop, each once.
    orders, value_minor
        Order lines of the day, and their fen.
    watch_s
        Seconds of watching in the shop.
    examined, commercial
        Places of lists that were looked at, and how many of them sold something.
    """

    number: int
    visitors: Ints
    orders: int
    value_minor: int
    watch_s: float
    examined: int
    commercial: int

    @classmethod
    def of(cls, number: int, visitors: Ints, outcomes: Sequence[Outcome], found: Acts) -> Self:
        """The day; the first outcome is that of the platforms, which are not the shop's."""
        acts = [*(one.acts for one in outcomes), found]
        paid = np.concatenate([one.amount_minor[one.type == EventType.ORDER] for one in acts])
        shop = outcomes[1:]
        return cls(
            number=number,
            visitors=visitors,
            orders=len(paid),
            value_minor=int(paid.sum()),
            watch_s=float(sum(one.watch_s.sum() for one in shop)),
            examined=int(sum(one.examined.sum() for one in shop)),
            commercial=int(sum(one.commercial.sum() for one in shop)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Days together, per person of the world.

    Parameters
    ----------
    value_minor
        Fen a person spent.
    watch_s
        Seconds a person watched in the shop.
    retention
        Share of the people who came in the last seven days.
    commerce
        Share of what was looked at in lists that sold something.
    """

    value_minor: float
    watch_s: float
    retention: float
    commerce: float

    @classmethod
    def of(cls, days: Sequence[Day], n_people: int) -> Self:
        """The days of a world of so many people."""
        last = np.unique(np.concatenate([day.visitors for day in days[-7:]]))
        return cls(
            value_minor=sum(day.value_minor for day in days) / n_people,
            watch_s=sum(day.watch_s for day in days) / n_people,
            retention=len(last) / n_people,
            commerce=sum(day.commercial for day in days) / max(1, sum(d.examined for d in days)),
        )
