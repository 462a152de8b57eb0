"""Items newer than the bundle: models do not know them, their tags, creators and cards speak."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recsys.candidates import Candidates, among
from recsys.catalog import Catalog, Idxs, Kind
from recsys.histories import History
from recsys.ids import Ints
from recsys.interactions import DAY_MS, Row
from recsys.kernels_place import seating
from recsys.models.base import Because
from recsys.models.creators import trust
from recsys.pipeline import VIDEOS_FIRST, Context, Course, Floats, Pipeline, Placed, Source

# The newest so many race; the others are in histories and on cards, and wait for the next bundle.
MAX_RACING = 2_000
# Stages are asked about so many of them, those that fit best.
KEPT = 200
HALF_LIFE_DAYS = 4.0
# What a shared category, full trust in the creator and a card count, where a shared rare tag
# counts 1.
CATEGORY, CREATOR, CARD = 0.5, 2.0, 1.0
# Of its kind's seats new items get every fifth from the third on, best fit first; where nothing
# speaks for any, every tenth from the seventh on, so that one is on a page of 20 also where others
# have claims to seats.
FIRST_SEAT, EVERY = 2, 5
FIRST_UNFIT, EVERY_UNFIT = 6, 10
SOURCE = "new"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Fresh:
    """The items that stand behind the bundle's in a catalogue, and how well each fits a row.

    It answers as a personal model does, so that reasons can be asked of it.

    Attributes
    ----------
    n_known
        Positions below are the bundle's.
    items
        Shape (n,). Positions of the new items that race, newest first.
    owners, tags
        Shape (n entries,). Place in `items`, and a tag of it.
    worth
        Shape (n tags,). How rare each tag is, 0 to 1.
    link_owners, linked
        Shape (n links,). Place in `items`, and what it shows or is shown by.
    """

    catalog: Catalog
    n_known: int
    items: Idxs
    owners: Ints
    tags: Idxs
    worth: Floats
    link_owners: Ints
    linked: Idxs
    is_personal: ClassVar[bool] = True

    @classmethod
    def of(cls, catalog: Catalog, n_known: int, tag_counts: Ints) -> Self:
        """The new items of a catalogue.

        Parameters
        ----------
        tag_counts
            Shape (n tags of the bundle,). How many of the bundle's items carry each.
        """
        new = np.arange(n_known, len(catalog), dtype=np.int32)
        # Published at no known time means now: a shop that puts an item in wants it seen.
        published = catalog.published_ms[new]
        order = np.argsort(np.where(published == 0, -np.inf, -published), kind="stable")
        items = new[order][:MAX_RACING]
        owners, tags = catalog.tags.rows(items)
        counts = np.zeros(len(catalog.tag_names))
        counts[: len(tag_counts)] = tag_counts
        # Of a shop that is all new, too, a tag is worth something.
        worth = np.log1p(len(catalog) / (1 + counts)) / np.log1p(len(catalog) + 1)
        links = [catalog.cards.rows(items), catalog.shown_by.rows(items)]
        return cls(
            catalog=catalog,
            n_known=n_known,
            items=items,
            owners=owners,
            tags=tags,
            worth=worth,
            link_owners=np.concatenate([one for one, _ in links]),
            linked=np.concatenate([one for _, one in links]),
        )

    def known(self, history: History) -> History:
        """The part of a history that models may be asked with."""
        is_known = history.item < self.n_known
        return history if is_known.all() else history.take(is_known)

    def stand_ins(self, items: NDArray[Any]) -> Idxs:
        """Those of some items that models know, and for new ones what they show or are shown by."""
        new = items[items >= self.n_known]
        catalog = self.catalog
        linked = [catalog.cards.rows(new)[1], catalog.shown_by.rows(new)[1]] if len(new) else []
        found = np.concatenate([items, *linked]).astype(np.int32)
        return np.unique(found[found < self.n_known]).astype(np.int32)

    def fits(self, row: Row) -> Floats:
        """Shape (n items,). How well each new item fits; 0 and below where nothing speaks for it.

        The share of the row's weight that shares a tag, times its rarity, summed over tags; a
        category, the creator and cards add to it.
        """
        scores = np.zeros(len(self.items))
        total = float(np.abs(row.weights).sum())
        if total == 0:
            return scores
        shares = row.weights / total
        parts = self._tag_parts(row, shares)[self.tags]
        scores += np.bincount(self.owners, weights=parts, minlength=len(scores))
        own = np.searchsorted(row.items, self.linked)
        is_own = among(self.linked, row.items)
        cards = self.link_owners[is_own], shares[own[is_own]]
        scores += CARD * np.bincount(cards[0], weights=cards[1], minlength=len(scores))
        category, creator = self.catalog.category, self.catalog.creator
        weights = np.bincount(category[row.items], weights=shares)
        weights[0] = 0
        mine = category[self.items]
        has_any = mine < len(weights)
        scores[has_any] += CATEGORY * weights[mine[has_any]]
        # Who is trusted is trusted whatever else the person likes: no share of it all.
        scores += CREATOR * trust(row, creator, len(self.catalog.creators))[creator[self.items]]
        return scores

    def _tag_parts(self, row: Row, shares: NDArray[Any]) -> Floats:
        """Shape (n tags,). What an item's tag adds to how well it fits."""
        owners, tags = self.catalog.tags.rows(row.items)
        found: Floats = self.worth * np.bincount(
            tags, weights=shares[owners], minlength=len(self.worth)
        )
        return found

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """What of the row speaks most: an item on a card, else the tag that adds most."""
        parts, liked = self._tag_parts(row, row.weights), row.items[row.weights > 0]
        return [self._because(parts, liked, item_idx) for item_idx in items.tolist()]

    def _because(self, parts: Floats, liked: Idxs, item_idx: int) -> Because | None:
        catalog = self.catalog
        linked = np.concatenate([catalog.cards.row(item_idx), catalog.shown_by.row(item_idx)])
        own = linked[among(linked, liked)]
        if len(own):
            return Because(item_idx=int(own[0]))
        tags = catalog.tags.row(item_idx)
        best = max(tags.tolist(), key=lambda tag: float(parts[tag]), default=None)
        return None if best is None or parts[best] <= 0 else Because(tag_idx=best)

    def joined(self, placed: Placed, row: Row, course: Course) -> Placed:
        """The list with new items seated in it, each kind's among its own; never longer than k.

        Beside an order, a cart or an item, what fits is what fits the basket; what a video beside
        the list sells keeps the first seats.

        Parameters
        ----------
        row
            The whole of the person's row, new items included.

        Returns
        -------
        Candidates with one more row of parts, that of the source `SOURCE`, behind the others.
        """
        pipeline, context, old = course.pipeline, course.context, placed.candidates
        old = replace(old, parts=np.vstack([old.parts, np.zeros((1, len(old)))]))
        asked = context.basket if row_of(pipeline) == "basket" else row
        new = course.allowed(self._candidates(asked, context, len(pipeline.sources)))
        kinds = context.kinds
        sold = self.catalog.cards.rows(context.basket.items)[1]
        races = {
            kind: seated(self._of_kind(old, kind), self._of_kind(new, kind), sold) for kind in kinds
        }
        return replace(placed, candidates=place(races, pipeline.video_share, context.k))

    def _of_kind(self, candidates: Candidates, kind: Kind) -> Candidates:
        return candidates.take(np.flatnonzero(self.catalog.kind[candidates.items] == kind))

    def _candidates(self, row: Row, context: Context, n_sources: int) -> Candidates:
        """New items that are out, best fit first; what nothing speaks for has no part."""
        published = self.catalog.published_ms[self.items]
        age_days = np.where(published == 0, 0, context.at_ms - published) / DAY_MS
        fits = np.maximum(self.fits(row), 0) * np.exp2(-np.maximum(age_days, 0) / HALF_LIFE_DAYS)
        order = np.argsort(-fits, kind="stable")
        # So many that stages can take those away that were shown, and lists can still be filled.
        n_kept = KEPT + int((context.excluded >= self.n_known).sum())
        order = order[age_days[order] >= 0][:n_kept]
        parts = np.zeros((n_sources + 1, len(order)))
        parts[-1] = fits[order]
        return Candidates(self.items[order], fits[order], parts)


def seated(old: Candidates, new: Candidates, sold: Idxs) -> Candidates:
    """One kind's list with new items at their seats; the old ones keep their order.

    Parameters
    ----------
    sold
        What stands on cards beside the list: new items take seats behind it.
    """
    n_first = int(among(old.items, sold).sum())
    n_fit = int((new.scores > 0).sum())
    first, every = (FIRST_SEAT, EVERY) if n_fit else (FIRST_UNFIT, EVERY_UNFIT)
    waiting = iter(range(len(old), len(old) + (n_fit or len(new))))
    places: list[int] = []
    for one in range(len(old)):
        if len(places) >= n_first and (len(places) - n_first) % every == first:
            places += itertools.islice(waiting, 1)
        places.append(one)
    places += (*waiting, *range(len(old) + (n_fit or len(new)), len(old) + len(new)))
    both = Candidates(
        np.concatenate([old.items, new.items]),
        np.concatenate([old.scores, new.scores]),
        np.concatenate([old.parts, new.parts], axis=1),
    )
    order = np.array(places, dtype=np.intp)
    found = both.take(order)
    return found if len(old) == 0 else replace(found, scores=_neighbours(old.scores, order))


def _neighbours(scores: Floats, order: NDArray[np.intp]) -> Floats:
    """Scores by place; a new item has that of the old one before it, or of the first.

    A score orders one list, and what new items fit is of no scale with what others are ranked by.
    """
    is_old = order < len(scores)
    before = np.maximum.accumulate(np.where(is_old, order, 0))
    found: Floats = scores[before]
    return found


def with_source(pipeline: Pipeline) -> Pipeline:
    """The pipeline with the source of new items behind its own."""
    new = Source(name=SOURCE, model=SOURCE, of=row_of(pipeline))
    return replace(pipeline, sources=(*pipeline.sources, new))


def row_of(pipeline: Pipeline) -> str:
    """What new items are asked about: the basket where any other source is, else the history."""
    return "basket" if any(one.of == "basket" for one in pipeline.sources) else "history"


def place(races: Mapping[Kind, Candidates], video_share: float, k: int) -> Candidates:
    """The first k of the kinds' lists, the kinds taking turns by their share."""
    lists = [races[kind] for kind in VIDEOS_FIRST if kind in races]
    both = Candidates(
        np.concatenate([one.items for one in lists]),
        np.concatenate([one.scores for one in lists]),
        np.concatenate([one.parts for one in lists], axis=1),
    )
    n_videos = len(races[Kind.VIDEO]) if Kind.VIDEO in races else 0
    return both.take(seating(n_videos, len(both) - n_videos, video_share, k))
