"""The answering half of models that leave, for each item, those it speaks for."""

from dataclasses import dataclass, field
from typing import ClassVar

from recsys.catalog import Idxs, Kind
from recsys.interactions import Row, Rows
from recsys.models.base import Because, Ranking, Scores, check_fitted
from recsys.models.lists import ListsByKind


@dataclass(kw_only=True, slots=True, eq=False)
class ByNeighbours:
    """Answers with the weighted sum of the lists of a row's items.

    Attributes
    ----------
    neighbours_
        For each item those of each kind that it speaks for, and how much.
    max_keys
        A request reads the lists of so many of a person's items, the strongest.
    """

    neighbours_: ListsByKind = field(init=False, repr=False)
    is_personal: ClassVar[bool] = True
    max_keys: ClassVar[int] = 200

    def score(self, rows: Rows) -> Scores:
        """Sum of what the row's items add."""
        check_fitted(self)
        return self.neighbours_.scores(rows)

    def candidates(self, row: Row, k: int, within: Kind | None) -> Ranking:
        """The best of the neighbours of the row's strongest items."""
        check_fitted(self)
        return self.neighbours_.ranking(row.strongest(self.max_keys), k, within)

    def score_of(self, row: Row, items: Idxs) -> Scores:
        """As `candidates` scores them."""
        check_fitted(self)
        return self.neighbours_.score_of(row.strongest(self.max_keys), items)

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """The row's item that adds most."""
        check_fitted(self)
        keys = self.neighbours_.strongest_keys(row.strongest(self.max_keys), items)
        return [None if key is None else Because(item_idx=key) for key in keys]
