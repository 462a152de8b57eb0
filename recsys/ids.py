"""Outside strings ↔ inside positions, as flat arrays that can be memory-mapped.

A dict of a million entries costs a worker 100 MB and a second at start; sorted hashes cost nothing
until they are read.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


def hash64(text: str) -> int:
    """A stable 64-bit hash of a text, the same in every process and version."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


# A mark tells 1 id from 2^24: enough to leave out what was shown, small enough to be sent along.
MARK_BITS = 24


def mark_of(text: str) -> int:
    """The first 24 bits of an id's hash: what a caller carries of items already shown."""
    return hash64(text) >> (64 - MARK_BITS)


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """Many texts in two arrays, read one at a time.

    Attributes
    ----------
    blob
        All texts as UTF-8, one behind the other.
    offsets
        Shape (n + 1,). Text i is `blob[offsets[i]:offsets[i + 1]]`.
    """

    blob: NDArray[np.uint8]
    offsets: Ints

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """The texts in the order given."""
        parts = [text.encode() for text in texts]
        offsets = np.zeros(len(parts) + 1, dtype=np.int64)
        np.cumsum([len(part) for part in parts], out=offsets[1:])
        return cls(np.frombuffer(b"".join(parts), dtype=np.uint8), offsets)

    def __len__(self) -> int:
        """How many texts there are."""
        return len(self.offsets) - 1

    def raw(self, idx: int) -> bytes:
        """Text `idx` as UTF-8."""
        return self.blob[self.offsets[idx] : self.offsets[idx + 1]].tobytes()

    def __getitem__(self, idx: int) -> str:
        """Text `idx`."""
        return self.raw(idx).decode()

    def all(self) -> list[str]:
        """Every text, in order; for offline work."""
        whole, ends = self.blob.tobytes(), self.offsets.tolist()
        return [whole[a:b].decode() for a, b in zip(ends, ends[1:], strict=False)]


@dataclass(frozen=True, slots=True, eq=False)
class IdMap:
    """Outside ids and their positions 0 … n − 1, in the order first given.

    Attributes
    ----------
    texts
        The ids by position.
    hashes
        Shape (n,), sorted. The 64-bit hash of each id.
    order
        Shape (n,). `order[j]` is the position whose hash is `hashes[j]`.
    """

    texts: Texts
    hashes: NDArray[np.uint64]
    order: Ints

    @classmethod
    def of(cls, ids: Sequence[str]) -> Self:
        """A map of distinct ids; a repeated id is a programmer's mistake (ValueError)."""
        if len(set(ids)) != len(ids):
            raise ValueError("ids repeat; an IdMap needs each id once")
        hashes = np.fromiter((hash64(one) for one in ids), dtype=np.uint64, count=len(ids))
        order = np.argsort(hashes, kind="stable")
        return cls(Texts.of(ids), hashes[order], order.astype(np.int64))

    def __len__(self) -> int:
        """How many ids there are."""
        return len(self.order)

    def __getitem__(self, idx: int) -> str:
        """The outside id at position `idx`."""
        return self.texts[idx]

    def find(self, outside_id: str) -> int | None:
        """The position of an outside id, or None if it is not here."""
        key = np.uint64(hash64(outside_id))
        j = int(np.searchsorted(self.hashes, key))
        while j < len(self.hashes) and self.hashes[j] == key:
            if self.texts[int(self.order[j])] == outside_id:
                return int(self.order[j])
            j += 1
        return None

    def find_all(self, outside_ids: Iterable[str]) -> Ints:
        """The positions of those ids that are here, in the order asked; the others are left out."""
        positions, known = self.look_up(list(outside_ids))
        return positions[known]

    def look_up(self, outside_ids: Sequence[str]) -> tuple[Ints, Mask]:
        """For each id its position, and whether it is here at all.

        Works on hashes alone, as `translate` does.

        Returns
        -------
        Positions, shape (len(outside_ids),), to be read only where the mask, same shape, is true.
        """
        n = len(outside_ids)
        if n == 0 or len(self) == 0:
            return np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.bool_)
        wanted = np.fromiter((hash64(one) for one in outside_ids), dtype=np.uint64, count=n)
        at = np.minimum(np.searchsorted(self.hashes, wanted), len(self) - 1)
        return self.order[at], self.hashes[at] == wanted

    def marked(self, marks: Sequence[int]) -> Ints:
        """The positions of all ids that have one of these marks, in no order."""
        if len(marks) == 0:
            return np.empty(0, dtype=np.int64)
        shift = np.uint64(64 - MARK_BITS)
        lowest = np.array(marks, dtype=np.uint64) << shift
        starts = np.searchsorted(self.hashes, lowest)
        highest = lowest | ((np.uint64(1) << shift) - np.uint64(1))
        counts = np.searchsorted(self.hashes, highest, side="right") - starts
        before = np.cumsum(counts) - counts
        found: Ints = self.order[np.repeat(starts - before, counts) + np.arange(counts.sum())]
        return found

    def translate(self, other: "IdMap") -> tuple[Ints, Mask]:
        """For every position of `other`: its position here, and whether it is here at all.

        Works on hashes alone, so a million ids take a fraction of a second; for two maps of a
        million ids the chance of one false match is 5e-8.

        Returns
        -------
        Positions, shape (len(other),), to be read only where the mask, same shape, is true.
        """
        positions = np.zeros(len(other), dtype=np.int64)
        known = np.zeros(len(other), dtype=np.bool_)
        if len(self) == 0:
            return positions, known
        at = np.minimum(np.searchsorted(self.hashes, other.hashes), len(self) - 1)
        positions[other.order] = self.order[at]
        known[other.order] = self.hashes[at] == other.hashes
        return positions, known
