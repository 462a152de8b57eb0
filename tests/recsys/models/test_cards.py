import numpy as np
import pytest

from recsys.catalog import Catalog, Kind
from recsys.interactions import Row, Rows
from recsys.models.base import Because
from recsys.models.cards import Cards
from tests.planted import item

# Videos 3 and 4 both sell product 0, video 4 also product 1; nobody shows product 2.
CATALOG = Catalog.of(
    [
        item(0),
        item(1),
        item(2),
        item(3, Kind.VIDEO, cards=("item-1000",)),
        item(4, Kind.VIDEO, cards=("item-1000", "item-1001")),
    ]
)


def row(items, weights):
    return Row(np.array(items, dtype=np.int32), np.array(weights, dtype=np.float32))


def fitted(*rows, **parameters):
    return Cards(**parameters).fit(Rows.of(list(rows), len(CATALOG)), CATALOG)


def test_a_video_leads_to_its_products():
    found = fitted().candidates(row([3, 4], [1, 2]), 5, None)
    assert found.items.tolist() == [0, 1]
    assert found.scores.tolist() == [3.0, 2.0]


def test_a_product_leads_to_its_videos_the_liked_one_first():
    model = fitted(row([4], [1]))
    assert model.candidates(row([0], [1]), 5, Kind.VIDEO).items.tolist() == [4, 3]


@pytest.mark.parametrize(("n_linked", "items"), [(1, [4]), (2, [4, 3])])
def test_only_so_many_links_are_kept(n_linked, items):
    model = fitted(row([4], [1]), n_linked=n_linked)
    assert model.candidates(row([0], [1]), 5, Kind.VIDEO).items.tolist() == items


def test_an_item_without_cards_leads_nowhere():
    assert len(fitted().candidates(row([2], [1]), 5, None).items) == 0


def test_the_reason_is_the_video_watched_most():
    model = fitted()
    assert model.because(row([3, 4], [1, 2]), np.array([0])) == [Because(item_idx=4)]
    assert model.because(row([3, 4], [2, 1]), np.array([0])) == [Because(item_idx=3)]
    assert model.because(row([3], [2]), np.array([1, 0])) == [None, Because(item_idx=3)]
