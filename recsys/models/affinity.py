"""From what a person likes to how well an item's traits fit: the answering half of trait models."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from recsys import kernels_lists
from recsys.catalog import Catalog, Idxs, Kind
from recsys.interactions import Row, Rows
from recsys.models.alignment import aligned
from recsys.models.base import Because, Ranking, Scores
from recsys.models.lists import ScoredLists, Sparse, Sums
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
        found = self.vectors.sums(strongest.items, strongest.weights)
        if len(found.items) <= MAX_TRAITS:
            return Ranking(found.items, found.scores)
        most = np.argpartition(np.abs(found.scores), -MAX_TRAITS)[-MAX_TRAITS:]
        return Ranking(found.items[most], found.scores[most])

    def wanted(self, row: Row) -> Sums:
        """The traits that make an item fit, with how much."""
        own = self.profile(row)
        return row.once((self.vectors, "wanted"), lambda: self.aligned.sums(own.items, own.scores))

    def scores(self, row: Row, items: Idxs) -> Scores:
        """How well some items fit, shape (n items,); 0 where nothing is said."""
        return self.vectors.products(items, self.wanted(row))

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """The row's own trait that adds most to each item: its tag, or the own item that has it."""
        own = self.profile(row)
        liked = np.flatnonzero(own.scores > 0)
        traits, weights = own.items[liked], own.scores[liked]
        lists = (self.aligned, self.vectors)
        best = kernels_lists.strongest_by_way(
            *(one for each in lists for one in (each.offsets, each.items, each.scores)),
            traits,
            weights,
            items,
        )
        return [None if at < 0 else self._told(row, int(traits[at])) for at in best.tolist()]

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
