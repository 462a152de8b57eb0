"""Items newer than the bundle: models do not know them, their tags, creators and cards speak."""

import itertools
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recsys.catalog import Catalog, Idxs
from recsys.histories import History
from recsys.ids import Ints
from recsys.interactions import DAY_MS, Row
from recsys.models.base import Because
from recsys.pipeline import Candidates, Context, Floats, Pipeline, Placed, Source, Stage, place

# The newest so many race; the others are in histories and on cards, and wait for the next bundle.
MAX_RACING = 2_000
HALF_LIFE_DAYS = 4.0
# What a shared category, the creator and a card count, where a shared rare tag counts 1.
CATEGORY, CREATOR, CARD = 0.5, 1.0, 1.0
# Of its kind's seats new items get every fifth from the third on, best fit first; where nothing
# speaks for any, every tenth.
FIRST_SEAT, EVERY, EVERY_UNFIT = 2, 5, 10
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
    owners, tags, worth
        Shape (n entries,). Place in `items`, a tag of it, and how rare the tag is, 0 to 1.
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
        worth = np.log1p(n_known / (1 + counts[tags])) / np.log1p(n_known + 1)
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
        parts = self._tag_shares(row, shares)[self.tags] * self.worth
        scores += np.bincount(self.owners, weights=parts, minlength=len(scores))
        own = np.searchsorted(row.items, self.linked)
        is_own = np.isin(self.linked, row.items)
        cards = self.link_owners[is_own], shares[own[is_own]]
        scores += CARD * np.bincount(cards[0], weights=cards[1], minlength=len(scores))
        for counts, column in ((CATEGORY, self.catalog.category), (CREATOR, self.catalog.creator)):
            weights = np.bincount(column[row.items], weights=shares)
            weights[0] = 0
            mine = column[self.items]
            has_any = mine < len(weights)
            scores[has_any] += counts * weights[mine[has_any]]
        return scores

    def _tag_shares(self, row: Row, shares: NDArray[Any]) -> Floats:
        owners, tags = self.catalog.tags.rows(row.items)
        n_tags = len(self.catalog.tag_names)
        return np.bincount(tags, weights=shares[owners], minlength=n_tags).astype(np.float64)

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """What of the row speaks most: an item on a card, else the tag that adds most."""
        return [self._because(row, int(item_idx)) for item_idx in items]

    def _because(self, row: Row, item_idx: int) -> Because | None:
        catalog = self.catalog
        linked = np.concatenate([catalog.cards.row(item_idx), catalog.shown_by.row(item_idx)])
        own = linked[np.isin(linked, row.items[row.weights > 0])]
        if len(own):
            return Because(item_idx=int(own[0]))
        at = self.owners == np.flatnonzero(self.items == item_idx)[0]
        parts = self._tag_shares(row, row.weights)[self.tags[at]] * self.worth[at]
        if len(parts) == 0 or parts.max() <= 0:
            return None
        return Because(tag_idx=int(self.tags[at][parts.argmax()]))

    def joined(
        self, placed: Placed, row: Row, pipeline: Pipeline, context: Context, stages: list[Stage]
    ) -> Placed:
        """The list with new items seated in it, each kind's among its own; never longer than k.

        Returns
        -------
        Candidates with one more row of parts, that of the source `SOURCE`, behind the others.
        """
        old = placed.candidates
        old = replace(old, parts=np.vstack([old.parts, np.zeros((1, len(old)))]))
        new = self._candidates(row, context, len(pipeline.sources))
        for stage in stages:
            new = stage(new, context, self.catalog)
        kind_of = self.catalog.kind
        races = {
            kind: seated(old.take(kind_of[old.items] == kind), new.take(kind_of[new.items] == kind))
            for kind in context.kinds
        }
        return replace(placed, candidates=place(races, pipeline.video_share, context.k))

    def _candidates(self, row: Row, context: Context, n_sources: int) -> Candidates:
        """New items that are out, best fit first; what nothing speaks for has no part."""
        published = self.catalog.published_ms[self.items]
        age_days = np.where(published == 0, 0, context.at_ms - published) / DAY_MS
        fits = np.maximum(self.fits(row), 0) * np.exp2(-np.maximum(age_days, 0) / HALF_LIFE_DAYS)
        order = np.argsort(-fits, kind="stable")
        order = order[age_days[order] >= 0]
        parts = np.zeros((n_sources + 1, len(order)))
        parts[-1] = fits[order]
        return Candidates(self.items[order], fits[order], parts)


def seated(old: Candidates, new: Candidates) -> Candidates:
    """One kind's list with new items at their seats; the old ones keep their order."""
    fits = bool((new.scores > 0).any())
    first, every = (FIRST_SEAT, EVERY) if fits else (EVERY_UNFIT - 1, EVERY_UNFIT)
    waiting = iter(range(len(old), len(old) + len(new)))
    places: list[int] = []
    for one in range(len(old)):
        if len(places) % every == first:
            places += itertools.islice(waiting, 1)
        places.append(one)
    places += waiting
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
    return replace(pipeline, sources=(*pipeline.sources, Source(name=SOURCE, model=SOURCE)))
