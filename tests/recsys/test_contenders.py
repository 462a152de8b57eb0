from dataclasses import replace

import numpy as np
import pytest

from recsys.catalog import Catalog, Kind
from recsys.contenders import Chance, Contender, Silent
from recsys.interactions import Row, Rows
from recsys.recommend import Request
from tests.planted import NOW, Fixed, FixedForAll, bundle_of, event, history_of, item

CATALOG = Catalog.of([item(n) for n in range(10)] + [item(n, Kind.VIDEO) for n in range(10, 20)])
REQUEST = Request(scene="home", k=3, kinds=(Kind.PRODUCT,))
HISTORY = history_of(CATALOG, event("item-1009"))


def a_bundle():
    return bundle_of(
        CATALOG, {"near": Fixed(items=(3, 1, 2)), "popular": FixedForAll(items=(7, 8, 6))}
    )


def items_of(contender, history=HISTORY):
    return contender.answer(REQUEST, history, NOW)[0].tolist()


def test_a_source_that_is_silent_or_alone():
    contender = Contender(a_bundle())
    assert items_of(contender.only("home", "near")) == [3, 1, 2]
    assert items_of(contender.without("home", "near")) == [7, 8, 6]
    assert set(items_of(contender)) == {3, 7, 1}
    assert items_of(contender.by_popularity()) == [7, 8, 6]


def test_a_source_alone_and_popularity_have_no_scorer():
    bundle = a_bundle()
    learned = {scene: replace(one, scorer="blend") for scene, one in bundle.pipelines.items()}
    contender = Contender(replace(bundle, pipelines=learned))
    variants = [
        contender.only("home", "near"),
        contender.by_popularity(),
        contender.by_chance(1),
        contender.by_ranks("home"),
    ]
    assert {one.bundle.pipelines["home"].scorer for one in variants} == {""}
    # What was learned stays when one source falls silent.
    assert contender.without("home", "near").bundle.pipelines["home"].scorer == "blend"


def test_it_is_told_whether_a_list_is_personal():
    contender = Contender(a_bundle())
    assert contender.answer(REQUEST, HISTORY, NOW)[1]
    assert not contender.without("home", "near").answer(REQUEST, HISTORY, NOW)[1]


def test_bundle_of_another_catalogue_answers_in_the_numbers_of_this_one():
    theirs = Catalog.of([item(n) for n in (9, 3, 1, 50, 2, 7)])
    near = Fixed(items=(1, 3, 2, 4))
    found = Contender.foreign(bundle_of(theirs, {"near": near}), CATALOG)
    # Item 50 is gone from the shop, so it must not be shown; 3, 1 and 2 stand at 1, 2 and 4.
    assert items_of(found) == [3, 1, 2]
    # What the bundle does not know is no past to it.
    unknown = history_of(CATALOG, event("item-1015"))
    assert not found.answer(REQUEST, unknown, NOW)[1]


def test_bundle_of_another_catalogue_shows_what_is_on_sale_in_this_one():
    on_sale = CATALOG.on_sale.copy()
    on_sale[3] = False
    today = replace(CATALOG, on_sale=on_sale)
    assert 3 not in items_of(Contender.foreign(a_bundle(), today))


def test_silent_model_never_has_an_opinion():
    model = Silent().fit(Rows.of([], 20), CATALOG)
    row = Row(np.array([3], np.int32), np.ones(1, np.float32))
    assert len(model.candidates(row, 5, None).items) == 0
    assert np.isnan(model.score(Rows.of([row], 20))).all()
    assert np.isnan(model.score_of(row, np.array([1, 2], np.int32))).all()
    assert model.because(row, np.array([1], np.int32)) == [None]


@pytest.mark.parametrize(("within", "expected"), [(None, 20), (Kind.VIDEO, 10)])
def test_chance_gives_each_item_once(within, expected):
    model = Chance(seed=1).fit(Rows.of([], 20), CATALOG)
    ranking = model.candidates(None, 100, within)
    assert len(set(ranking.items.tolist())) == expected
    assert model.score(Rows.of([], 20)).shape == (0, 20)
    assert model.because(None, np.array([3])) == [None]
