"""Every model keeps the contract of recsys/models/base.py, in a world of two tastes."""

from typing import get_type_hints

import numpy as np
import pytest

from recsys.arrays import built, flat, load, save
from recsys.catalog import Catalog, Kind
from recsys.errors import NotFitted, UnknownModel
from recsys.interactions import Row, Rows
from recsys.models.base import Because, learned_names, parameters
from recsys.models.served_loss import sampled, served_recall
from recsys.models.table import MODELS, model_named
from tests.planted import NOW
from tests.planted import item as planted_item

PERSONAL = [name for name, cls in MODELS.items() if cls.is_personal]
K = 5
N_EACH = 8
# Enough that pairs of one taste are no luck, for models that leave luck out.
N_PEOPLE = 240
# Positions: products of taste A, of taste B, videos of A, of B, then a product nobody touched.
PRODUCTS = (np.arange(8), np.arange(8, 16))
VIDEOS = (np.arange(16, 24), np.arange(24, 32))
UNTOUCHED = 32
N_ITEMS = 33


def item(number, kind=Kind.PRODUCT, **more):
    """Published today, as models of what is new want it."""
    return planted_item(number, kind, published_at=NOW, **more)


def world() -> Catalog:
    def cards(number):
        return tuple(f"item-{1000 + (number + step) % N_EACH}" for step in range(3))

    def other_cards(number):
        return tuple(f"item-{1008 + (number + step) % N_EACH}" for step in range(3))

    one, other = (
        {"tags": (tag,), "creator_id": f"creator-{tag}", "attributes": {"颜色": tag}}
        for tag in ("辅食", "钓鱼")
    )
    return Catalog.of(
        [item(n, **one) for n in PRODUCTS[0]]
        + [item(n, **other) for n in PRODUCTS[1]]
        + [item(n, Kind.VIDEO, cards=cards(n), **one) for n in VIDEOS[0]]
        + [item(n, Kind.VIDEO, cards=other_cards(n), **other) for n in VIDEOS[1]]
        + [item(UNTOUCHED)]
    )


CATALOG = world()


def row(items, weights=None) -> Row:
    items = np.sort(np.array(items, dtype=np.int32))
    weights = np.ones(len(items)) if weights is None else weights
    return Row(items, np.array(weights, dtype=np.float32))


def people(seed: int = 0) -> Rows:
    """Each likes three products and three videos of one taste, a few dislike something."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(N_PEOPLE):
        taste = person % 2
        liked = [rng.choice(of[taste], 3, replace=False) for of in (PRODUCTS, VIDEOS)]
        disliked = rng.choice(PRODUCTS[1 - taste], int(person % 5 == 0), replace=False)
        items = np.concatenate([*liked, disliked]).astype(np.int32)
        weights = np.where(np.isin(items, disliked), -2, rng.integers(1, 4, len(items)))
        order = np.argsort(items)
        rows.append(Row(items[order], weights[order].astype(np.float32)))
    return Rows.of(rows, N_ITEMS)


def rows_of(*rows: Row) -> Rows:
    return Rows.of(list(rows), N_ITEMS)


def learned(model) -> dict[str, np.ndarray]:
    found = {}
    for name in learned_names(model):
        found |= flat(getattr(model, name), name)
    return found


def assert_same_arrays(one, other):
    one, other = learned(one), learned(other)
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].dtype == other[name].dtype
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.fixture(scope="module", params=MODELS)
def cls(request):
    return MODELS[request.param]


@pytest.fixture(scope="module")
def model(cls):
    return cls().fit(people(), CATALOG)


@pytest.fixture(scope="module", params=PERSONAL)
def personal(request):
    return MODELS[request.param]().fit(people(), CATALOG)


ONE = row([0, 1, 16, 24], [2, 1, 3, -1])


@pytest.mark.parametrize(
    "ask",
    [
        lambda model: model.score(rows_of(ONE)),
        lambda model: model.candidates(ONE, K, None),
        lambda model: model.score_of(ONE, np.array([2])),
        lambda model: model.because(ONE, np.array([2])),
    ],
)
def test_an_unfitted_model_refuses(cls, ask):
    with pytest.raises(NotFitted, match=f"{cls.__name__} has not learned yet"):
        ask(cls())


def test_fit_returns_the_model_itself(cls):
    model = cls()
    assert model.fit(people(), CATALOG) is model


def test_parameters_are_plain_values_that_make_the_same_model(cls):
    said = parameters(cls())
    assert all(isinstance(value, int | float | str) for value in said.values())
    assert parameters(cls(**said)) == said


def test_scores_have_shape_and_type(model):
    scores = model.score(people())
    assert scores.shape == (N_PEOPLE, N_ITEMS)
    assert scores.dtype == np.float32
    assert not np.isinf(scores).any()


@pytest.mark.parametrize("within", [Kind.PRODUCT, Kind.VIDEO, None])
def test_candidates_have_types_and_fall_in_score(model, within):
    found = model.candidates(ONE, K, within)
    assert found.items.dtype == np.int32
    assert found.scores.dtype == np.float32
    assert found.items.shape == found.scores.shape
    assert (np.diff(found.scores) <= 0).all()
    assert (found.scores > 0).all()


@pytest.mark.parametrize("k", [1, 3, 100])
def test_at_most_k_items_each_once(model, k):
    items = model.candidates(ONE, k, None).items
    assert 0 < len(items) <= k
    assert len(set(items.tolist())) == len(items)


@pytest.mark.parametrize("within", list(Kind))
def test_only_the_wanted_kind(model, within):
    found = model.candidates(ONE, 100, within)
    assert len(found.items) > 0
    assert (CATALOG.kind[found.items] == within).all()


def test_a_batch_says_what_each_row_alone_says(model):
    rows = people()
    together = model.score(rows)
    alone = np.concatenate([model.score(rows_of(rows[p])) for p in range(len(rows))])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("within", [Kind.PRODUCT, Kind.VIDEO, None])
def test_candidates_are_the_best_of_score(model, within):
    rows = people(seed=7)
    allowed = np.arange(N_ITEMS) if within is None else CATALOG.of_kind(within)
    for person, scores in enumerate(model.score(rows)):
        best = np.sort(scores[allowed][scores[allowed] > 0])[::-1][:K]
        found = model.candidates(rows[person], K, within)
        np.testing.assert_allclose(found.scores, best, rtol=1e-4)
        np.testing.assert_allclose(found.scores, scores[found.items], rtol=1e-4)


def test_score_of_some_items_is_that_of_candidates_and_of_all(model):
    rows = people(seed=7)
    for person, scores in enumerate(model.score(rows)):
        found = model.candidates(rows[person], N_ITEMS, None)
        again = model.score_of(rows[person], found.items)
        np.testing.assert_allclose(again, found.scores, rtol=1e-4, atol=1e-5)
        every = model.score_of(rows[person], np.arange(N_ITEMS))
        assert every.dtype == np.float32
        np.testing.assert_allclose(
            np.nan_to_num(every), np.nan_to_num(scores), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(
    "nothing", [row([]), row([0], [-1]), row([0, 17], [-2, -3])], ids=["empty", "one", "two"]
)
def test_no_opinion_without_anything_liked(personal, nothing):
    assert len(personal.candidates(nothing, K, None).items) == 0
    assert np.isnan(personal.score(rows_of(nothing))).all()
    assert np.isnan(personal.score_of(nothing, np.arange(N_ITEMS))).all()
    assert personal.because(nothing, np.array([1])) == [None]


def test_nobody_liked_means_no_opinion(cls):
    model = cls().fit(rows_of(), CATALOG)
    assert np.isfinite(model.candidates(ONE, K, None).scores).all()
    assert model.score(rows_of(ONE)).shape == (1, N_ITEMS)


def test_an_empty_shop_is_no_error(cls):
    model = cls().fit(Rows.of([], 0), Catalog.of([]))
    assert len(model.candidates(row([]), K, None).items) == 0
    assert model.score(Rows.of([row([])], 0)).shape == (1, 0)


def test_an_item_nobody_touched_is_accepted(model):
    found = model.candidates(row([1, UNTOUCHED]), 100, None)
    assert UNTOUCHED not in found.items
    alone = model.score(rows_of(row([UNTOUCHED])))
    assert not (alone[0, UNTOUCHED] > 0)


def test_refit_forgets(cls):
    model = cls().fit(people(), CATALOG)
    assert_same_arrays(model.fit(people(seed=3), CATALOG), cls().fit(people(seed=3), CATALOG))


def test_the_same_seed_gives_the_same_arrays(cls):
    assert_same_arrays(cls().fit(people(), CATALOG), cls().fit(people(), CATALOG))


def test_input_is_left_alone(cls):
    rows, before = people(), people()
    cls().fit(rows, CATALOG).score(rows)
    for name in ("offsets", "items", "weights"):
        np.testing.assert_array_equal(getattr(rows, name), getattr(before, name))


def test_arrays_survive_the_disk_bit_for_bit(model, cls, tmp_path):
    save(learned(model), tmp_path)
    arrays, again, hints = load(tmp_path), cls(**parameters(model)), get_type_hints(cls)
    for name in learned_names(model):
        setattr(again, name, built(hints[name], arrays, name))
    assert_same_arrays(model, again)
    mine, theirs = model.candidates(ONE, K, None), again.candidates(ONE, K, None)
    np.testing.assert_array_equal(mine.items, theirs.items)
    np.testing.assert_array_equal(mine.scores, theirs.scores)


@pytest.mark.parametrize("taste", [0, 1])
@pytest.mark.parametrize(
    ("had", "wanted", "within"),
    [(VIDEOS, PRODUCTS, Kind.PRODUCT), (PRODUCTS, VIDEOS, Kind.VIDEO)],
    ids=["videos to products", "products to videos"],
)
def test_one_half_of_a_taste_brings_the_other(personal, taste, had, wanted, within):
    only = row(had[taste][:4])
    found = personal.candidates(only, K, within).items
    assert len(found) == K
    assert np.isin(found, wanted[taste]).all()


def test_the_planted_item_comes_first(cls):
    """Everyone of a taste has item 5 in addition; who lacks it gets it before all they lack."""
    rows = people()
    fans = [row(np.union1d(rows[p].items, [5, 21])) for p in range(0, N_PEOPLE, 2)]
    others = [row(rows[p].items[rows[p].weights > 0]) for p in range(1, N_PEOPLE, 2)]
    model = cls().fit(rows_of(*fans, *others), CATALOG)
    found = model.candidates(row([19, 20, 3, 4]), 100, Kind.PRODUCT).items
    assert found[~np.isin(found, [3, 4])][0] == 5


def test_a_dislike_is_never_the_reason(personal):
    mixed = row([1, 9, 18, 26], [2, -3, 2, -3])
    for because in personal.because(mixed, personal.candidates(mixed, 100, None).items):
        assert because is not None
        assert because.item_idx in (1, 18) or CATALOG.tag_names[because.tag_idx] == "辅食"


def test_a_model_for_everybody_says_so():
    model = MODELS["popularity"]().fit(people(), CATALOG)
    assert model.because(ONE, np.array([0, UNTOUCHED])) == [Because(), None]


def test_served_loses_nothing_in_a_small_world(model):
    rows = sampled(people(), 20, seed=0)
    for kind in (Kind.PRODUCT, Kind.VIDEO, None):
        assert served_recall(model, rows, CATALOG, kind=kind, k=K) == 1.0


def test_the_table_refuses_other_names():
    assert model_named("als") is MODELS["als"]
    with pytest.raises(UnknownModel, match="no model 'svd'; allowed: popularity, item_knn, als"):
        model_named("svd")
