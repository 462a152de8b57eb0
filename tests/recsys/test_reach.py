"""Whom a scorer speaks for: groups of lists, and what a bundle does outside of them."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from recsys.bundle import check
from recsys.bundle_files import read, write
from recsys.catalog import Kind
from recsys.errors import BundleError
from recsys.events import EventType
from recsys.histories import UNDATED
from recsys.models.item_knn import ItemKNN
from recsys.reach import every_group, group_of, reached
from recsys.recommend import Request, recommend
from recsys.signing import SigningKey
from tests.planted import NOW, FixedForAll, event, history_of
from tests.planted_scorers import CATALOG, POPULAR, ranked

PRODUCT, VIDEO = "item-1001", "item-1006"


def past(*item_ids, dated=True, **more):
    history = history_of(CATALOG, *(event(one, **more) for one in item_ids))
    return history if dated else replace(history, at_ms=np.full_like(history.at_ms, UNDATED))


@pytest.mark.parametrize(
    ("history", "kind", "group"),
    [
        (past(), Kind.PRODUCT, "product: no past"),
        (past(PRODUCT), Kind.PRODUCT, "product: dated, own"),
        (past(PRODUCT), Kind.VIDEO, "video: dated, other"),
        (past(PRODUCT, VIDEO), Kind.VIDEO, "video: dated, own"),
        (past(VIDEO, dated=False), Kind.VIDEO, "video: undated, own"),
        (past(VIDEO, dated=False), Kind.PRODUCT, "product: undated, other"),
        (past(VIDEO, type=EventType.IMPRESSION), Kind.VIDEO, "video: no past"),
    ],
)
def test_a_list_belongs_to_a_group_by_kind_and_past(history, kind, group):
    assert group_of(history, kind, CATALOG) == group
    assert group in every_group()


def test_one_dated_act_makes_a_past_dated():
    history = past(VIDEO, dated=False).merged(past(VIDEO, at=NOW - timedelta(days=1)))
    assert group_of(history, Kind.VIDEO, CATALOG) == "video: dated, own"


def test_only_kinds_of_the_groups_are_reached():
    groups = ("product: dated, own", "video: undated, own")
    assert reached(groups, past(PRODUCT, VIDEO), tuple(Kind), CATALOG) == [Kind.PRODUCT]
    assert reached(groups, past(VIDEO, dated=False), tuple(Kind), CATALOG) == [Kind.VIDEO]
    assert reached(groups, past(), tuple(Kind), CATALOG) == []


def reaching(*groups):
    """Products ordered by price, the dearest first, in lists of some groups only."""
    return ranked({"popular": FixedForAll(items=POPULAR)}, reach={"home": groups})


def items(bundle, history, *kinds):
    request = Request(scene="home", user_id="user-5001", kinds=kinds, k=8)
    return recommend(request, history, bundle, at=NOW, list_id="list-1")


def test_a_scorer_orders_the_lists_of_its_groups():
    found = items(reaching("product: dated, other"), past(VIDEO), Kind.PRODUCT)
    assert found.items.tolist() == [5, 4, 3, 2, 1, 0]


def test_other_lists_keep_the_order_of_the_fusion_and_ask_no_scorer():
    found = items(reaching("product: dated, own"), past(VIDEO, dated=False), Kind.PRODUCT)
    assert found.items.tolist() == [0, 1, 2, 3, 4, 5]
    assert found.scored is None


def test_in_a_list_of_both_kinds_only_the_judged_one_is_ordered():
    history = past(PRODUCT)
    both = items(reaching("product: dated, own"), history, *Kind).items.tolist()
    free = items(reaching(), history, *Kind).items.tolist()
    dearest = items(reaching("product: dated, own"), history, Kind.PRODUCT).items.tolist()
    assert [one for one in both if one < 6] == dearest
    assert [one for one in both if one >= 6] == [one for one in free if one >= 6]


def test_a_scorer_that_reaches_nobody_changes_no_list():
    plain = ranked({"popular": FixedForAll(items=POPULAR)})
    plain = replace(
        plain, pipelines={**plain.pipelines, "home": replace(plain.pipelines["home"], scorer="")}
    )
    for history in (past(), past(PRODUCT), past(VIDEO, dated=False)):
        expected = items(plain, history, *Kind)
        assert items(reaching(), history, *Kind).items.tolist() == expected.items.tolist()


def test_the_reach_survives_the_bundle(tmp_path):
    key = SigningKey.load_or_make(tmp_path / "keys")
    bundle = ranked({"near": ItemKNN()}, reach={"home": ("product: dated, own",)})
    back = read(write(bundle, tmp_path / "bundles", key), key.public)
    assert dict(back.reach) == {"home": ("product: dated, own",)}


def test_a_group_nobody_knows_is_refused():
    with pytest.raises(BundleError, match="reaches lists of no known group"):
        check(ranked({"near": ItemKNN()}, reach={"home": ("everybody",)}))
