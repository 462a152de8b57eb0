"""Lists of different length in two flat arrays, as tags of items and cards of videos are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recsys.ids import Ints


def spans(offsets: Ints, keys: NDArray[Any]) -> tuple[Ints, Ints]:
    """Where the entries of some keys stand, one key behind the other, and how many each has."""
    starts = offsets[keys]
    lengths = offsets[keys + 1] - starts
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(starts - ends + lengths, lengths), lengths


@dataclass(frozen=True, slots=True, eq=False)
class Links:
    """Lists of different length in two arrays: row i is `targets[offsets[i]:offsets[i + 1]]`."""

    offsets: Ints
    targets: NDArray[np.int32]

    @classmethod
    def of(cls, rows: Iterable[Sequence[int] | NDArray[Any]]) -> Self:
        """The rows in the order given."""
        parts = [np.asarray(row, dtype=np.int32) for row in rows]
        offsets = np.zeros(len(parts) + 1, dtype=np.int64)
        np.cumsum([len(part) for part in parts], out=offsets[1:])
        return cls(offsets, np.concatenate(parts) if parts else np.empty(0, dtype=np.int32))

    def row(self, idx: int) -> NDArray[np.int32]:
        """The targets of row `idx`."""
        return self.targets[self.offsets[idx] : self.offsets[idx + 1]]

    def rows(self, idxs: NDArray[Any]) -> tuple[Ints, NDArray[np.int32]]:
        """The targets of several rows, one behind the other, and for each which row it is of.

        Returns
        -------
        Owners, shape (n targets,), counting from 0 in the order of `idxs`; and the targets.
        """
        at, lengths = spans(self.offsets, idxs)
        return np.repeat(np.arange(len(lengths), dtype=np.int64), lengths), self.targets[at]

    def turned(self, n_rows: int) -> "Links":
        """Row j lists every i that linked to j; `n_rows` counts the targets' space."""
        sources = np.repeat(np.arange(len(self.offsets) - 1, dtype=np.int32), np.diff(self.offsets))
        order = np.argsort(self.targets, kind="stable")
        offsets = np.zeros(n_rows + 1, dtype=np.int64)
        np.cumsum(np.bincount(self.targets, minlength=n_rows), out=offsets[1:])
        return Links(offsets, sources[order])
