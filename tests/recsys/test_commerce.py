from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.catalog import Catalog, Kind
from recsys.commerce import NO_LEAN, leaning, void_opinions
from recsys.events import EventType
from recsys.histories import History
from recsys.overlay import Overlay
from recsys.pipeline import Source
from recsys.recommend import Request, recommend
from tests.planted import NOW, Fixed, FixedForAll, bundle_of, event, history_of, item

N = 12
PRODUCTS = Catalog.of([item(n, commission_bp=0) for n in range(N)])


@dataclass
class Ordered:
    items: np.ndarray
    scores: np.ndarray


def paid(rates):
    return replace(PRODUCTS, commission_bp=np.array(rates, dtype=np.int32))


@given(
    scores=st.lists(st.floats(-100, 100), min_size=N, max_size=N),
    rates=st.lists(st.integers(0, 10_000), min_size=N, max_size=N),
    may_lose=st.floats(0, 1),
    k=st.integers(1, N),
)
def test_nothing_passes_what_was_better_by_more_than_may_be_lost(scores, rates, may_lose, k):
    before = np.array(scores)
    found, lean = leaning(Ordered(np.arange(N), before), paid(rates), may_lose, k)
    falling = np.sort(before)[::-1]
    bound = may_lose * (falling[0] - falling[k - 1])
    order = np.argsort(-found, kind="stable")
    for place, one in enumerate(order):
        # Whatever stands below it was not better by more than the bound.
        assert before[order[place:]].max() - before[one] <= bound + 1e-9
    assert lean.loss <= may_lose + 1e-9


def test_tie_goes_to_the_higher_commission_and_is_told():
    scores = np.array([10.0, 9.99, 9.98, *np.linspace(8, 0, N - 3)])
    rates = [0, 0, 3_000, *[0] * (N - 4), 9_000]
    found, lean = leaning(Ordered(np.arange(N), scores), paid(rates), 0.01, N)
    # A third of 1 % of 10 is 0.033: enough to pass two, worth 0.02 of 10 at most.
    assert np.argsort(-found)[:3].tolist() == [2, 0, 1]
    assert np.argsort(-found)[-1] == N - 1
    assert lean.moved == 3
    assert lean.loss == pytest.approx(0.002)


@pytest.mark.parametrize(("rates", "may_lose"), [([0] * N, 0.5), ([1] * N, 0.0)])
def test_without_commissions_or_leave_nothing_moves(rates, may_lose):
    scores = np.linspace(1, 0, N)
    found, lean = leaning(Ordered(np.arange(N), scores), paid(rates), may_lose, N)
    assert found is scores
    assert lean == NO_LEAN


def test_list_tells_what_commissions_did_to_it_and_nothing_is_done_silently():
    catalog = Catalog.of([item(n, commission_bp=5_000 * (n == 1)) for n in range(5)])
    bundle = bundle_of(catalog, {"all": FixedForAll(items=tuple(range(5)))})

    def served(loss):
        pipelines = {s: replace(p, commission_loss=loss) for s, p in bundle.pipelines.items()}
        request = Request(scene="home", kinds=(Kind.PRODUCT,))
        paying = replace(bundle, pipelines=pipelines)
        return recommend(request, History.empty(), paying, at=NOW, list_id="list-1").served

    # Reciprocal ranks 1/61 … 1/65: the first two lie 0.26 of the whole distance apart.
    assert served(0.0).commission is None
    assert served(0.1).commission is None
    assert [one.item_id for one in served(0.3).items][:2] == ["item-1001", "item-1000"]
    assert served(0.3).commission == {"moved": 2, "loss": pytest.approx(0.262, abs=0.001)}


# Video 0 shows products 2 and 3; video 1 shows nothing.
SHOP = [
    item(0, Kind.VIDEO, cards=("item-1002", "item-1003")),
    item(1, Kind.VIDEO),
    item(2),
    item(3),
]


@pytest.mark.parametrize(
    ("stocks", "is_void"), [((None, None), False), ((0, None), False), ((0, 0), True)]
)
def test_opinion_about_cards_is_void_once_all_are_gone(stocks, is_void):
    now = [item(n, stock=stock) for n, stock in zip((2, 3), stocks, strict=True)]
    catalog = Overlay.of(Catalog.of(SHOP)).with_items(now).catalog()
    void = void_opinions(np.arange(4, dtype=np.int32), ["taste", "cards"], catalog)
    if not is_void:
        assert void is None
    else:
        assert void.tolist() == [[False] * 4, [True, False, False, False]]


def test_video_whose_products_are_gone_keeps_its_place_as_content_only():
    catalog = Catalog.of(SHOP)
    models = {"cards": Fixed(items=(0,)), "taste": Fixed(items=(1, 0))}
    sources = (Source(name="cards", model="cards", weight=5.0), Source(name="taste", model="taste"))
    bundle = bundle_of(catalog, models, sources)
    history = history_of(catalog, event("item-1002", EventType.VIEW))

    def shown(bundle):
        request = Request(scene="home", kinds=(Kind.VIDEO,))
        return recommend(request, history, bundle, at=NOW, list_id="list-1").served.items

    assert [one.item_id for one in shown(bundle)] == ["item-1000", "item-1001"]
    gone = Overlay.of(catalog).with_items([item(2, stock=0), item(3, available=False)])
    left = shown(bundle.now_with(gone))
    assert [one.item_id for one in left] == ["item-1001", "item-1000"]
    assert {one.source for one in left} == {"taste"}
