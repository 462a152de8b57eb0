import numpy as np
import pytest
from scipy.stats import chi2_contingency

from recsys.catalog import Catalog, Kind
from recsys.interactions import Row, Rows
from recsys.models.alignment import MIN_ALIKE, aligned, alike_texts, likelihood_ratio
from recsys.models.traits import Group, Traits
from tests.planted import item

OUTDOOR, BAKING, SHOE, MIXER = "户外运动", "甜品时间", "登山鞋", "厨师机"
N_EACH = 10


def world(products: tuple[str, str] = (SHOE, MIXER)) -> Catalog:
    """Ten videos and ten products of each of two tastes, under different names."""
    tags = [OUTDOOR, BAKING, *products]
    kinds = [Kind.VIDEO, Kind.VIDEO, Kind.PRODUCT, Kind.PRODUCT]
    return Catalog.of(
        [
            item(10 * group + number, kinds[group], tags=(tags[group],))
            for group in range(4)
            for number in range(N_EACH)
        ]
    )


def people(n_people: int, *, crosses: bool = False, seed: int = 0) -> Rows:
    """Each likes three videos of one taste and three products of it, or of the other."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(n_people):
        taste = person % 2
        of_products = 1 - taste if crosses else taste
        chosen = [rng.choice(N_EACH, 3, replace=False) + 10 * g for g in (taste, 2 + of_products)]
        items = np.sort(np.concatenate(chosen)).astype(np.int32)
        rows.append(Row(items, np.ones(6, dtype=np.float32)))
    return Rows.of(rows, 4 * N_EACH)


def led(catalog: Catalog, rows: Rows, name: str, kind: Kind, to: Kind) -> dict[str, float]:
    """The traits of one kind of item that a trait leads to, with how much."""
    traits = Traits.of(catalog, frozenset({Group.TAG}))
    lists = aligned(traits, rows, np.ones(len(traits), dtype=np.float32), 15)
    at = next(t for t in traits.of_kind(kind) if traits.names[t] == name)
    span = slice(lists.offsets[at], lists.offsets[at + 1])
    return {
        traits.names[other]: float(score)
        for other, score in zip(lists.items[span], lists.scores[span], strict=True)
        if traits.kind[other] == to
    }


@pytest.mark.parametrize(("video", "product"), [(OUTDOOR, SHOE), (BAKING, MIXER)])
def test_the_same_people_align_tags_both_ways(video, product):
    rows = people(60)
    assert set(led(world(), rows, video, Kind.VIDEO, Kind.PRODUCT)) == {product}
    assert set(led(world(), rows, product, Kind.PRODUCT, Kind.VIDEO)) == {video}


def test_chance_aligns_nothing():
    """Four people are no evidence; nor are many who like everything alike."""
    assert led(world(), people(4), OUTDOOR, Kind.VIDEO, Kind.PRODUCT) == {}
    mixed = Rows.of(
        [one[p] for one in (people(60), people(60, crosses=True)) for p in range(60)], 40
    )
    assert led(world(), mixed, OUTDOOR, Kind.VIDEO, Kind.PRODUCT) == {}


def test_texts_align_where_there_are_no_people():
    catalog = world(("户外鞋", MIXER))
    assert set(led(catalog, people(0), OUTDOOR, Kind.VIDEO, Kind.PRODUCT)) == {"户外鞋"}


def test_many_people_overrule_the_texts():
    catalog = world(("户外鞋", "甜品勺"))
    found = led(catalog, people(200, crosses=True), OUTDOOR, Kind.VIDEO, Kind.PRODUCT)
    assert found["甜品勺"] > 3 * found.get("户外鞋", 0.0)


def test_within_a_kind_a_tag_leads_to_itself():
    assert set(led(world(), people(60), OUTDOOR, Kind.VIDEO, Kind.VIDEO)) == {OUTDOOR}


def test_texts_are_alike_by_words_and_characters():
    names = ("户外运动", "户外", "登山鞋")
    catalog = Catalog.of([item(n, tags=(name,)) for n, name in enumerate(names)])
    alike = alike_texts(Traits.of(catalog, frozenset({Group.TAG}))).toarray()
    assert np.diag(alike) == pytest.approx(np.ones(3))
    assert MIN_ALIKE <= alike[0, 1] == pytest.approx(alike[1, 0])
    assert alike[0, 2] == alike[1, 2] == 0


def test_creators_are_like_themselves_only():
    catalog = Catalog.of(
        [item(n, Kind.VIDEO, creator_id=f"creator-30{n}", tags=("creator-300",)) for n in range(2)]
    )
    alike = alike_texts(Traits.of(catalog, frozenset({Group.TAG, Group.CREATOR}))).toarray()
    assert alike == pytest.approx(np.eye(3))


@pytest.mark.parametrize(("a", "b", "c", "d"), [(12, 5, 3, 80), (1, 9, 9, 81), (0, 6, 7, 30)])
def test_the_ratio_is_that_of_scipy(a, b, c, d):
    expected = chi2_contingency([[a, b], [c, d]], correction=False, lambda_="log-likelihood")
    one = [np.array([float(value)]) for value in (a, a + b, a + c)]
    assert likelihood_ratio(*one, a + b + c + d)[0] == pytest.approx(expected.statistic)
