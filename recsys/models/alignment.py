"""Which traits mean the same: videos say 户外运动, products 登山鞋, and the same people like both.

Two kinds of evidence: people who like videos with the one trait like products with the other, more
than chance would have it; and the texts share words and characters. Where people are many they
decide, where they are few the texts do.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array, vstack

from recsys.catalog import Idxs, Kind
from recsys.interactions import Rows
from recsys.models.base import Ranking, Scores
from recsys.models.likings import both, halves, liked_items, of_items, shares, strongest
from recsys.models.lists import ScoredLists, Sparse, best_of_rows
from recsys.models.traits import Group, Traits
from recsys.models.words import pairs, words_of

Doubles = NDArray[np.float64]
# Counts of pairs grow with the square of the traits of a person.
MAX_TRAITS_A_PERSON = 40
# The log-likelihood ratio at which 1 of 1,000 pairs that mean nothing passes for one that does.
SIGNIFICANT = 10.83
# A trait of so many people is believed half.
PRIOR_PEOPLE = 5.0
# So many pairs of likings, found or to be expected, count as much as the texts.
PRIOR_PAIRS = 3.0
# So little known of texts, their likeness is worth itself.
PRIOR_WORTH = 0.1
# Where people do not care for texts at all, the same text still says more than any other.
LEAST_WORTH = 0.01
# One person is no evidence, and leaving such pairs out keeps memory small.
LEAST_SEEN = 1.0
# Texts that have less in common are different; MAX_ALIKE bounds how many a text may be like.
MIN_ALIKE, MAX_ALIKE = 0.2, 20
BLOCK = 4_096
# Ids say nothing of each other.
NAMELESS = (Group.CREATOR, Group.CARD)


def aligned(traits: Traits, rows: Rows, weights: Scores, n_each: int) -> ScoredLists:
    """For each trait the traits of either kind of item that liking it makes likely.

    Parameters
    ----------
    weights
        Shape (n_traits,). How much each trait tells: of a person's many traits those that tell
        most are counted.
    n_each
        At most so many of each kind of item are kept for each trait.
    """
    alike, liked = alike_texts(traits), liked_items(rows)
    kept = csr_array((len(traits), len(traits)))
    across = _Counts.across(traits, liked, weights)
    for target, counts in ((Kind.PRODUCT, across.turned()), (Kind.VIDEO, across)):
        (source,) = set(Kind) - {target}
        found = _Counts.within(traits, liked, weights, target).by_texts(
            _between(traits, alike, target, target)
        )
        found = csr_array(found + counts.by_both(_between(traits, alike, source, target)))
        kept = csr_array(kept + ScoredLists.of_matrix(found, n_each).csr(len(traits)))
    return ScoredLists.of_matrix(kept, 2 * n_each)


def _between(traits: Traits, alike: Sparse, source: Kind, target: Kind) -> Sparse:
    """Likenesses from traits of one kind of item to those of another."""
    is_source, is_target = ((traits.kind == kind) * 1.0 for kind in (source, target))
    return csr_array(diags_array(is_source) @ alike @ diags_array(is_target))


@dataclass(frozen=True, slots=True, eq=False)
class _Counts:
    """How many persons like one trait and another by two different items, in parts of persons.

    Attributes
    ----------
    pairs
        Shape (n_traits, n_traits). A person counts 1 in all, spread over their pairs of items;
        pairs of less than one person in all are left out.
    firsts, seconds
        Shape (n_traits,). The sums of the persons' parts.
    """

    pairs: Sparse
    firsts: Doubles
    seconds: Doubles
    n_persons: int

    @classmethod
    def across(cls, traits: Traits, liked: Sparse, weights: Scores) -> "_Counts":
        """A product and a video."""
        source, target = both(*(of_items(liked, _carriers(traits, kind)) for kind in Kind))
        one, other = (_mixtures(traits, part, weights) for part in (source, target))
        turned = csr_array(one.T)
        blocks = [csr_array((0, len(traits)), dtype=np.float32)]
        for start in range(0, len(traits), BLOCK):
            block = csr_array(turned[start : start + BLOCK] @ other)
            block.data[block.data < LEAST_SEEN] = 0
            block.eliminate_zeros()
            blocks.append(block)
        return cls(csr_array(vstack(blocks)), _sums(one), _sums(other), one.shape[0])

    @classmethod
    def within(cls, traits: Traits, liked: Sparse, weights: Scores, kind: Kind) -> "_Counts":
        """Two items of one kind that have the same trait; other pairs are not asked for."""
        halved = both(*halves(of_items(liked, _carriers(traits, kind))))
        one, other = (_mixtures(traits, half, weights) for half in halved)
        pairs = diags_array(_sums(csr_array(one.multiply(other))))
        return cls(csr_array(pairs), _sums(one), _sums(other), one.shape[0])

    def turned(self) -> "_Counts":
        """The same the other way round."""
        return _Counts(csr_array(self.pairs.T), self.seconds, self.firsts, self.n_persons)

    def by_texts(self, texts: Sparse) -> Sparse:
        """What the texts say: all there is to say within a kind of item, which has one vocabulary.

        What else the same people like would only blur what a person likes.
        """
        same = csr_array(diags_array(texts.diagonal()))
        similar = texts.tocoo()
        a, b = similar.coords
        worth = self._worth(same.tocoo())
        return csr_array((worth * similar.data, (a, b)), shape=texts.shape)

    def by_both(self, texts: Sparse) -> Sparse:
        """What people do, and where they are few what the texts say."""
        found, similar = self.pairs.tocoo(), texts.tocoo()
        a, b = found.coords
        rise = self._rise(found.data, a, b)
        ratio = likelihood_ratio(found.data, self.firsts[a], self.seconds[b], self.n_persons)
        is_sure = (rise > 0) & (ratio > SIGNIFICANT)
        told = np.where(is_sure, rise * self._trust(found.data, a, b), 0)
        by_people = csr_array((told, (a, b)), shape=texts.shape)
        a, b = similar.coords
        doubt = 1 - self._trust(self._seen(a, b), a, b)
        told = self._worth(similar) * doubt * similar.data
        return csr_array(by_people + csr_array((told, (a, b)), shape=texts.shape))

    def _worth(self, texts: Any) -> float:
        """What likeness 1 is worth, learned from the texts people know well (empirical Bayes)."""
        a, b = texts.coords
        seen = self._seen(a, b)
        trust = self._trust(seen, a, b) * texts.data
        known = float((trust * self._rise(seen, a, b)).sum()) + PRIOR_WORTH
        return max(LEAST_WORTH, known / (float((trust * texts.data).sum()) + PRIOR_WORTH))

    def _seen(self, a: NDArray[Any], b: NDArray[Any]) -> Doubles:
        return np.asarray(self.pairs[a, b], dtype=np.float64) if len(a) else np.empty(0)

    def _expected(self, a: NDArray[Any], b: NDArray[Any]) -> Doubles:
        return np.asarray(self.firsts[a] * self.seconds[b] / max(self.n_persons, 1))

    def _rise(self, seen: Doubles, a: NDArray[Any], b: NDArray[Any]) -> Doubles:
        """How much likelier b is for who likes a, shrunk while few like a."""
        return np.asarray((seen - self._expected(a, b)) / (self.firsts[a] + PRIOR_PEOPLE))

    def _trust(self, seen: Doubles, a: NDArray[Any], b: NDArray[Any]) -> Doubles:
        pairs = np.maximum(seen, self._expected(a, b))
        return np.asarray(pairs / (pairs + PRIOR_PAIRS))


def likelihood_ratio(
    together: NDArray[Any], firsts: NDArray[Any], seconds: NDArray[Any], total: float
) -> Doubles:
    """Twice the log-likelihood ratio of two things being independent (Dunning 1993).

    Parameters
    ----------
    together, firsts, seconds
        Shape (n,). How many of `total` have both, the first, the second.
    """
    cells = [together, firsts - together, seconds - together, total - firsts - seconds + together]
    margins = [firsts * seconds, firsts * (total - seconds)]
    margins += [(total - firsts) * seconds, (total - firsts) * (total - seconds)]
    ratio = np.zeros(len(together))
    for cell, margin in zip(cells, margins, strict=True):
        known = (cell > 1e-9) & (margin > 1e-9)
        ratio[known] += cell[known] * np.log(cell[known] * total / margin[known])
    return 2 * ratio


def _sums(persons_traits: Sparse) -> Doubles:
    return np.asarray(persons_traits.sum(axis=0), dtype=np.float64)


def _carriers(traits: Traits, kind: Kind) -> Idxs:
    """Items of one kind that carry a trait."""
    carried = traits.carried[:, traits.of_kind(kind)]
    return np.flatnonzero(np.diff(csr_array(carried).indptr)).astype(np.int32)


def _mixtures(traits: Traits, liked: Sparse, weights: Scores) -> Sparse:
    """Each person's traits: for each the part of their liking that went to items with it."""
    mixtures = csr_array(shares(liked) @ traits.carried)
    chosen = strongest(csr_array(mixtures @ diags_array(weights)), MAX_TRAITS_A_PERSON)
    chosen.data /= np.maximum(weights[chosen.indices], 1e-12)
    return csr_array(chosen.astype(np.float32))


def alike_texts(traits: Traits) -> Sparse:
    """Cosines of texts over their words and pairs of characters, the rarer the more they count.

    Returns
    -------
    Shape (n_traits, n_traits). 1 for the same text; below `MIN_ALIKE` nothing is stored. Creators
    and cards are like themselves only.
    """
    texts, at = _distinct_texts(traits)
    counts = _pieces(texts)
    seen = np.asarray(counts.sum(axis=0))
    weighted = csr_array(counts @ diags_array(np.log((1 + len(texts)) / (1 + seen)) + 1))
    length = np.sqrt(np.asarray(weighted.power(2).sum(axis=1)))
    vectors = csr_array(diags_array(1 / np.maximum(length, 1e-12)) @ weighted)
    lists = ScoredLists.of(
        best for start in range(0, len(texts), BLOCK) for best in _nearest(vectors, start)
    )
    alike = lists.csr(len(texts))
    return csr_array(alike[at][:, at])


def _distinct_texts(traits: Traits) -> tuple[list[tuple[str, ...]], NDArray[np.int64]]:
    """The texts there are, ids apart from words, and which is the text of each trait."""
    keys = [
        (name, str(group)) if group in NAMELESS else (name,)
        for name, group in zip(traits.names, traits.group.tolist(), strict=True)
    ]
    places = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return list(places), np.array([places[key] for key in keys], dtype=np.int64)


def _pieces(texts: list[tuple[str, ...]]) -> Sparse:
    """Each text's words and pairs of characters, an id as a whole, as counts."""
    words = words_of(["" if len(text) > 1 else text[0] for text in texts], ())
    pieces: dict[object, int] = {}
    own = []
    for text, cut in zip(texts, words, strict=True):
        named: list[object] = [*cut, *pairs(text[0])] if len(text) == 1 else [text]
        own.append([pieces.setdefault(piece, len(pieces)) for piece in dict.fromkeys(named)])
    rows = np.repeat(np.arange(len(own)), [len(one) for one in own])
    columns = np.array([piece for one in own for piece in one], dtype=np.int64)
    return csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(texts), len(pieces)))


def _nearest(vectors: Sparse, start: int) -> Iterator[Ranking]:
    block = csr_array(vectors[start : start + BLOCK] @ vectors.T)
    block.data[block.data < MIN_ALIKE] = 0
    yield from best_of_rows(block, MAX_ALIKE)
