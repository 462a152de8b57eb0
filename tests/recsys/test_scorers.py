"""Lists with a scorer: what it orders, what happens when it fails, its way through a bundle."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.bundle import check, read, write
from recsys.catalog import Catalog, Kind
from recsys.errors import BundleError
from recsys.facts import COLUMNS, Facts
from recsys.features import names_of
from recsys.models.item_knn import ItemKNN
from recsys.pipeline import MAX_SCORED, Source
from recsys.ranker import Ranker, Trees
from recsys.recommend import Request, recommend
from recsys.signing import SigningKey
from tests.planted import NOW, Broken, FixedForAll, bundle_of, event, history_of, item

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


def test_a_ranker_orders_what_the_sources_sent():
    assert answer(ranked({"popular": FixedForAll(items=POPULAR)})).items.tolist() == [
        5,
        4,
        3,
        2,
        1,
        0,
    ]


def test_reasons_are_still_those_of_the_sources():
    served = answer(ranked({"popular": FixedForAll(items=POPULAR)})).served
    assert {(i.source, i.reason) for i in served.items} == {("popular", "popular now")}
    assert [i.score for i in served.items] == [0, -1, -2, -3, -4, -5]


def test_a_scene_without_scorer_keeps_the_order_of_the_fusion():
    found = answer(ranked({"popular": FixedForAll(items=POPULAR)}), scene="post_checkout")
    assert found.items.tolist() == [0, 1, 2, 3, 4, 5]
    assert found.scored is None


def test_a_scorer_that_fails_leaves_the_order_of_the_fusion_and_says_so():
    found = answer(ranked({"popular": Mute(items=POPULAR)}))
    assert found.items.tolist() == [0, 1, 2, 3, 4, 5]
    assert found.served.degraded == ("scorer:ranker",)


def test_a_source_that_failed_is_asked_for_no_opinion():
    models = {"popular": FixedForAll(items=POPULAR), "near": Broken(items=())}
    found = answer(ranked(models))
    assert found.items.tolist() == [5, 4, 3, 2, 1, 0]
    assert found.served.degraded == ("source:near",)
    assert np.isnan(found.scored.racing.opinions[1]).all()


def test_what_was_looked_at_comes_with_the_answer():
    scored = answer(ranked({"popular": FixedForAll(items=POPULAR)})).scored
    assert scored.features.shape == (6, len(scored.racing.names))
    assert scored.racing.opinions[0].tolist() == [8, 7, 6, 5, 4, 3]


def test_what_only_fills_a_list_comes_after_what_was_found():
    served = answer(ranked({"popular": FixedForAll(items=(0, 1))})).served
    scores = [i.score for i in served.items]
    assert len(scores) == 6
    assert scores == sorted(scores, reverse=True)


def test_only_the_best_of_many_candidates_are_scored():
    many = Catalog.of([item(n) for n in range(MAX_SCORED + 50)])
    bundle = bundle_of(
        many,
        {"popular": FixedForAll(items=tuple(range(len(many))))},
        (Source(name="popular", model="popular", limit=1_000),),
    )
    pipeline = replace(bundle.pipelines["home"], scorer="ranker")
    bundle = replace(
        bundle,
        pipelines={"home": pipeline},
        rankers={"home": by("fused", ["popular"])},
        facts=Facts.none(len(many)),
    )
    request = Request(scene="home", kinds=(Kind.PRODUCT,))
    found = recommend(request, history_of(many), bundle, at=NOW, list_id="list-1")
    assert len(found.scored.racing.items) == MAX_SCORED


@pytest.fixture
def key(tmp_path):
    return SigningKey.load_or_make(tmp_path / "keys")


def test_a_ranker_survives_the_bundle(key, tmp_path):
    models = {"near": ItemKNN()}
    bundle = ranked(models)
    back = read(write(bundle, tmp_path / "bundles", key), key.public)
    assert back.pipelines["home"].scorer == "ranker"
    trees, again = bundle.rankers["home"].trees, back.rankers["home"].trees
    np.testing.assert_array_equal(again.leaf, trees.leaf)
    np.testing.assert_array_equal(back.facts.values, bundle.facts.values)
    assert answer(back).items.tolist() == answer(bundle).items.tolist()


def test_a_bundle_without_ranker_is_read_as_before(key, tmp_path):
    bundle = bundle_of(CATALOG, {"near": ItemKNN()})
    back = read(write(bundle, tmp_path / "bundles", key), key.public)
    assert (dict(back.rankers), back.facts) == ({}, None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rankers": {}}, "pipeline home has no ranker, or no facts"),
        ({"facts": None}, "pipeline home has no ranker, or no facts"),
        ({"facts": Facts.none(3)}, "facts.values has shape"),
        ({"rankers": {"home": by("fused", ["other"])}}, "was learned with other features"),
    ],
)
def test_a_bundle_whose_scorer_cannot_answer_is_refused(change, said):
    bundle = ranked({"near": ItemKNN()})
    check(bundle)
    with pytest.raises(BundleError, match=said):
        check(replace(bundle, **change))


def test_an_unknown_scorer_is_refused():
    bundle = bundle_of(CATALOG, {"near": ItemKNN()})
    home = replace(bundle.pipelines["home"], scorer="oracle")
    with pytest.raises(BundleError, match="names what is not there: .'oracle'"):
        check(replace(bundle, pipelines={"home": home}))
