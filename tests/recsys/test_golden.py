from dataclasses import replace

import numpy as np
import pytest

from recsys.catalog import Catalog
from recsys.errors import BundleError
from recsys.golden import FIGURE, check_golden, golden
from tests.planted import Broken, Fixed, FixedForAll, bundle_of, item

CATALOG = Catalog.of([item(n) for n in range(12)])


def carrying(near=(0, 1, 2), popular=(5, 6, 7, 8)):
    models = {"near": Fixed(items=near), "popular": FixedForAll(items=popular)}
    bundle = bundle_of(CATALOG, models)
    return replace(bundle, figures={FIGURE: golden(bundle)})


def test_a_bundle_carries_a_stranger_and_made_up_persons():
    said = carrying().figures[FIGURE]
    assert said[0]["history"] == []
    assert [len(one["history"]) for one in said[1:]] == [1] * 12
    assert all(one["answer"] for one in said)


def test_the_same_code_answers_alike():
    check_golden(carrying())


def test_a_bundle_without_golden_requests_is_asked_all_the_same():
    check_golden(replace(carrying(), figures={}))


@pytest.mark.parametrize("figures", [{}, carrying().figures])
def test_others_may_go_first_after_each_request(figures):
    turns = []
    check_golden(replace(carrying(), figures=figures), between=lambda: turns.append(1))
    assert len(turns) == len(carrying().figures[FIGURE])


def test_other_answers_are_refused():
    changed = carrying(near=(3, 4), popular=(9,))
    catalog = replace(CATALOG, on_sale=np.arange(12) >= 6)
    changed = replace(changed, figures=carrying().figures, catalog=catalog)
    with pytest.raises(BundleError, match="with other items than when it was made, got"):
        check_golden(changed)


@pytest.mark.parametrize("figures", [{}, carrying().figures])
def test_a_source_that_fails_is_refused(figures):
    bundle = bundle_of(CATALOG, {"broken": Broken(items=()), "popular": FixedForAll(items=(2,))})
    with pytest.raises(BundleError, match="does not answer a golden request of home"):
        check_golden(replace(bundle, figures=figures))
