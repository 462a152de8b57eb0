import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.catalog import Catalog, Kind
from recsys.interactions import Row, Rows
from recsys.models.telling import MOST, tells
from recsys.models.traits import Group, Traits
from tests.planted import item

TASTES = ("露营", "烘焙", "养宠", "咖啡")
NOISE = "感谢快手我要上热门"
N_VIDEOS, N_PEOPLE = 120, 80


def world(seed: int, *, with_categories: bool) -> Catalog:
    """Videos of four tastes, a third of all of them with the promotion tag."""
    rng = np.random.default_rng(seed)
    noisy = rng.random(N_VIDEOS) < 1 / 3
    return Catalog.of(
        [
            item(
                number,
                Kind.VIDEO,
                tags=(TASTES[number % 4], *([NOISE] if noisy[number] else [])),
                category=(f"类{number % 4}",) if with_categories else (),
            )
            for number in range(N_VIDEOS)
        ]
    )


def people(seed: int, n_people: int = N_PEOPLE) -> Rows:
    """Each likes ten videos, nine of one taste."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(n_people):
        own = rng.choice(np.arange(person % 4, N_VIDEOS, 4), 9, replace=False)
        items = np.union1d(own, rng.integers(N_VIDEOS)).astype(np.int32)
        rows.append(Row(items, np.ones(len(items), dtype=np.float32)))
    return Rows.of(rows, N_VIDEOS)


def told(catalog: Catalog, rows: Rows) -> dict[str, float]:
    traits = Traits.of(catalog, frozenset({Group.TAG}))
    return dict(zip(traits.names, tells(traits, rows, catalog).tolist(), strict=True))


@pytest.mark.parametrize(
    ("with_categories", "n_people"),
    [(True, N_PEOPLE), (False, N_PEOPLE), (True, 0)],
    ids=["both", "people alone", "catalogue alone"],
)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_promotion_tag_tells_less_than_any_taste(with_categories, n_people, seed):
    found = told(world(seed, with_categories=with_categories), people(seed, n_people))
    assert found[NOISE] < 0.5 * min(found[taste] for taste in TASTES)
    assert all(0 <= value <= MOST for value in found.values())


def test_what_nobody_knows_tells_as_much_as_an_ordinary_tag():
    found = told(world(1, with_categories=False), people(1, 0))
    assert set(found.values()) == {1.0}


def test_a_tag_of_one_video_is_not_taken_for_the_surest():
    """Its topic is one, as are those of 30 videos of a taste; few observations prove less."""
    plain = world(3, with_categories=True)
    rare = Catalog.of(
        [
            *[
                item(
                    number,
                    Kind.VIDEO,
                    tags=tuple(plain.tag_names[tag] for tag in plain.tags.row(number)),
                    category=(f"类{number % 4}",),
                )
                for number in range(N_VIDEOS)
            ],
            item(N_VIDEOS, Kind.VIDEO, tags=("独一",), category=("类0",)),
        ]
    )
    found = told(rare, Rows.of([], N_VIDEOS + 1))
    assert found[NOISE] < found["独一"] < min(found[taste] for taste in TASTES)


def test_no_items_no_traits():
    assert told(Catalog.of([]), Rows.of([], 0)) == {}
