import numpy as np
import pytest

from recsys.catalog import Catalog, Kind
from recsys.interactions import Row, Rows
from recsys.models.tags import TagProfile
from tests.planted import item

CATALOG = Catalog.of(
    [
        item(0, tags=("辅食", "宝宝")),
        item(1, tags=("辅食",)),
        item(2, tags=("宝宝",)),
        item(3, tags=("钓鱼", "宝宝")),
        item(4, Kind.VIDEO, tags=("辅食", "宝宝")),
        item(5),
    ]
)


def row(items, weights):
    return Row(np.array(items, dtype=np.int32), np.array(weights, dtype=np.float32))


def fitted(*rows, **parameters):
    return TagProfile(**parameters).fit(Rows.of(list(rows), len(CATALOG)), CATALOG)


def test_the_score_by_hand():
    model = fitted(boost=0.0)
    # Smoothed idf, ln(7 / (1 + df)) + 1, of 辅食 (3 items) and 宝宝 (4).
    food, baby = np.log(7 / 4) + 1, np.log(7 / 5) + 1
    scores = model.score(Rows.of([row([1], [2])], len(CATALOG)))[0]
    assert scores[0] == pytest.approx(2 * food / np.hypot(food, baby))
    assert scores[1] == pytest.approx(2.0)
    assert np.isnan(scores[5])


@pytest.mark.parametrize(("weights", "tag"), [([1, 1], "辅食"), ([1, 3], "宝宝")])
def test_the_reason_is_the_tag_that_adds_most(weights, tag):
    """At equal weights the rarer tag adds more."""
    (because,) = fitted().because(row([1, 2], weights), np.array([4]))
    assert because is not None
    assert CATALOG.tag_names[because.tag_idx] == tag


def test_no_reason_without_a_common_tag():
    assert fitted().because(row([1], [1]), np.array([2, 5])) == [None, None]


def test_a_new_item_is_found_by_its_tags():
    found = fitted(row([0], [1])).candidates(row([1], [1]), 5, Kind.VIDEO)
    assert found.items.tolist() == [4]


def test_a_disliked_tag_pulls_down():
    model = fitted(boost=0.0)
    assert model.candidates(row([1, 3], [2, -6]), 9, Kind.PRODUCT).items.tolist() == [1]


@pytest.mark.parametrize(("boost", "first"), [(0.0, 1), (2.0, 0)])
def test_popularity_counts_as_much_as_is_said(boost, first):
    crowd = [row([0], [1])] * 20
    found = fitted(*crowd, boost=boost).candidates(row([1], [1]), 9, Kind.PRODUCT)
    assert found.items[0] == first


@pytest.mark.parametrize(("n_tags", "items"), [(1, [1]), (2, [1, 2])])
def test_only_the_strongest_tags_bring_items(n_tags, items):
    model = fitted(n_tags=n_tags, n_postings=1, boost=0.0)
    assert model.candidates(row([1, 2], [2, 1]), 9, Kind.PRODUCT).items.tolist() == items
