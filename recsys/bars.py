"""What may not be in a list: all that stages bar, put together once and asked in one pass."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from recsys import kernels_race
from recsys.catalog import Catalog, Idxs
from recsys.ids import Ints, Mask

NOBODY: Idxs = np.empty(0, dtype=np.int32)
NO_TIMES: Ints = np.empty(0, dtype=np.int64)
NO_MASK: Mask = np.empty(0, dtype=np.bool_)


class Bar(NamedTuple):
    """What one stage keeps out; what it leaves out bars nothing.

    Attributes
    ----------
    items, durables, videos
        Positions that may not come at all, not if they are durable products, not if videos.
    needs
        Categories of which no durable may come.
    open, closed
        Shape (n_items,). Only what is True may come; what is True may not.
    meant
        Who the person is, bits of `Audience`: what is meant for others only may not come.
    timed
        Whether what is not out yet, or has expired, may not come.
    fewer, kept
        Categories of which nothing may come but the items kept.
    """

    items: Idxs = NOBODY
    durables: Idxs = NOBODY
    videos: Idxs = NOBODY
    needs: Idxs = NOBODY
    open: Mask | None = None
    closed: tuple[Mask, ...] = ()
    meant: int | None = None
    timed: bool = False
    fewer: Idxs = NOBODY
    kept: Idxs = NOBODY


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """What all stages of one list bar together.

    Attributes
    ----------
    named, n_anywhere, n_durables
        Positions that are named: the first may not come at all, the next not if they are durable
        products, the rest not if they are videos.
    open, published_ms, expires_ms
        Shape (n_items,), or (0,) where nothing depends on them.
    meant
        −1 where nothing depends on it.
    """

    catalog: Catalog
    at_ms: int
    named: Idxs
    n_anywhere: int
    n_durables: int
    needs: Idxs
    open: Mask
    published_ms: Ints
    expires_ms: Ints
    meant: int
    closed: tuple[Mask, ...]
    fewer: tuple[tuple[Idxs, Idxs], ...]

    @classmethod
    def of(cls, bars: Iterable[Bar], catalog: Catalog, at_ms: int) -> Self:
        """All of the bars, in one."""
        bars = list(bars)
        anywhere = [bar.items for bar in bars if len(bar.items)]
        durables = [bar.durables for bar in bars if len(bar.durables)]
        videos = [bar.videos for bar in bars if len(bar.videos)]
        needs = [bar.needs for bar in bars if len(bar.needs)]
        is_timed = any(bar.timed for bar in bars)
        open_ = [bar.open for bar in bars if bar.open is not None]
        meant = [bar.meant for bar in bars if bar.meant is not None]
        return cls(
            catalog=catalog,
            at_ms=at_ms,
            named=_joined([*anywhere, *durables, *videos]),
            n_anywhere=sum(map(len, anywhere)),
            n_durables=sum(map(len, durables)),
            needs=_joined(needs),
            open=NO_MASK if not open_ else np.logical_and.reduce(open_) if open_[1:] else open_[0],
            published_ms=catalog.published_ms
            if is_timed and catalog.latest_ms > at_ms
            else NO_TIMES,
            expires_ms=catalog.expires_ms
            if is_timed and catalog.expiring_ms <= at_ms
            else NO_TIMES,
            meant=meant[0] if meant and catalog.is_for_some else -1,
            closed=tuple(mask for bar in bars for mask in bar.closed),
            fewer=tuple((bar.fewer, bar.kept) for bar in bars if len(bar.fewer)),
        )

    def removed(self, items: Idxs) -> Mask:
        """Shape (n items,). Which of the items may not come."""
        catalog = self.catalog
        removed: Mask = kernels_race.barred(
            items,
            (self.named, self.n_anywhere, self.n_durables),
            self.needs,
            (catalog.kind, catalog.durable, catalog.category, catalog.audience),
            (self.open, self.published_ms, self.expires_ms),
            self.meant,
            self.at_ms,
        )
        for mask in self.closed:
            removed |= mask[items]
        for categories, kept in self.fewer:
            is_fewer = kernels_race.among(catalog.category[items], categories)
            removed |= is_fewer & ~kernels_race.among(items, kept)
        return removed


def _joined(found: list[NDArray[np.int32]]) -> Idxs:
    if len(found) < 2:
        return found[0] if found else NOBODY
    return np.concatenate(found)
