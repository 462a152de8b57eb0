"""How a promised number of impressions is met by the end of its time, evenly on the way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

# Done a little early, so that the last hour's traffic need not be what the average was.
DONE_BY = 0.9
# Until so many impressions of anything were seen nobody knows how many there will be.
FEW, FIRST_SHARE = 200, 0.05
MOST = 0.2


class Counts(NamedTuple):
    """What screens showed since a promise began.

    Attributes
    ----------
    opportunities
        Impressions of any item.
    shown
        Impressions by item id; of who is not named there were none.
    """

    opportunities: int
    shown: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """So many impressions within a time.

    Parameters
    ----------
    begins_ms, ends_ms
        Its time, in milliseconds since 1970.
    most
        The largest share of a list it may take.
    """

    begins_ms: float
    ends_ms: float
    most: float = MOST

    def share(self, owed: float, opportunities: int, at_ms: float) -> float:
        """The share of places to give now, 0 to `most`.

        Parameters
        ----------
        owed
            Impressions still to be made.
        opportunities
            Impressions of anything so far: what traffic was tells what is left of it.
        """
        if owed <= 0 or not self.begins_ms <= at_ms < self.ends_ms:
            return 0.0
        if opportunities < FEW:
            return min(self.most, FIRST_SHARE)
        passed = max(at_ms - self.begins_ms, 1.0)
        left = max((self.ends_ms - self.begins_ms) * DONE_BY - passed, 0.0)
        expected = opportunities / passed * left
        return min(self.most, owed / expected) if expected > 0 else self.most
