"""Lists with a scorer: what it orders, what happens when it fails, its way through a bundle."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.blend import Blend
from recsys.bundle import check
from recsys.bundle_files import read, write
from recsys.catalog import Catalog, Kind
from recsys.errors import BundleError
from recsys.facts import Facts
from recsys.models.item_knn import ItemKNN
from recsys.pipeline import MAX_SCORED, Source
from recsys.recommend import Request, recommend
from recsys.signing import SigningKey
from tests.planted import NOW, Broken, FixedForAll, bundle_of, history_of, item
from tests.planted_scorers import CATALOG, POPULAR, Mute, answer, by, ranked


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


def blended(models, weights):
    """A bundle whose home list is ordered by a blend of its sources."""
    bundle = bundle_of(CATALOG, models)
    home = replace(bundle.pipelines["home"], scorer="blend")
    return replace(
        bundle,
        pipelines={**bundle.pipelines, "home": home},
        blends={"home": Blend(np.array(weights, dtype=np.float32))},
    )


def test_a_blend_orders_by_what_its_sources_say():
    models = {"near": FixedForAll(items=POPULAR), "far": FixedForAll(items=POPULAR[::-1])}
    assert answer(blended(models, [1.0, 0.0])).items.tolist() == [0, 1, 2, 3, 4, 5]
    assert answer(blended(models, [0.0, 1.0])).items.tolist() == [5, 4, 3, 2, 1, 0]
    assert answer(blended(models, [0.0, 1.0])).served.degraded == ()


def test_a_blend_without_a_weight_a_source_is_refused():
    with pytest.raises(BundleError, match="pipeline home has no blend with one weight a source"):
        check(blended({"near": ItemKNN()}, [1.0, 1.0]))


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


def test_a_blend_survives_the_bundle(key, tmp_path):
    bundle = blended({"near": ItemKNN()}, [1.0])
    back = read(write(bundle, tmp_path / "bundles", key), key.public)
    assert back.pipelines["home"].scorer == "blend"
    assert back.blends["home"].weights.tolist() == [1.0]


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
