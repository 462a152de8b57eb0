"""A shop of any size for benchmarks: learned arrays are drawn, not learned, in the usual sizes.

Items lie in clusters, products and videos by turns; neighbours are of the same cluster, and a
person likes three clusters, so that lists overlap as they do in a real shop.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from recsys.bundle import Bundle
from recsys.catalog import Catalog, Idxs, Item, Kind
from recsys.events import Event, EventType
from recsys.facts import COLUMNS, Facts
from recsys.features import names_of
from recsys.interactions import Rows, Taste, Weighting
from recsys.models.als import ALS
from recsys.models.base import Model
from recsys.models.index import IndexByKind
from recsys.models.item_knn import ItemKNN
from recsys.models.lists import ListsByKind, ScoredLists
from recsys.models.popularity import Popularity
from recsys.models.tags import TagProfile
from recsys.pipeline import Pipeline, Source
from recsys.ranker import Ranker, Trees
from recsys.watching import WatchCurve

CLUSTER = 1_000
# Categories of a cluster, so that a hundred items are of one, as in a real shop (90 in that of
# `mb_ecomm_alibaba`).
CATEGORIES = 10
N_TAGS = 2_000
TAGS_AN_ITEM = 5
ITEMS_A_PERSON = 30
# The sources of its pipelines, and how much each counts.
SOURCES = {"item_knn": 1.0, "als": 1.0, "tags": 0.3, "popular": 0.1}
N_TREES, TREE_DEPTH = 100, 5
# Divides no cluster's half, so that steps of it meet every item of a kind once.
STRIDE = 37


def synthetic_bundle(n_items: int, bundle_id: str, seed: int = 0) -> Bundle:
    """A bundle of `n_items` (a multiple of 1,000) and every model there is."""
    rng = np.random.default_rng(seed)
    catalog = Catalog.of([_item(n, rng) for n in range(n_items)])
    rows = _rows(n_items, rng)
    return Bundle(
        bundle_id=bundle_id,
        catalog=catalog,
        models=_models(rows, catalog, rng),
        taste=Taste(weighting=Weighting(watch=WatchCurve.prior()), video_s=catalog.duration_s),
        pipelines={"home": _pipeline("home", "history"), "post_checkout": _pipeline("p", "basket")},
        figures={},
        data_until_ms=0,
        rankers={scene: _ranker(rng) for scene in ("home", "post_checkout")},
        facts=Facts(rng.random((n_items, len(COLUMNS)), dtype=np.float32)),
    )


def histories(n_items: int, n_persons: int, n_events: int, at: datetime) -> Iterator[Event]:
    """Up to `n_events` events of each person, within the day before `at`."""
    rng = np.random.default_rng(1)
    types = (EventType.VIEW, EventType.PLAY, EventType.LIKE, EventType.CART, EventType.ORDER)
    for person in range(n_persons):
        for n, item in enumerate(_liked(n_items, n_events, rng).tolist()):
            yield Event(
                event_id=f"event-{person}-{n}",
                user_id=user_id(person),
                item_id=f"item-{item}",
                type=types[n % len(types)],
                at=at - timedelta(seconds=int(rng.integers(86_400))),
                play_s=12.0 if types[n % len(types)] is EventType.PLAY else None,
            )


def user_id(person: int) -> str:
    """The outside id of a person of this world."""
    return f"user-{person}"


def _item(n: int, rng: np.random.Generator) -> Item:
    tags = tuple(f"标签{tag}" for tag in set(rng.integers(N_TAGS, size=TAGS_AN_ITEM).tolist()))
    is_video = n % 2 == 1
    return Item(
        item_id=f"item-{n}",
        kind=Kind.VIDEO if is_video else Kind.PRODUCT,
        title=f"第{n}号的标题，和平常的一样长",
        tags=tags,
        category=("类", str(n // CLUSTER), str(n // 2 % CATEGORIES)),
        price_minor=None if is_video else 990 + n % 10_000,
        cards=(f"item-{n - 1}",) if is_video else (),
        duration_s=20.0 if is_video else None,
        cover=f"/covers/{n}.jpg",
        link=f"/pages/item?id={n}",
        durable=n % 4 == 0,
    )


def _liked(n_items: int, n: int, rng: np.random.Generator) -> Idxs:
    clusters = rng.integers(n_items // CLUSTER, size=3)
    # Squared, so that each cluster has its best sellers.
    inside = (rng.random(n) ** 2 * CLUSTER).astype(np.int32)
    return np.unique(rng.choice(clusters, size=n) * CLUSTER + inside).astype(np.int32)


def _rows(n_items: int, rng: np.random.Generator) -> Rows:
    persons = [_liked(n_items, ITEMS_A_PERSON, rng) for _ in range(max(2_000, n_items // 10))]
    offsets = np.concatenate([[0], np.cumsum([len(items) for items in persons])]).astype(np.int64)
    items = np.concatenate(persons)
    return Rows(offsets, items, rng.uniform(1, 8, len(items)).astype(np.float32), n_items)


def _models(rows: Rows, catalog: Catalog, rng: np.random.Generator) -> dict[str, Model]:
    knn = ItemKNN()
    knn.neighbours_ = _neighbours(len(catalog), knn.n_neighbours, rng)
    return {
        "item_knn": knn,
        "als": _als(catalog, rng),
        "tags": TagProfile().fit(rows, catalog),
        "popular": Popularity().fit(rows, catalog),
    }


def _als(catalog: Catalog, rng: np.random.Generator) -> ALS:
    als = ALS()
    n = len(catalog)
    centres = rng.normal(size=(n // CLUSTER, als.factors)).repeat(CLUSTER, axis=0)
    als.item_factors_ = (0.1 * (centres + rng.normal(size=centres.shape))).astype(np.float32)
    als.ridge_ = als.item_factors_.T @ als.item_factors_ + np.eye(als.factors, dtype=np.float32)
    als.kind_ = catalog.kind.copy()
    indexed = als.kind_ if n > als.exact_below else als.kind_[:0]
    als.index_ = IndexByKind.of(als.item_factors_, indexed, seed=0)
    return als


def _neighbours(n_items: int, k: int, rng: np.random.Generator) -> ListsByKind:
    return ListsByKind.of(lambda kind: _lists(n_items, k, int(kind), rng))


def _lists(n_items: int, k: int, parity: int, rng: np.random.Generator) -> ScoredLists:
    starts = rng.integers(CLUSTER // 2, size=n_items)[:, None]
    places: NDArray[np.int64] = (starts + STRIDE * np.arange(k)) % (CLUSTER // 2)
    base = (np.arange(n_items) // CLUSTER * CLUSTER)[:, None]
    return ScoredLists(
        np.arange(n_items + 1, dtype=np.int64) * k,
        (base + 2 * places + parity).astype(np.int32).ravel(),
        np.tile(np.linspace(1, 0.1, k, dtype=np.float32), n_items),
    )


def _ranker(rng: np.random.Generator) -> Ranker:
    """Trees that ask for any feature at any value between 0 and 1, where most features lie."""
    names, n_nodes = names_of(list(SOURCES)), 2**TREE_DEPTH - 1
    trees = Trees(
        column=rng.integers(len(names), size=(N_TREES, n_nodes)).astype(np.int32),
        is_left_if_missing=rng.random((N_TREES, n_nodes)) < 0.5,
        threshold=rng.random((N_TREES, n_nodes), dtype=np.float32),
        leaf=rng.normal(size=(N_TREES, n_nodes + 1)),
    )
    return Ranker.of(trees, names)


def _pipeline(name: str, of: str) -> Pipeline:
    sources = tuple(Source(name=n, model=n, of=of, weight=w) for n, w in SOURCES.items())
    return Pipeline(
        name=name,
        sources=sources,
        stages=("on_sale", "excluded", "bought", "seen", "same_need"),
        scorer="ranker",
    )
