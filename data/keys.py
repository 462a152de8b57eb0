"""64-bit keys of persons and events, a column at a time, the same in every process and version.

A hash of the standard library costs a microsecond a text; these cost a fifteenth. They decide
nothing between strangers: two events are the same only if person and key agree.
"""

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.ids import Ints, hash64

Keys = NDArray[np.uint64]
Idxs = NDArray[np.int32]

# Added before mixing, so that 0 is no fixed point.
STEP = np.uint64(0x9E3779B97F4A7C15)
_WORD = 8
# Small enough for a block's arrays to stay in the processor's cache.
_BLOCK = 1 << 15
# How many keys are found without a search, and how far the bits that choose a slot are up.
_SLOTS = 1 << 18
_SLOT_SHIFT = np.uint64(64 - 18)
# What to keep of a word of which only so many bytes belong to the text.
_KEEP = np.array([(1 << (8 * n_bytes)) - 1 for n_bytes in range(_WORD + 1)], dtype=np.uint64)


def mixed(values: Keys) -> Keys:
    """Every bit of the result depends on every bit of the value (the finaliser of SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def text_keys(texts: pl.Series) -> Keys:
    """The key of each text, shape (n,); a null is the empty text."""
    texts = texts.fill_null("") if texts.null_count() else texts
    blocks = [_block_keys(texts.slice(at, _BLOCK)) for at in range(0, len(texts), _BLOCK)]
    return np.concatenate([np.empty(0, dtype=np.uint64), *blocks])


def _block_keys(texts: pl.Series) -> Keys:
    """Mix the texts' words of eight bytes in, one place of all texts at a time."""
    joined = texts.str.join("").item().encode()
    # A word may begin at any byte, so the words overlap; the last one needs room behind the end.
    words = np.ndarray((len(joined) + 1,), dtype="<u8", buffer=joined + bytes(_WORD), strides=(1,))
    lengths = texts.str.len_bytes().to_numpy().astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    keys = lengths.astype(np.uint64) * STEP
    for place in range(0, int(lengths.max()), _WORD):
        rows = np.flatnonzero(lengths > place)
        left = np.minimum(lengths[rows] - place, _WORD)
        keys[rows] = mixed(keys[rows] ^ (words[starts[rows] + place] & _KEEP[left])) + STEP
    return mixed(keys)


def content_keys(events: pl.DataFrame, source: str, known: dict[str, Keys]) -> Keys:
    """The key of all that events say and of where they come from, for events without an id.

    Equal rows have equal keys; a field that says nothing adds nothing, so a column more or less
    that is empty changes no key.

    Parameters
    ----------
    known
        Keys of columns that the caller has made already, by name; none of them holds a null.
    """
    keys = np.full(events.height, hash64(f"source {source}"), dtype=np.uint64)
    for column in events.iter_columns():
        salt = np.uint64(hash64(f"field {column.name}"))
        if column.name in known:
            keys += mixed(known[column.name] ^ salt)
        elif column.null_count() < len(column):
            said = mixed(_bits(column) ^ salt)
            said[column.is_null().to_numpy()] = 0
            keys += said
    return mixed(keys)


def _bits(column: pl.Series) -> Keys:
    if column.dtype == pl.String:
        return text_keys(column)
    if column.dtype.is_float():
        return column.cast(pl.Float64).fill_null(0.0).to_numpy().view(np.uint64)
    if column.dtype == pl.UInt64:
        return column.to_numpy()
    return column.cast(pl.Int64).fill_null(0).to_numpy().view(np.uint64)


def numbered(contents: Keys) -> Keys:
    """Keys that keep equal contents apart by their ordinal among themselves."""
    in_order = np.sort(contents)
    again = np.unique(in_order[1:][in_order[1:] == in_order[:-1]])
    ordinals = np.zeros(len(contents), dtype=np.uint64)
    if len(again):
        at = np.minimum(np.searchsorted(again, contents), len(again) - 1)
        rows = np.flatnonzero(again[at] == contents)
        counted = pl.Series("content", contents[rows]).to_frame()
        nth = counted.select(pl.int_range(pl.len()).over("content"))
        ordinals[rows] = nth.to_series().to_numpy().astype(np.uint64)
    return mixed(contents + ordinals * STEP)


def _no_keys() -> Keys:
    """One key a slot, each of which belongs to the next slot: no key finds itself in its own."""
    return np.roll(np.arange(_SLOTS, dtype=np.uint64), -1) << _SLOT_SHIFT


@dataclass(slots=True)
class Met:
    """Texts met so far, known by their keys; each has the position at which it was first met.

    Of a million texts two share a key, and are taken for one, with a chance of 3e-8.
    """

    _keys: Keys = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    _positions: Idxs = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    # The last key met of each slot: most rows are found here, four times faster than by search.
    _slot_keys: Keys = field(default_factory=_no_keys)
    _slot_positions: Idxs = field(default_factory=lambda: np.zeros(_SLOTS, dtype=np.int32))

    def meet(self, keys: Keys) -> tuple[Idxs, Ints]:
        """Each row's position, and the rows that hold a text for the first time, in their order."""
        positions, fresh = [np.empty(0, dtype=np.int32)], [np.empty(0, dtype=np.int64)]
        for start in range(0, len(keys), _BLOCK):
            placed, first = self._meet(keys[start : start + _BLOCK])
            positions.append(placed)
            fresh.append(start + first)
        return np.concatenate(positions), np.concatenate(fresh)

    def _meet(self, keys: Keys) -> tuple[Idxs, Ints]:
        slots = (keys >> _SLOT_SHIFT).astype(np.int64)
        positions = self._slot_positions[slots]
        rest = np.flatnonzero(self._slot_keys[slots] != keys)
        positions[rest], fresh = self._search(keys[rest])
        self._slot_keys[slots[rest]] = keys[rest]
        self._slot_positions[slots[rest]] = positions[rest]
        return positions, rest[fresh]

    def _search(self, keys: Keys) -> tuple[Idxs, Ints]:
        at = np.searchsorted(self._keys, keys)
        known = at < len(self._keys)
        known[known] = self._keys[at[known]] == keys[known]
        positions = np.zeros(len(keys), dtype=np.int32)
        positions[known] = self._positions[at[known]]
        unknown = np.flatnonzero(~known)
        distinct, first, which = np.unique(keys[unknown], return_index=True, return_inverse=True)
        given = np.empty(len(distinct), dtype=np.int32)
        in_order = np.argsort(first)
        given[in_order] = len(self._keys) + np.arange(len(distinct))
        positions[unknown] = given[which]
        places = np.searchsorted(self._keys, distinct)
        self._keys = np.insert(self._keys, places, distinct)
        self._positions = np.insert(self._positions, places, given)
        return positions, unknown[first[in_order]]
