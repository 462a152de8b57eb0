from dataclasses import replace

import numpy as np
import pytest

from recsys.catalog import Catalog, Item, Kind
from recsys.events import EventType
from recsys.interactions import Row, Rows
from recsys.models.aligned_tags import AlignedTags
from recsys.models.base import Because
from recsys.models.newness import Newness
from recsys.models.trend import TasteTrend
from recsys.recommend import Request, recommend
from tests.planted import NOW, bundle_of, event, history_of, item

VIDEO, PRODUCT = Kind.VIDEO, Kind.PRODUCT
OUTDOOR, SHOE = "户外运动", "登山鞋"
NOISE = "感谢快手我要上热门"
# Of two tastes: ten videos and ten products each, in words that have nothing in common.
WORDS = ((OUTDOOR, SHOE), ("甜品时间", "厨师机"))
N_EACH = 10


def row(items, weights=None) -> Row:
    weights = np.ones(len(items)) if weights is None else weights
    return Row(np.array(items, dtype=np.int32), np.array(weights, dtype=np.float32))


def world(*more) -> Catalog:
    """Positions: videos of the first taste, of the second, then products; then `more`."""
    return Catalog.of(
        [
            item(N_EACH * (2 * side + taste) + number, kind, tags=(WORDS[taste][side],))
            for side, kind in enumerate((VIDEO, PRODUCT))
            for taste in range(2)
            for number in range(N_EACH)
        ]
        + [item(40 + number, kind, **said) for number, (kind, said) in enumerate(more)]
    )


def people(n_items: int, n_people: int = 60) -> Rows:
    """Each likes three videos and three products of one taste."""
    rng = np.random.default_rng(0)
    rows = []
    for person in range(n_people):
        chosen = [rng.choice(N_EACH, 3, replace=False) + 10 * (person % 2 + g) for g in (0, 2)]
        rows.append(row(np.sort(np.concatenate(chosen))))
    return Rows.of(rows, n_items)


def fitted(catalog: Catalog, **parameters) -> AlignedTags:
    return AlignedTags(**parameters).fit(people(len(catalog)), catalog)


@pytest.mark.parametrize("taste", [0, 1])
def test_videos_lead_to_products_of_other_words(taste):
    model = fitted(world())
    found = model.candidates(row([10 * taste]), 20, PRODUCT).items
    assert sorted(found.tolist()) == list(range(20 + 10 * taste, 30 + 10 * taste))


def test_the_reason_is_the_tag_one_had_not_the_one_it_led_to():
    catalog = world()
    (because,) = fitted(catalog).because(row([0, 1]), np.array([25]))
    assert because == Because(tag_idx=catalog.tag_names.find(OUTDOOR))


def test_the_sentence_is_true():
    catalog = world()
    model = AlignedTags()
    bundle = bundle_of(catalog, {"aligned_tags": model})
    model.fit(people(len(catalog)), catalog)
    history = history_of(catalog, event("item-1000", EventType.PLAY, play_s=30.0))
    request = Request(scene="home", kinds=(PRODUCT,), k=5)
    served = recommend(request, history, bundle, at=NOW, list_id="l").served
    assert {one.reason for one in served.items} == {f"watched {OUTDOOR} videos"}
    assert served.personalised


def test_a_new_item_is_found_by_title_and_category_alone():
    said = {"category": ("户外", "徒步")}
    catalog = world((VIDEO, said), (PRODUCT, said), (PRODUCT, {"category": ("烘焙",)}))
    found = fitted(catalog).candidates(row([40]), 9, PRODUCT).items
    assert found.tolist() == [41]


def test_what_is_no_tag_is_told_as_the_own_item():
    said = {"category": ("户外", "徒步")}
    catalog = world((VIDEO, said), (VIDEO, said), (PRODUCT, said))
    model = fitted(catalog)
    assert model.because(row([40, 41], [1, 3]), np.array([42])) == [Because(item_idx=41)]


def test_words_of_titles_lead_from_videos_to_products():
    catalog = world((VIDEO, {}), (PRODUCT, {}))
    titles = [f"标题{number}" for number in range(40)] + ["周末带帐篷去山里", "黑胶帐篷"]
    items = [item(n, Kind(catalog.kind[n])) for n in range(42)]
    titled = Catalog.of([replace(i, title=t) for i, t in zip(items, titles, strict=True)])
    assert fitted(titled).candidates(row([40]), 9, PRODUCT).items.tolist() == [41]
    assert len(fitted(titled, words=0.0).candidates(row([40]), 9, PRODUCT).items) == 0


@pytest.mark.parametrize(("creators", "found"), [(0.5, [41]), (0.0, [])])
def test_a_creator_leads_to_their_other_videos(creators, found):
    said = {"creator_id": "creator-301"}
    model = fitted(world((VIDEO, said), (VIDEO, said)), creators=creators)
    items = model.candidates(row([40]), 9, VIDEO).items
    assert items[items != 40].tolist() == found


def noisy_world(seed: int) -> Catalog:
    """A third of all videos, of both tastes, has the promotion tag."""
    rng = np.random.default_rng(seed)
    return Catalog.of(
        [
            item(
                number,
                VIDEO,
                tags=(WORDS[number % 2][0], *([NOISE] if rng.random() < 1 / 3 else [])),
            )
            for number in range(60)
        ]
        + [item(60, VIDEO, tags=(OUTDOOR, NOISE)), item(61, VIDEO, tags=(OUTDOOR,))]
        + [item(62, VIDEO, tags=("甜品时间", NOISE))]
    )


@pytest.mark.parametrize("seed", range(3))
def test_taste_wins_over_promotion(seed):
    """Who watched one video with both tags gets those of its taste before those of its noise."""
    catalog, rng = noisy_world(seed), np.random.default_rng(seed)
    likings = [np.sort(rng.choice(np.arange(p % 2, 60, 2), 6, replace=False)) for p in range(80)]
    rows = Rows.of([row(items) for items in likings], len(catalog))
    model = AlignedTags(boost=0.0).fit(rows, catalog)
    alike, other = model.score_of(row([60]), np.array([61, 62]))
    assert alike > 5 * np.nan_to_num(other)


@pytest.mark.parametrize(("boost", "first"), [(0.0, 20), (2.0, 25)])
def test_popularity_counts_as_much_as_is_said(boost, first):
    catalog = world()
    crowd = Rows.of([row([25])] * 20, len(catalog))
    model = AlignedTags(boost=boost).fit(crowd, catalog)
    assert model.candidates(row([21]), 9, PRODUCT).items[0] == first


def test_a_disliked_taste_is_not_brought():
    model = fitted(world())
    assert model.candidates(row([0, 10], [2, -6]), 20, PRODUCT).items.max() < 30


def test_few_postings_and_traits_bring_fewer_items():
    model = fitted(world(), n_postings=3, n_traits=1)
    found = model.candidates(row([0, 10], [2, 1]), 20, PRODUCT).items
    assert len(found) == 3
    assert found.max() < 30


@pytest.mark.parametrize("cls", [AlignedTags, Newness, TasteTrend])
def test_items_that_say_nothing_bring_nothing(cls):
    mute = Catalog.of([Item(item_id=f"item-{n}", kind=Kind(n % 2)) for n in range(20)])
    model = cls().fit(Rows.of([row([1, 2, 3])] * 5, 20), mute)
    assert len(model.candidates(row([1]), 5, None).items) == 0
    assert np.isnan(model.score(Rows.of([row([1])], 20))).all()
    assert model.because(row([1]), np.array([2])) == [None]
