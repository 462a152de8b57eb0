"""Whether rankers are asked what they learned to answer: features of served lists, made anew."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from data.home import Home
from data.record import Record
from recsys.bundle import Bundle
from recsys.events import EventType, ServedList, millis
from recsys.features import Values
from recsys.histories import History
from recsys.lookback import kept_values, values_again
from training.shop import MAX_LISTS, Shop, load

# Differences below this share of a value are those of adding up in another order.
TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSkew:
    """How one feature differs.

    Parameters
    ----------
    share
        Of its values, how many differ.
    largest
        The largest difference; NaN where only one side was known.
    """

    name: str
    share: float
    largest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SkewReport:
    """Features as they were when lists were made, against the same made anew.

    Parameters
    ----------
    n_lists, n_values
        What was compared; lists of other bundles are left out.
    share
        Of the values, how many differ.
    features
        Those that differ, the most frequent first.
    """

    n_lists: int
    n_values: int
    share: float
    features: tuple[FeatureSkew, ...]

    @classmethod
    def of(cls, pairs: Sequence[tuple[Values, Values]], names: Sequence[str]) -> Self:
        """From each list's features then and now, shape (n items, n features) each."""
        if not pairs:
            return cls(n_lists=0, n_values=0, share=0.0, features=())
        then, now = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
        gap = np.abs(then.astype(np.float64) - now)
        differs = gap > TOLERANCE * np.maximum(1, np.abs(then))
        differs |= np.isnan(then) != np.isnan(now)
        found = [
            FeatureSkew(
                name=name,
                share=float(differs[:, place].mean()),
                largest=_largest(gap[differs[:, place], place]),
            )
            for place, name in enumerate(names)
            if differs[:, place].any()
        ]
        return cls(
            n_lists=len(pairs),
            n_values=int(then.size),
            share=float(differs.mean()),
            features=tuple(sorted(found, key=lambda one: -one.share)),
        )

    def plain(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "lists": self.n_lists,
            "values": self.n_values,
            "share": self.share,
            "features": [
                {"name": one.name, "share": one.share, "largest": one.largest}
                for one in self.features
            ],
        }


def _largest(gaps: "np.ndarray[Any, np.dtype[np.float64]]") -> float:
    known = gaps[~np.isnan(gaps)]
    return float(known.max()) if len(known) else float("nan")


def skew(home: Home, bundle: Bundle) -> SkewReport:
    """How the features of the lists served last differ from what the histories now say.

    Events that came late, or that a worker had not read, are differences; so is whatever offline
    code does in another way than a service.

    Raises
    ------
    ConfigError
        There are no items or no events yet.
    StoreUnavailable
        The record cannot be read.
    """
    shop = load(home)
    record = Record.of(home)
    try:
        lists = record.newest_served(MAX_LISTS)
    finally:
        record.close()
    return compared(lists, shop, bundle)


def compared(lists: Sequence[ServedList], shop: Shop, bundle: Bundle) -> SkewReport:
    """The same for given lists; those of other bundles and those without features are left out."""
    pairs: list[tuple[Values, Values]] = []
    names: list[str] = []
    for served in lists:
        if served.looked_at is None or served.bundle != bundle.bundle_id:
            continue
        history = _until(shop, served, bundle)
        pairs.append((kept_values(served.looked_at), values_again(served, history, bundle)))
        names = bundle.rankers[served.scene].names.all()
    return SkewReport.of(pairs, names)


def _until(shop: Shop, served: ServedList, bundle: Bundle) -> History:
    """A person's acts up to a list, in the positions of the bundle's catalogue."""
    if served.user_id is None:
        return History.empty()
    events = shop.of_user(served.user_id)
    events = events.take(
        (events.at_ms <= millis(served.at)) & (events.type != EventType.IMPRESSION)
    )
    positions, is_known = bundle.catalog.ids.translate(shop.catalog.ids)
    events = events.take(is_known[events.item])
    return replace(events, item=positions[events.item].astype(np.int32))
