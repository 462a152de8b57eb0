"""What items say of themselves before anybody touches them: tags, category, title, creator, cards.

Each is a trait of items of one kind: a product's 帐篷 and a video's 帐篷 are two, so that it can be
learned what people who watch the one do about the other.
"""

from collections import Counter
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from recsys.catalog import Catalog, Idxs, Kind
from recsys.models.base import Scores
from recsys.models.lists import Sparse
from recsys.models.words import words_of

# A word of one title says nothing of another; one of every fifth title says it of everything.
MIN_TITLES, MAX_TITLES_SHARE = 2, 0.2
MAX_WORDS = 50_000


class Group(IntEnum):
    """What a trait is."""

    TAG = 0
    CATEGORY = 1
    WORD = 2
    CREATOR = 3
    CARD = 4


@dataclass(frozen=True, slots=True, eq=False)
class Traits:
    """The traits of a catalogue.

    Attributes
    ----------
    names
        The text of each trait; of a creator and a card the id.
    group, kind
        Shape (n_traits,). What it is, and of which kind the items that carry it are.
    tag
        Shape (n_traits,). Its position among the catalogue's tags; −1 where it is none.
    carried
        Shape (n_items, n_traits). 1 where an item carries a trait.
    """

    names: list[str]
    group: NDArray[np.int8]
    kind: NDArray[np.int8]
    tag: Idxs
    carried: Sparse

    @classmethod
    def of(cls, catalog: Catalog, groups: frozenset[Group] = frozenset(Group)) -> "Traits":
        """Those of some groups; tags, categories and words are compared by their text."""
        found = _Found(catalog)
        for group in sorted(groups):
            _READERS[group](found)
        return found.traits()

    def __len__(self) -> int:
        """How many traits there are."""
        return len(self.names)

    def of_kind(self, kind: Kind) -> Idxs:
        """Positions of the traits of items of one kind."""
        return np.flatnonzero(self.kind == kind).astype(np.int32)

    def vectors(self, weights: Scores) -> Sparse:
        """Each item's traits as a vector of length 1, shape (n_items, n_traits).

        Inverse document frequency within a kind (Salton and Buckley 1988) times `weights`, shape
        (n_traits,).
        """
        carriers = np.asarray(self.carried.sum(axis=0))
        of_kind = np.zeros(len(Kind))
        for kind in Kind:
            items = self.carried[:, self.of_kind(kind)].sum(axis=1)
            of_kind[kind] = np.count_nonzero(items)
        idf = np.log((1 + of_kind[self.kind]) / (1 + carriers)) + 1
        weighted = csr_array(self.carried @ diags_array(idf * weights))
        length = np.sqrt(np.asarray(weighted.power(2).sum(axis=1)))
        return csr_array(diags_array(1 / np.where(length > 0, length, 1)) @ weighted)


class _Found:
    """Traits while they are collected: one reader a group."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.names: list[str] = []
        self.groups: list[int] = []
        self.tags: list[int] = []
        self.items = [np.empty(0, dtype=np.int64)]
        self.texts = [np.empty(0, dtype=np.int64)]

    def add(self, group: Group, names: list[str], items: NDArray[np.int64], at: object) -> None:
        """Texts of one group, and which item has which of them."""
        start = len(self.names)
        self.names += names
        self.groups += [int(group)] * len(names)
        self.tags += range(len(names)) if group is Group.TAG else [-1] * len(names)
        self.items.append(items.astype(np.int64))
        self.texts.append(np.asarray(at, dtype=np.int64) + start)

    def read_tags(self) -> None:
        tags = self.catalog.tags
        owners, targets = tags.rows(np.arange(len(self.catalog)))
        self.add(Group.TAG, list(self.catalog.tag_names.texts.all()), owners, targets)

    def read_categories(self) -> None:
        paths = [path.split("/") for path in self.catalog.categories.all()]
        named: dict[str, int] = {}
        nodes = [[named.setdefault(name, len(named)) for name in path if name] for path in paths]
        items = np.repeat(
            np.arange(len(self.catalog)), [len(nodes[path]) for path in self.catalog.category]
        )
        at = [node for path in self.catalog.category.tolist() for node in nodes[path]]
        self.add(Group.CATEGORY, list(named), items, at)

    def read_words(self) -> None:
        words = self._title_words()
        counts = Counter(word for own in words for word in own)
        n_most = MAX_TITLES_SHARE * sum(map(bool, words))
        kept = [word for word, n in counts.most_common(MAX_WORDS) if MIN_TITLES <= n <= n_most]
        named = {word: number for number, word in enumerate(kept)}
        found = [[named[word] for word in own if word in named] for own in words]
        items = np.repeat(np.arange(len(words)), [len(own) for own in found])
        self.add(Group.WORD, kept, items, [at for own in found for at in own])

    def _title_words(self) -> list[list[str]]:
        catalog = self.catalog
        pairs = zip(catalog.titles.all(), catalog.ids.texts.all(), strict=True)
        # An item without a title is called by its id, which is no text.
        titles = ["" if title == item_id else title for title, item_id in pairs]
        nodes = {name for path in catalog.categories.all() for name in path.split("/")}
        return words_of(titles, [*catalog.tag_names.texts.all(), *sorted(nodes)])

    def read_creators(self) -> None:
        creator = self.catalog.creator
        items = np.flatnonzero(creator)
        self.add(Group.CREATOR, list(self.catalog.creators.all()), items, creator[items])

    def read_cards(self) -> None:
        """A product that videos show is a trait of itself and of the videos."""
        cards = self.catalog.cards
        videos, products = cards.rows(np.arange(len(self.catalog)))
        shown, at = np.unique(products, return_inverse=True)
        names = [self.catalog.ids[product] for product in shown.tolist()]
        items = np.concatenate([videos, shown.astype(np.int64)])
        self.add(Group.CARD, names, items, np.concatenate([at, np.arange(len(shown))]))

    def traits(self) -> Traits:
        """Only what some item carries, one trait a kind of item."""
        items, texts = np.concatenate(self.items), np.concatenate(self.texts)
        keys, at = np.unique(texts * len(Kind) + self.catalog.kind[items], return_inverse=True)
        text, kind = np.divmod(keys, len(Kind))
        shape = (len(self.catalog), len(keys))
        carried = csr_array((np.ones(len(items)), (items, at)), shape=shape)
        # A category may name the same node twice on its path.
        carried.data = np.minimum(carried.data, 1)
        return Traits(
            names=[self.names[number] for number in text.tolist()],
            group=np.array(self.groups, dtype=np.int8)[text],
            kind=kind.astype(np.int8),
            tag=np.array(self.tags, dtype=np.int32)[text],
            carried=carried,
        )


_READERS = {
    Group.TAG: _Found.read_tags,
    Group.CATEGORY: _Found.read_categories,
    Group.WORD: _Found.read_words,
    Group.CREATOR: _Found.read_creators,
    Group.CARD: _Found.read_cards,
}
