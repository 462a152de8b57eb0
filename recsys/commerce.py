"""What a video's products, coupons, and commissions may do to the order of a list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recsys.catalog import Catalog, Idxs, Kind
from recsys.histories import History
from recsys.ids import Mask
from recsys.offers import coupons_on

# Models whose opinion of a video is about the products on its cards.
ABOUT_CARDS = frozenset({"cards"})


def void_opinions(items: Idxs, models: Sequence[str], catalog: Catalog) -> Mask | None:
    """Shape (n models, n items). What says nothing any more; None if all of it still does.

    A video of whose products none is on sale has nothing to sell: what speaks for its products
    speaks for it no more, what speaks for the video does.
    """
    places = [place for place, model in enumerate(models) if model in ABOUT_CARDS]
    if not places or len(catalog.cards.targets) == 0:
        return None
    owners, products = catalog.cards.rows(items)
    is_gone = np.zeros(len(items), dtype=np.bool_)
    is_gone[owners] = True
    is_gone[owners[catalog.on_sale[products]]] = False
    if not is_gone.any():
        return None
    void = np.zeros((len(models), len(items)), dtype=np.bool_)
    void[places] = is_gone
    return void


@dataclass(frozen=True, slots=True, kw_only=True)
class Lean:
    """What commissions did to one list.

    Parameters
    ----------
    moved
        How many items of the list stand elsewhere because of it, or would not be in it.
    loss
        The most that relevance was given up for it: of any two items that changed places, how far
        apart their scores were, as a share of the distance from the best to the last of the list.
    """

    moved: int
    loss: float


NO_LEAN = Lean(moved=0, loss=0.0)
# A product with a coupon passes others whose scores are no further from its own than this share of
# the distance from the best product to the last of the list.
TIE = 0.05
# What passes its exact equal where all are equal.
LEAST_TIE = 1e-9


class Ordered(Protocol):
    """Items with scores."""

    @property
    def items(self) -> Idxs:
        """Shape (n,)."""

    @property
    def scores(self) -> NDArray[np.float64]:
        """Shape (n,)."""


class Asked(Protocol):
    """For whom, when and how long a list is."""

    @property
    def history(self) -> History:
        """What the person did."""

    @property
    def at_ms(self) -> int:
        """The moment."""

    @property
    def k(self) -> int:
        """How many places."""


def leaning(
    ordered: Ordered, catalog: Catalog, may_lose: float, k: int
) -> tuple[NDArray[np.float64], Lean]:
    """Scores in which a higher commission breaks ties among products, and what that did.

    Two products change places only if their scores differ by no more than `may_lose` times the
    distance from the best product to the k-th: what the commission adds is never more than that.
    """
    items, scores = ordered.items, ordered.scores
    if may_lose == 0:
        return scores, NO_LEAN
    places = np.flatnonzero(catalog.kind[items] == Kind.PRODUCT)
    rate = catalog.commission_bp[items[places]].astype(np.float64)
    before = scores[places]
    if len(places) < 2 or not rate.any():
        return scores, NO_LEAN
    falling = -np.sort(-before)
    reach = falling[0] - falling[min(k, len(falling)) - 1]
    after = before + may_lose * reach * rate / rate.max()
    found = scores.copy()
    found[places] = after
    return found, _told(before, after, reach, k)


def favoured(
    ordered: Ordered, scores: NDArray[np.float64], catalog: Catalog, asked: Asked
) -> NDArray[np.float64]:
    """Scores in which a coupon that the person may use now breaks ties among products."""
    coupons = coupons_on(ordered.items, catalog.campaigns, asked.history, asked.at_ms)
    if not coupons:
        return scores
    falling = -np.sort(-scores[catalog.kind[ordered.items] == Kind.PRODUCT])
    reach = falling[0] - falling[min(asked.k, len(falling)) - 1] if len(falling) else 0.0
    has_one = np.isin(ordered.items, list(coupons))
    return np.where(has_one, scores + max(TIE * reach, LEAST_TIE), scores)


def _told(before: NDArray[np.float64], after: NDArray[np.float64], reach: float, k: int) -> Lean:
    first, then = (np.argsort(-one, kind="stable")[:k] for one in (before, after))
    moved = int((first != then).sum())
    # An item stands above another that was better before: the best of those below it tells most.
    best_below = np.maximum.accumulate(before[then][::-1])[::-1]
    given_up = float((best_below - before[then]).max(initial=0.0))
    return Lean(moved=moved, loss=given_up / float(reach) if reach > 0 else 0.0)
