"""What may not be in a list: all that stages bar, put together once and asked in one pass."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

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
    on_sale
        Whether only what is on sale may come.
    closed
        Shape (n_items,). What is True may not come.
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
    on_sale: bool = False
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
        anywhere, durables, videos = list[Idxs](), list[Idxs](), list[Idxs]()
        needs, closed, is_sold = list[Idxs](), list[Mask](), False
        fewer, meant, is_timed = list[tuple[Idxs, Idxs]](), -1, False
        for bar in bars:
            anywhere.append(bar.items)
            durables.append(bar.durables)
            videos.append(bar.videos)
            needs.append(bar.needs)
            closed += bar.closed
            is_timed |= bar.timed
            is_sold |= bar.on_sale
            if bar.meant is not None:
                meant = bar.meant
            if len(bar.fewer):
                fewer.append((bar.fewer, bar.kept))
        return cls(
            catalog=catalog,
            at_ms=at_ms,
            named=_joined([*anywhere, *durables, *videos]),
            n_anywhere=sum(map(len, anywhere)),
            n_durables=sum(map(len, durables)),
            needs=_joined(needs),
            open=catalog.on_sale if is_sold else NO_MASK,
            published_ms=catalog.published_ms
            if is_timed and catalog.latest_ms > at_ms
            else NO_TIMES,
            expires_ms=catalog.expires_ms
            if is_timed and catalog.expiring_ms <= at_ms
            else NO_TIMES,
            meant=meant if catalog.is_for_some else -1,
            closed=tuple(closed),
            fewer=tuple(fewer),
        )

    def removed(self, items: Idxs) -> Mask:
        """Shape (n items,). Which of the items may not come."""
        catalog = self.catalog
        removed: Mask = kernels_race.barred(
            items,
            (self.named, self.n_anywhere, self.n_durables),
            self.needs,
            (catalog.kind, catalog.durable, catalog.category, catalog.audience),
            (self.open, self.published_ms, self.expires_ms, self.at_ms),
            self.meant,
        )
        for mask in self.closed:
            removed |= mask[items]
        for categories, kept in self.fewer:
            is_fewer = kernels_race.among(catalog.category[items], categories)
            removed |= is_fewer & ~kernels_race.among(items, kept)
        return removed


def _joined(found: list[Idxs]) -> Idxs:
    found = [one for one in found if len(one)]
    if len(found) < 2:
        return found[0] if found else NOBODY
    return np.concatenate(found)
