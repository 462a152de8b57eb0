import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.catalog import Kind
from recsys.models.index import IndexByKind, VectorIndex

N_FACTORS = 16


def vectors_of(n: int, seed: int = 0) -> np.ndarray:
    """Vectors of very different length around a few dozen directions."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(30, N_FACTORS))
    lengths = rng.lognormal(sigma=1.0, size=(n, 1))
    near = centres[rng.integers(0, 30, n)] + 0.7 * rng.normal(size=(n, N_FACTORS))
    return (lengths * near).astype(np.float32)


def everything(n: int) -> np.ndarray:
    return np.arange(n, dtype=np.int32)


@given(n=st.integers(1, 200), seed=st.integers(0, 5))
def test_every_item_is_in_exactly_one_cell(n, seed):
    index = VectorIndex.of(vectors_of(n, seed), everything(n), seed)
    assert sorted(index.cells.targets.tolist()) == list(range(n))
    assert len(index.centres) == len(index.cells.offsets) - 1


@given(n=st.integers(1, 400), wanted=st.integers(1, 400))
def test_cells_are_taken_until_they_hold_enough(n, wanted):
    index = VectorIndex.of(vectors_of(n), everything(n), seed=0)
    found, _ = index.looked_at(vectors_of(1, seed=9)[0], wanted)
    assert len(found) >= min(n, wanted)
    assert len(found) <= wanted + np.diff(index.cells.offsets).max()
    assert len(np.unique(found)) == len(found)


def test_a_twentieth_of_the_items_holds_nearly_all_of_the_best():
    n = 20_000
    vectors = vectors_of(n)
    index, shares = VectorIndex.of(vectors, everything(n), seed=0), []
    for query in vectors_of(50, seed=1):
        best = np.argsort(-(vectors @ query))[:20]
        shares.append(np.isin(best, index.best(query, n // 20, vectors, 40, 20).items).mean())
    assert np.mean(shares) > 0.9


def test_alike_vectors_do_not_make_a_giant_cell():
    """Half of all items are the same; a query of another kind must not have to read them."""
    vectors = vectors_of(10_000)
    vectors[:5_000] = vectors[0]
    sizes = np.diff(VectorIndex.of(vectors, everything(10_000), seed=0).cells.offsets)
    assert sizes.max() <= 4 * 100


def test_what_has_no_direction_is_left_out():
    vectors = vectors_of(50)
    vectors[10:20] = 0
    found, _ = VectorIndex.of(vectors, everything(50), seed=0).looked_at(vectors[0], 50)
    assert sorted(found.tolist()) == [*range(10), *range(20, 50)]
    nothing = np.zeros_like(vectors)
    index = VectorIndex.of(nothing, everything(50), 0)
    assert len(index.best(vectors[0], 5, nothing, 5, 5).items) == 0


@pytest.mark.parametrize("within", [Kind.PRODUCT, Kind.VIDEO, None])
def test_only_the_wanted_kind(within):
    kind = (np.arange(300) % 2).astype(np.int8)
    vectors = vectors_of(300)
    index = IndexByKind.of(vectors, kind, seed=0)
    asked = (vectors[3], 300, vectors, 300, 300)
    found = np.concatenate([one.best(*asked).items for one in index.within(within)])
    speaks = vectors @ vectors[3] > 0
    allowed = np.flatnonzero(speaks if within is None else speaks & (kind == within))
    # A product near 0 may come out on its other side.
    assert len(np.setxor1d(found, allowed)) <= 5


def test_products_are_told_to_a_hundredth():
    vectors = vectors_of(300)
    index = VectorIndex.of(vectors, everything(300), seed=0)
    items, told = index.looked_at(vectors[3], 300)
    lengths = np.linalg.norm(vectors[items], axis=1) * np.linalg.norm(vectors[3])
    assert (np.abs(told - vectors[items] @ vectors[3]) < 0.01 * lengths).all()


def test_the_same_seed_gives_the_same_cells():
    one, other = (VectorIndex.of(vectors_of(500), everything(500), seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.centres, other.centres)
    np.testing.assert_array_equal(one.cells.targets, other.cells.targets)
