"""Chance that belongs to a person, a thing and a day, whatever was done before.

Lives of one world then differ by what a shop does and not by luck: who would have bought this
today buys it in each of them, if it is there (common random numbers; A. Law, "Simulation Modeling
and Analysis", 5th edition, 2015, section 11.2).
"""

from dataclasses import dataclass
from enum import IntEnum, auto

import numpy as np

from data.keys import STEP, mixed
from training.sample_goods import Ints
from training.simulation.market import Floats


class Lot(IntEnum):
    """What is drawn; no two of them have anything to do with each other."""

    GOES_ON = auto()
    WATCHES = auto()
    OPENS = auto()
    TAKES_CARD = auto()
    TAKES_NONE = auto()
    BUYS = auto()
    SEARCHES = auto()
    WANTS = auto()
    FINDS = auto()
    STAYS = auto()
    DISLIKES = auto()
    GIVES_BACK = auto()
    GIVES_BACK_LATE = auto()
    IS_SHOWN = auto()
    # One more for each type of reaction, so nothing stands behind it.
    REACTS = 100


@dataclass(frozen=True, slots=True)
class Luck:
    """All luck of one life; another seed is other luck."""

    seed: int

    def even(self, lot: int, day: float, *of: Ints) -> Floats:
        """Numbers between 0 and 1, never either; for positions whose shapes are broadcast.

        Parameters
        ----------
        day
            In days since 1970; its fraction says nothing.
        of
            Whose and of what, each from 0.
        """
        start = np.array([self.seed, lot, int(day)], dtype=np.uint64)
        bits = np.zeros((), dtype=np.uint64)
        with np.errstate(over="ignore"):
            for part in (*start, *of):
                bits = mixed((bits ^ np.asarray(part).astype(np.uint64)) + STEP)
        # Of 64 bits 53 are told apart; half of one more keeps 0 and 1 out.
        return ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53

    def logistic(self, lot: int, day: float, *of: Ints) -> Floats:
        """About 0, of scale 1: noise on a utility that is compared with doing nothing."""
        share = self.even(lot, day, *of)
        return np.log(share) - np.log1p(-share)

    def gumbel(self, lot: int, day: float, *of: Ints) -> Floats:
        """Of scale 1: noise on utilities of which the largest is chosen."""
        found: Floats = -np.log(-np.log(self.even(lot, day, *of)))
        return found

    def exponential(self, lot: int, day: float, *of: Ints) -> Floats:
        """Of mean 1."""
        found: Floats = -np.log(self.even(lot, day, *of))
        return found
