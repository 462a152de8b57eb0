"""Shops in which one setting is known to matter, and a task whose best values are known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np

from data.home import Home
from data.record import Record
from recsys.catalog import Item, Kind
from recsys.errors import ConfigError
from recsys.events import Event, EventType
from tests.training.planted_home import START
from training.cycle import collect
from training.space import Knob, KnobPath, Range, Value
from training.study import Floats

N_DAYS, N_PEOPLE, N_ITEMS = 24, 90, 80


def shop_of(
    root: Path,
    *,
    taste: Callable[[int, int], int],
    tag: Callable[[int], str],
    is_dated: bool = True,
) -> Home:
    """People who on most days order two products of the taste they then have.

    Parameters
    ----------
    taste
        Of a person on a day: 0 or 1; products of odd numbers are of taste 1.
    tag
        Of a product.
    """
    rng, found = np.random.default_rng(3), []
    for day in range(N_DAYS):
        for person in range(N_PEOPLE):
            numbers = 2 * rng.integers(0, N_ITEMS // 2, size=2) + taste(person, day)
            if rng.random() < 0.6:
                found += [_order(person, day, number, is_dated) for number in set(numbers.tolist())]
    home = Home(root)
    home.root.mkdir()
    record = Record.open(home.record_path)
    record.put_items(
        [
            Item(
                item_id=f"item-{1000 + n}",
                kind=Kind.PRODUCT,
                title=f"商品{n}",
                tags=(tag(n),),
                durable=False,
            )
            for n in range(N_ITEMS)
        ],
        at=START,
    )
    record.append(found, received_at=START + timedelta(days=N_DAYS))
    record.close()
    collect(home)
    return home


def _order(person: int, day: int, number: int, is_dated: bool) -> Event:
    at = START + timedelta(days=day, hours=8, minutes=person)
    return Event(
        event_id=f"order-{person}-{day}-{number}",
        user_id=f"user-{5000 + person}",
        item_id=f"item-{1000 + number}",
        type=EventType.ORDER,
        at=at if is_dated else None,
        quantity=1,
        order_id=f"order-{person}-{day}",
    )


def hill_knobs() -> list[Knob]:
    """Knobs of three blocks; what is best of them is in `Hill`."""
    return [
        Knob(
            path=("lists", "near"),
            block="lists",
            value=1.0,
            allowed=Range(low=0.01, high=100, is_log=True),
        ),
        Knob(path=("lists", "idle"), block="lists", value=0.5, allowed=Range(low=0, high=1)),
        Knob(
            path=("models", "a", "size"),
            block="models.a",
            value=16,
            allowed=Range(low=4, high=64, is_log=True, is_whole=True),
        ),
    ]


@dataclass(eq=False)
class Hill:
    """Best where `near` is 10 and `size` 8; `idle` does nothing; sizes above 50 do not work.

    Persons differ, but a configuration changes them almost alike.
    """

    n_persons: int = 120
    knobs: Sequence[Knob] = field(default_factory=hill_knobs)
    n_learned: int = 0

    @property
    def searched(self) -> Sequence[int]:
        return range(self.n_persons)

    @property
    def apart(self) -> Sequence[int]:
        return range(self.n_persons, self.n_persons + 40)

    def answering(self, found: Mapping[KnobPath, Value]) -> Callable[[Sequence[int]], Floats]:
        self.n_learned += 1
        at = {knob.path: found.get(knob.path, knob.value) for knob in self.knobs}
        near, _, size = (float(at[knob.path]) for knob in self.knobs)
        if size > 50:
            raise ConfigError("size is too large")
        height = 1 - np.log10(near / 10) ** 2 / 4 - np.log2(size / 8) ** 2 / 40
        rng = np.random.default_rng(int(1e6 * height) % 1_000)

        def ask(persons: Sequence[int]) -> Floats:
            level = np.sin(np.array(persons, dtype=np.float64))
            return height + level + 0.1 * rng.standard_normal(len(persons))

        return ask

    def confirming(self, found: Mapping[KnobPath, Value]) -> Callable[[Sequence[int]], Floats]:
        return self.answering(found)
