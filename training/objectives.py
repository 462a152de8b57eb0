"""What a list brought about, in gains: the stated objective of a scene, act by act."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recsys.catalog import Catalog, Idxs
from recsys.events import EventType
from recsys.facts import LIKES, prices
from recsys.histories import History
from recsys.interactions import Taste, Weighting
from recsys.pipeline import OBJECTIVES

Floats = NDArray[np.float64]
# A play counts as watched if it was longer than half of the plays of similarly long videos.
WATCHED_STRENGTH = 0.5
CLICKS = frozenset({EventType.PLAY, EventType.VIEW, EventType.CHOOSE, EventType.TRY_ON})


@dataclass(frozen=True, slots=True, eq=False)
class Valued:
    """How acts become gains; the same for every scene.

    Attributes
    ----------
    worth
        Shape (n_items,). What one order of an item brings, as a multiple of what the median product
        costs; 1 where the price is not known.
    """

    taste: Taste
    worth: Floats

    @classmethod
    def of(cls, taste: Taste, catalog: Catalog) -> Self:
        """With the prices of a catalogue."""
        price = np.expm1(prices(catalog))
        known = price[price > 0]
        usual = float(np.median(known)) if len(known) else 1.0
        return cls(taste, np.where(price > 0, price, usual) / usual)

    def gains(
        self, acts: History, objective: Mapping[str, float], until_ms: int
    ) -> tuple[Idxs, Floats]:
        """The items of a person's later acts, ascending, and what each brought.

        An act counts once an item, however often it was done; what was given back brought nothing.

        Parameters
        ----------
        objective
            The gain of each act, by the words of `OBJECTIVES`; others count nothing here.
        until_ms
            Up to when orders may have been given back.
        """
        acts = acts.take(~acts.undone(until_ms))
        items, where = np.unique(acts.item, return_inverse=True)
        gains = np.zeros(len(items))
        for word in OBJECTIVES:
            gain = objective.get(word, 0.0)
            done = np.bincount(where, self._is(word, acts, until_ms), len(items)) > 0
            gains += gain * done * (self.worth[items] if word == "value" else 1.0)
        return items.astype(np.int32), gains

    def _is(self, word: str, acts: History, until_ms: int) -> NDArray[Any]:
        """Which acts are of a word of the objective."""
        if word == "watch":
            plain = Weighting(
                by_type={EventType.PLAY: 1.0}, half_life_days=0, watch=self.taste.weighting.watch
            )
            return plain.of_events(acts, self.taste.video_s, until_ms) >= WATCHED_STRENGTH
        types = {"click": CLICKS, "like": LIKES}.get(word, frozenset({EventType.ORDER}))
        return np.isin(acts.type, list(types))
