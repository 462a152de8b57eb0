"""Worlds in which watching leads to buying for some items and not for others."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.catalog import Catalog, Kind
from recsys.errors import BundleError, ConfigError
from recsys.events import EventType
from recsys.histories import UNDATED, Histories, History
from recsys.interactions import Acts, Row, Rows
from recsys.models.behaviours import WATCHED, Behaviours, acts_of, code_of
from recsys.models.crossing import Crossing
from recsys.models.evidence import names
from recsys.models.heldout import held_out
from recsys.soundness import check_model
from tests.planted import item

# Products 0 to 19, videos 20 to 39. Video 20 + n shows product n.
N = 20
CATALOG = Catalog.of([item(n) for n in range(N)] + [item(N + n, Kind.VIDEO) for n in range(N)])
# Who watches one of these videos buys what it shows; the others are watched and nothing comes.
SELLING, IDLE = np.arange(10), np.arange(10, 20)


def events(told) -> History:
    """Item and type of each event, a minute after another."""
    n = len(told)
    unsaid = np.full(n, np.nan, dtype=np.float32)
    return History(
        item=np.array([one for one, _ in told], dtype=np.int32),
        type=np.array([kind for _, kind in told], dtype=np.int8),
        at_ms=np.arange(n, dtype=np.int64) * 60_000,
        value=unsaid,
        duration_s=unsaid,
        order=np.zeros(n, dtype=np.int64),
        platform=np.zeros(n, dtype=np.int8),
    )


def rows_of(histories: list[History]) -> Rows:
    together = Histories.of(histories)
    weights = np.ones(len(together.events), dtype=np.float32)
    return Rows.of_acts(Acts(together, weights, 10**9), len(CATALOG))


def row_of(told) -> Row:
    return rows_of([events(told)])[0]


def shop(n_people: int = 600, seed: int = 0) -> Rows:
    """Everybody plays four videos and likes two; orders come of the playing, none of the liking."""
    rng = np.random.default_rng(seed)
    people = []
    for _ in range(n_people):
        played = rng.choice(N, 4, replace=False)
        liked = rng.choice(N, 2, replace=False)
        told = [(N + int(n), EventType.PLAY) for n in played]
        told += [(N + int(n), EventType.LIKE) for n in liked]
        bought = [n for n in played if n in SELLING and rng.random() < 0.8]
        bought += [n for n in IDLE if rng.random() < 0.05]
        people.append(events(told + [(int(n), EventType.ORDER) for n in bought]))
    return rows_of(people)


@pytest.fixture(scope="module")
def model() -> Crossing:
    # A bound that chance hardly ever passes, so that what is planted can be told from it.
    return Crossing(significance=12.0).fit(shop(), CATALOG)


def test_watching_brings_what_it_sells_and_nothing_where_it_does_not(model):
    sells = model.candidates(row_of([(N + 3, EventType.PLAY)]), 3, Kind.PRODUCT)
    assert sells.items[0] == 3
    lists = model.evidence_.crossings.products
    place = list(model.evidence_.behaviours.codes).index(EventType.PLAY)
    for video in SELLING:
        key = place * len(CATALOG) + N + video
        assert lists.items[lists.offsets[key]] == video
    idle = [lists.items[slice(*lists.offsets[[k, k + 1]])] for k in place * 40 + N + IDLE]
    assert not any(np.isin(n, one) for n, one in zip(IDLE, idle, strict=True))


def test_the_effects_say_which_behaviour_leads_to_buying(model):
    worth = model.contributions()[Kind.PRODUCT]
    assert worth["play"] > 0.1
    assert abs(worth["like"]) < worth["play"] / 5


def test_a_like_alone_does_not_sell(model):
    liked = model.candidates(row_of([(N + 3, EventType.LIKE)]), 20, Kind.PRODUCT)
    played = model.candidates(row_of([(N + 3, EventType.PLAY)]), 20, Kind.PRODUCT)
    assert played.scores[0] > 2 * liked.scores[:1].sum()


def test_the_video_is_the_reason(model):
    told = row_of([(N + 3, EventType.PLAY), (N + 14, EventType.PLAY)])
    (because,) = model.because(told, np.array([3], dtype=np.int32))
    assert because.item_idx == N + 3


def viewed_shop(leads: EventType, seed: int = 0) -> Rows:
    """People view and cart products at random; one of the two is followed by buying the same."""
    rng = np.random.default_rng(seed)
    people = []
    for _ in range(400):
        viewed, carted = rng.permutation(N)[:6].reshape(2, 3)
        chosen = viewed if leads is EventType.VIEW else carted
        told = [(int(n), EventType.VIEW) for n in viewed]
        told += [(int(n), EventType.CART) for n in carted]
        bought = np.append(chosen[rng.random(3) < 0.6], rng.integers(N, size=1))
        orders = [(int(n), EventType.ORDER) for n in rng.permutation(bought)]
        people.append(events(told + orders))
    return rows_of(people)


@pytest.mark.parametrize(
    ("leads", "idle"),
    [(EventType.VIEW, EventType.CART), (EventType.CART, EventType.VIEW)],
)
def test_the_step_to_buying_the_same_item_is_learned_for_each_behaviour(leads, idle):
    model = Crossing().fit(viewed_shop(leads), CATALOG)
    told = row_of([(2, leads), (5, idle)])
    found = model.candidates(told, 20, Kind.PRODUCT).items
    assert found[0] == 2
    effects = dict(zip(names(model.evidence_.behaviours), model.effects_[0, 0], strict=True))
    assert effects[f"own {leads.word}"] > effects[f"own {idle.word}"] + 1


def test_novelty_brings_what_is_new_before_what_was_met():
    model = Crossing(novelty=0.0).fit(viewed_shop(EventType.VIEW), CATALOG)
    told = row_of([(2, EventType.VIEW), (5, EventType.VIEW)])
    assert set(model.candidates(told, 2, Kind.PRODUCT).items.tolist()) == {2, 5}
    model.novelty = 20.0
    assert not {2, 5} & set(model.candidates(row_of([(2, EventType.VIEW)]), 2, None).items.tolist())


def test_who_has_nothing_of_a_kind_gets_effects_of_their_own(model):
    within, without = model.effects_[Kind.PRODUCT]
    assert (within != without).any()


def test_dated_acts_are_hidden_from_the_last_on():
    rows = shop(40)
    acts = rows.acts
    behaviours = Behaviours.of(acts, CATALOG.duration_s)
    hidden = held_out(acts, behaviours, {Kind.PRODUCT: 13}, CATALOG.kind, ("", 10, 0))
    persons = acts.histories.persons()
    for person in np.unique(persons[~hidden.kept]):
        kept = hidden.kept[persons == person]
        kinds = CATALOG.kind[acts.events.item[persons == person]]
        assert not (~kept[:-1] & kept[1:] & (kinds[1:] == Kind.PRODUCT)).any()


@pytest.mark.parametrize(
    ("items", "kept"),
    [([5, 2, 8, 1, 9, 3], [True] * 5 + [False]), ([1, 2, 3, 5, 8, 9], None)],
    ids=["in an order of their own", "listed by item"],
)
def test_undated_acts_are_hidden_from_the_last_on_only_if_they_have_an_order(items, kept):
    undated = [
        replace(events([(n, EventType.ORDER) for n in items]), at_ms=np.full(6, UNDATED))
    ] * 40
    acts = rows_of(undated).acts
    behaviours = Behaviours.of(acts, CATALOG.duration_s)
    hidden = held_out(acts, behaviours, {Kind.PRODUCT: 13}, CATALOG.kind, ("", 20, 0))
    of_each = hidden.kept.reshape(40, 6)
    asked = of_each[~of_each.all(axis=1)]
    is_last = bool((asked == [True] * 5 + [False]).all())
    assert is_last == (kept is not None)


def test_at_random_what_followed_on_the_same_item_is_hidden_too():
    told = [(1, EventType.VIEW), (1, EventType.ORDER), (1, EventType.CART), (2, EventType.VIEW)]
    one = events(told)
    undated = replace(one, at_ms=np.full(4, UNDATED))
    acts = rows_of([undated]).acts
    behaviours = Behaviours.of(acts, CATALOG.duration_s)
    hidden = held_out(acts, behaviours, {Kind.PRODUCT: 13}, CATALOG.kind, ("", 10, 0))
    assert hidden.kept.tolist() == [True, False, False, True]
    ((person, after, before),) = hidden.of_kind(Kind.PRODUCT)
    assert (person, after.tolist(), before.tolist()) == (0, [1], [])


def test_a_play_of_most_of_a_video_is_watched():
    played = events([(N, EventType.PLAY)] * 3)
    played = replace(played, value=np.array([29, 3, np.nan], dtype=np.float32))
    acts = rows_of([played]).acts
    behaviours = Behaviours.of(acts, np.full(len(CATALOG), 30, dtype=np.float32))
    assert behaviours.codes.tolist() == [EventType.PLAY, WATCHED]
    assert behaviours.shown(acts, WATCHED).tolist() == [True, False, False]


def test_a_basket_counts_as_every_behaviour(model):
    basket = Row(np.array([N + 3], dtype=np.int32), np.ones(1, dtype=np.float32))
    assert model.candidates(basket, 1, Kind.PRODUCT).items.tolist() == [3]


def test_rows_without_acts_become_orders():
    rows = Rows.of([Row(np.array([4, 6]), np.array([1, -2], dtype=np.float32))], 40)
    acts = acts_of(rows, seed=0)
    assert sorted(acts.events.item.tolist()) == [4, 6]
    assert Behaviours.of(acts, CATALOG.duration_s).codes.tolist() == [EventType.ORDER]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"target": "buy"}, "there is no behaviour 'buy'; allowed: impression, play"),
        ({"holdout": "first"}, "there is no holdout 'first'; allowed: last, random or ''"),
    ],
)
def test_a_wrong_word_is_refused(wrong, said):
    with pytest.raises(ConfigError, match=said):
        Crossing(**wrong).fit(shop(10), CATALOG)


def test_every_word_has_a_code():
    assert code_of("order") == EventType.ORDER
    assert code_of("watched") == WATCHED


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"kind": np.zeros(3, dtype=np.int8)}, r"kind of shape \(3,\); allowed: \(40,\)"),
        ({"crossings": "filters"}, "crossings has 40 lists; allowed: 120"),
    ],
)
def test_unsound_evidence_is_refused(model, broken, said):
    evidence = model.evidence_
    values = {
        name: getattr(evidence, value) if isinstance(value, str) else value
        for name, value in broken.items()
    }
    unsound = Crossing()
    unsound.evidence_ = replace(evidence, **values)
    unsound.effects_, unsound.worth_ = model.effects_, model.worth_
    with pytest.raises(BundleError, match=said):
        check_model(unsound, "crossing", CATALOG)
