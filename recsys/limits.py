"""What a list is held to by what its items have in common: shares, gaps, and how many kinds."""

from dataclasses import dataclass

import numpy as np

from recsys.catalog import Catalog, Idxs, Kind
from recsys.ids import Mask
from recsys.kernels_place import (
    APART,
    AT_LEAST,
    AT_MOST,
    DISTINCT,
    IN_A_ROW,
    LEVEL,
    N_LIMITS,
    NEVER,
)

# Limits on places are said of a list of so many.
PER = 20
NO_LIMIT = 10_000
PRODUCT, N_KINDS = int(Kind.PRODUCT), len(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a list is held to, by what some of its items have in common.

    Parameters
    ----------
    name
        What notes call it.
    by
        A column of the catalogue whose values are labels, 0 being none; or "" for `members`.
    members
        Shape (n_items,). Which items are meant, where it is not a column.
    kinds
        Which kinds it is about.
    apart, in_a_row
        Others between two of one label at least; of one label side by side at most.
    share, at_most
        Of a list, and of 20 places: most for one label.
    at_least
        Places of 20 for `members` at least.
    distinct
        Different labels of 20 at least.
    level
        What is given up first where candidates do not allow all: the lowest. `NEVER`: never.
    """

    name: str
    by: str = ""
    members: Mask | None = None
    kinds: tuple[Kind, ...] = tuple(Kind)
    apart: int = 0
    in_a_row: int = NO_LIMIT
    share: float = 1.0
    at_most: int = NO_LIMIT
    at_least: int = 0
    distinct: int = 0
    level: int = 2

    def labels(self, items: Idxs, catalog: Catalog) -> Idxs:
        """Shape (n items,). What each has in common with others; 0 where that is nothing."""
        if self.members is not None:
            column = self.members[items]
        elif self.by == "commercial":
            column = (catalog.kind[items] == PRODUCT) | catalog.ad[items]
        else:
            column = getattr(catalog, self.by)[items]
        found = column.astype(np.int32, copy=False)
        if len(self.kinds) == N_KINDS:
            return found
        return np.where(catalog.kind[items] == int(self.kinds[0]), found, 0)

    def column(self, k: int) -> list[int]:
        """The limits of a list of k, as the kernel has them.

        What is never given up is rounded down, so that it holds of every list.
        """
        most = min(int(self.share * k + 1e-9), self.at_most * k // PER)
        if self.level < NEVER and self.at_most > 0:
            most = max(1, most)
        found = [0] * N_LIMITS
        found[APART], found[IN_A_ROW], found[LEVEL] = self.apart, self.in_a_row, self.level
        found[AT_MOST], found[AT_LEAST] = most, self.at_least * k // PER
        found[DISTINCT] = self.distinct * k // PER
        return found
