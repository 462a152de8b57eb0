"""A small shop whose home list is ordered by a ranker of known taste: the dearest first."""

from dataclasses import replace

import numpy as np

from recsys.catalog import Catalog, Kind
from recsys.facts import COLUMNS, Facts
from recsys.features import names_of
from recsys.ranker import Ranker, Trees
from recsys.recommend import Request, recommend
from tests.planted import NOW, FixedForAll, bundle_of, event, history_of, item

# Positions 0–5 products, the dearest last; 6–7 videos.
CATALOG = Catalog.of(
    [item(n, price_minor=1_000 * (n + 1)) for n in range(6)]
    + [item(n, Kind.VIDEO) for n in range(6, 8)]
)
POPULAR = (0, 1, 2, 3, 4, 5, 6, 7)


class Mute(FixedForAll):
    """A source that sends items and then fails to say what it thinks of them."""

    def score_of(self, row, items):
        raise RuntimeError("broken on purpose")


def by(name, sources, thresholds=(0.0,)):
    """Trees of one question each that prefer a large value of a feature."""
    names = names_of(sources)
    shape = (len(thresholds), 1)
    trees = Trees(
        column=np.full(shape, names.index(name), np.int32),
        is_left_if_missing=np.ones(shape, np.bool_),
        threshold=np.array(thresholds, np.float32)[:, None],
        leaf=np.tile([-1.0, 0.0], (len(thresholds), 1)),
    )
    return Ranker.of(trees, names)


def ranked(models, ranker=None, sources=None, **more):
    """A bundle whose home list is ordered by a ranker; by price unless said otherwise."""
    bundle = bundle_of(CATALOG, models, sources)
    pipelines = {
        scene: replace(pipeline, scorer="ranker" if scene == "home" else "")
        for scene, pipeline in bundle.pipelines.items()
    }
    names = [source.name for source in pipelines["home"].sources]
    values = np.full((len(CATALOG), len(COLUMNS)), np.nan, dtype=np.float32)
    values[:6, COLUMNS.index("price")] = np.arange(6)
    by_price = by("price", names, (0.5, 1.5, 2.5, 3.5, 4.5))
    return replace(
        bundle,
        pipelines=pipelines,
        rankers={"home": by_price if ranker is None else ranker},
        facts=Facts(values),
        **more,
    )


def answer(bundle, k=6, scene="home"):
    request = Request(scene=scene, user_id="user-5001", kinds=(Kind.PRODUCT,), k=k)
    history = history_of(CATALOG, event("item-1006"))
    return recommend(request, history, bundle, at=NOW, list_id="list-1")
