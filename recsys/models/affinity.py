"""From what a person likes to how well an item's traits fit: the answering half of trait models."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from recsys.catalog import Catalog, Idxs, Kind, spans
from recsys.interactions import Row, Rows
from recsys.models.alignment import aligned
from recsys.models.base import Because, Ranking, Scores
from recsys.models.lists import ScoredLists, Sparse
from recsys.models.telling import tells
from recsys.models.traits import Group, Traits

# What a person did most, and of what those items say what counts most.
MAX_KEYS, MAX_TRAITS = 100, 200
# A trait brings at most so many others of each kind of item.
N_ALIGNED = 15


@dataclass(frozen=True, slots=True, eq=False)
class Affinity:
    """A person is the weighted sum of their items' traits; traits bring those aligned with them.

    Attributes
    ----------
    vectors
        For each item its traits, heaviest first.
    aligned
        For each trait those of either kind that liking it makes likely.
    kind
        Shape (n_traits,). Of which kind the items are that carry a trait.
    tag
        Shape (n_traits,). Its position among the catalogue's tags; −1 where it is none.
    """

    vectors: ScoredLists
    aligned: ScoredLists
    kind: NDArray[np.int8]
    tag: Idxs

    @classmethod
    def of(cls, interactions: Rows, catalog: Catalog, worth: dict[Group, float]) -> "Affinity":
        """Learn how much each trait tells and which mean the same.

        Parameters
        ----------
        worth
            How much each group of traits counts; those of 0 are left out.
        """
        traits = Traits.of(catalog, frozenset(group for group, much in worth.items() if much > 0))
        telling = tells(traits, interactions, catalog)
        by_group = np.array([worth.get(group, 0.0) for group in Group], dtype=np.float32)
        # What does not tell is taken away after vectors have length 1, or an item that says
        # nothing but promotion words would say them as loudly as another its taste.
        vectors = traits.vectors(by_group[traits.group])
        vectors.data *= telling[vectors.indices]
        return cls(
            ScoredLists.of_matrix(vectors, vectors.shape[1]),
            aligned(traits, interactions, telling, N_ALIGNED),
            traits.kind,
            traits.tag,
        )

    def item_traits(self) -> Sparse:
        """The items' vectors as a matrix, shape (n_items, n_traits)."""
        return self.vectors.csr(len(self.tag))

    def dense(self, rows: Rows) -> Sparse:
        """How well each item fits each row, shape (n_rows, n_items); 0 is not stored."""
        wanted = rows.csr() @ self.item_traits() @ self.aligned.csr(len(self.tag))
        return csr_array(wanted @ self.item_traits().T)

    def profile(self, row: Row) -> Ranking:
        """The row's own traits that count most, in any order; negative where it dislikes them."""
        return row.once((self.vectors, "profile"), lambda: self._profile(row))

    def _profile(self, row: Row) -> Ranking:
        strongest = row.strongest(MAX_KEYS)
        traits, weights = self.vectors.summed(strongest.items, strongest.weights)
        most = Ranking.best(np.arange(len(traits)), np.abs(weights), MAX_TRAITS).items
        return Ranking(traits[most], weights[most])

    def wanted(self, row: Row) -> Ranking:
        """The traits that make an item fit, ascending, with how much."""
        own = self.profile(row)
        return row.once(
            (self.vectors, "wanted"), lambda: Ranking(*self.aligned.summed(own.items, own.scores))
        )

    def scores(self, row: Row, items: Idxs) -> Scores:
        """How well some items fit, shape (n items,); 0 where nothing is said."""
        wanted = self.wanted(row)
        weights = np.zeros(len(self.tag), dtype=np.float32)
        weights[wanted.items] = wanted.scores
        at, lengths = spans(self.vectors.offsets, items)
        parts = weights[self.vectors.items[at]] * self.vectors.scores[at]
        place = np.repeat(np.arange(len(items)), lengths)
        return np.bincount(place, weights=parts, minlength=len(items)).astype(np.float32)

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """The row's own trait that adds most to each item: its tag, or the own item that has it."""
        own = self.profile(row)
        liked = np.flatnonzero(own.scores > 0)
        wanted, parts, place = self.aligned.entries(own.items[liked], own.scores[liked])
        found: list[Because | None] = []
        for item in items.tolist():
            added = self._of_item(item)[wanted] * parts
            by_trait = np.bincount(place, weights=added, minlength=len(liked))
            best = int(np.argmax(by_trait)) if len(liked) else 0
            is_told = len(liked) > 0 and by_trait[best] > 0
            found.append(self._told(row, int(own.items[liked[best]])) if is_told else None)
        return found

    def _of_item(self, item: int) -> Scores:
        weights = np.zeros(len(self.tag), dtype=np.float32)
        span = slice(int(self.vectors.offsets[item]), int(self.vectors.offsets[item + 1]))
        weights[self.vectors.items[span]] = self.vectors.scores[span]
        return weights

    def _told(self, row: Row, trait: int) -> Because:
        """The tag where the trait is one; else the own item liked most for the trait."""
        if self.tag[trait] >= 0:
            return Because(tag_idx=int(self.tag[trait]))
        strongest = row.strongest(MAX_KEYS)
        traits, parts, place = self.vectors.entries(strongest.items, strongest.weights)
        mine = traits == trait
        return Because(item_idx=int(strongest.items[place[mine][np.argmax(parts[mine])]]))

    def pool(self, row: Row, postings: ScoredLists, n_traits: int, within: Kind | None) -> Idxs:
        """Items of the postings of those wanted traits that can lift an item most.

        Parameters
        ----------
        postings
            For each trait its items, best first.
        n_traits
            How many traits of each kind of item are followed.
        """
        wanted = self.wanted(row)
        best = np.zeros(len(wanted.items), dtype=np.float32)
        starts = postings.offsets[wanted.items]
        is_there = starts < postings.offsets[wanted.items + 1]
        best[is_there] = postings.scores[starts[is_there]] * wanted.scores[is_there]
        kind = self.kind[wanted.items]
        followed = [np.empty(0, dtype=np.int32)]
        for one in Kind if within is None else (within,):
            reaching = np.flatnonzero((kind == one) & (best > 0))
            followed.append(Ranking.best(wanted.items[reaching], best[reaching], n_traits).items)
        return postings.pool(np.concatenate(followed))
