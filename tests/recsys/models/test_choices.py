import numpy as np
import pytest

from recsys.catalog import Catalog, Kind
from recsys.events import EventType, choice_key, millis
from recsys.histories import Histories
from recsys.models.choices import Choices
from tests.planted import NOW, event, history_of, item, taste_of

COLOURS = ("黑色", "白色")
# A video that asks, and ten products of each colour; one says it in capitals of another script.
CATALOG = Catalog.of(
    [item(0, Kind.VIDEO)]
    + [item(n, attributes={"颜色": COLOURS[n % 2]}) for n in range(1, 21)]
    + [item(21, attributes={"color": "BLACK"}), item(22, attributes={"颜色": "", "尺码": "L"})]
)
TASTE = taste_of(CATALOG)


def row(*events):
    return TASTE.row(history_of(CATALOG, *events), millis(NOW))


def chose(answer, number=0):
    return event(f"item-{1000 + number}", EventType.CHOOSE, choice=answer)


@pytest.fixture(scope="module")
def model():
    return Choices().fit(TASTE.rows(Histories.of([]), millis(NOW)), CATALOG)


@pytest.mark.parametrize("answer", COLOURS)
def test_answer_is_a_wish_for_that_value(model, answer):
    found = model.candidates(row(chose(answer)), 50, Kind.PRODUCT).items.tolist()
    assert found == [n for n in range(1, 21) if COLOURS[n % 2] == answer]


def test_letters_may_be_small_or_capital(model):
    assert model.candidates(row(chose(" black ")), 5, None).items.tolist() == [21]
    assert choice_key("Black") == choice_key("BLACK ") != choice_key("white")


def test_answer_outweighs_what_liked_items_are_like(model):
    viewed = [event(f"item-{1000 + n}", EventType.VIEW) for n in (2, 4, 6)]
    assert COLOURS[model.candidates(row(*viewed), 1, None).items[0] % 2] == "黑色"
    found = model.candidates(row(*viewed, chose("白色")), 1, None).items
    assert COLOURS[found[0] % 2] == "白色"


def test_answer_that_no_item_has_says_nothing(model):
    assert len(model.candidates(row(chose("绿色")), 5, None).items) == 0
    assert len(model.candidates(row(event("item-1000", EventType.CHOOSE)), 5, None).items) == 0


def test_reason_is_the_item_that_asked(model):
    (because,) = model.because(row(chose("白色")), np.array([1], dtype=np.int32))
    assert because.item_idx == 0


def test_shop_without_attributes_has_no_opinion():
    catalog = Catalog.of([item(0, Kind.VIDEO), item(1)])
    model = Choices().fit(taste_of(catalog).rows(Histories.of([]), millis(NOW)), catalog)
    said = taste_of(catalog).row(history_of(catalog, chose("白色")), millis(NOW))
    assert len(model.candidates(said, 5, None).items) == 0
