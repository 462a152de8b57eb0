"""How much each trait tells about what people do; promotion words tell nothing, whatever they are.

A trait that tells stands with few topics: on the items that carry it, and among what else their
people like. 感谢快手我要上热门 is on videos of all topics, so it stands with what there is anyway.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from recsys.catalog import Catalog
from recsys.interactions import Rows
from recsys.models.base import Scores
from recsys.models.likings import both, halves, liked_items, shares
from recsys.models.lists import Sparse
from recsys.models.traits import Group, Traits

Doubles = NDArray[np.float64]
# A trait seen so often counts as much as what traits tell on average.
PRIOR_SEEN = 10.0
# More items than this prove no more, so that people decide where there are more of them.
MOST_ITEMS = 30.0
MAX_TOPICS = 300
MOST = 2.0


def tells(traits: Traits, rows: Rows, catalog: Catalog) -> Scores:
    """For each trait how much it tells, from 0 (nothing) to 2; an ordinary one tells 1.

    The measure is the share of the surprise at a topic that the trait takes away, with the entropy
    of few observations corrected (Miller 1955), against the average of all traits. The word of
    people counts when there are enough of them, else that of the catalogue.

    Returns
    -------
    Shape (n_traits,).
    """
    topics, are_roots = topics_of(traits, catalog)
    by_catalog, n_items = _by_catalog(traits, topics, are_roots)
    by_people, n_people = _by_people(traits, topics, liked_items(rows))
    n_items = np.minimum(n_items, MOST_ITEMS)
    told = n_people * _relative(by_people, n_people) + n_items * _relative(by_catalog, n_items)
    told = (told + PRIOR_SEEN) / (n_people + n_items + PRIOR_SEEN)
    return np.clip(told, 0, MOST).astype(np.float32)


def topics_of(traits: Traits, catalog: Catalog) -> tuple[Sparse, bool]:
    """Each item's topics as parts of one, and whether they are categories.

    A topic is the root of a category; where categories do not tell items apart, the most frequent
    tags are the topics.
    """
    roots = [path.split("/")[0] for path in catalog.categories.all()]
    names = {name: number for number, name in enumerate(sorted({*roots} - {""}))}
    if len(names) > 1:
        root = np.array([names.get(name, -1) for name in roots])[catalog.category]
        known = np.flatnonzero(root >= 0)
        shape = (len(catalog), len(names))
        return csr_array((np.ones(len(known)), (known, root[known])), shape=shape), True
    is_tag = np.flatnonzero(traits.group == Group.TAG)
    tag_of = csr_array(
        (np.ones(len(is_tag)), (is_tag, traits.tag[is_tag])),
        shape=(len(traits), len(catalog.tag_names)),
    )
    tagged = csr_array(traits.carried @ tag_of)
    frequent = np.argsort(-np.asarray(tagged.sum(axis=0)), kind="stable")[:MAX_TOPICS]
    return shares(csr_array(tagged[:, np.sort(frequent)])), False


def _by_catalog(traits: Traits, topics: Sparse, are_roots: bool) -> tuple[Doubles, Doubles]:
    """From the topics of the items that carry a trait; tags cannot be judged by themselves."""
    if not are_roots:
        return np.zeros(len(traits)), np.zeros(len(traits))
    return _explained(csr_array(traits.carried.T @ topics))


def _by_people(traits: Traits, topics: Sparse, liked: Sparse) -> tuple[Doubles, Doubles]:
    """From the topics of other items that those like who like an item with the trait."""
    one, other = both(*(shares(half) for half in halves(liked)))
    counts = (one @ traits.carried).T @ (other @ topics)
    counts = counts + (other @ traits.carried).T @ (one @ topics)
    return _explained(csr_array(counts))


def _explained(counts: Sparse) -> tuple[Doubles, Doubles]:
    """The share of surprise taken away by each row of counts over topics, and what it counted."""
    counted = np.asarray(counts.sum(axis=1), dtype=np.float64)
    topic_share = np.asarray(counts.sum(axis=0)) / max(counted.sum(), 1e-12)
    probability = csr_array(diags_array(1 / np.maximum(counted, 1e-12)) @ counts)
    surprise, own = probability.copy(), probability.copy()
    surprise.data = -probability.data * np.log(topic_share[probability.indices])
    own.data = -probability.data * np.log(np.maximum(probability.data, 1e-12))
    expected: Doubles = np.asarray(surprise.sum(axis=1))
    seen = np.diff(probability.indptr)
    entropy = np.asarray(own.sum(axis=1)) + (seen - 1) / (2 * np.maximum(counted, 1))
    share = 1 - entropy / np.maximum(expected, 1e-12)
    return np.where(expected > 1e-9, np.clip(share, 0, 1), 0), counted


def _relative(told: Doubles, counted: Doubles) -> Doubles:
    """Against the average trait, to which those count most that are known well."""
    known = counted / (counted + PRIOR_SEEN)
    mean = float((known * told).sum() / max(known.sum(), 1e-12))
    return told / mean if mean > 1e-9 else np.ones(len(told))
