from dataclasses import replace

import numpy as np
import pytest

from recsys.catalog import Kind
from recsys.errors import ConfigError
from recsys.events import EventType
from recsys.histories import UNDATED, Histories, History
from recsys.interactions import Rows
from recsys.models.item_knn import ItemKNN
from tests.training.planted_home import CONFIG, planted_shop
from training.config import train_config
from training.remembered import Remembered
from training.validation import Aim, Validation, inner_split, last_found

AIM = Aim(people=0)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return planted_shop(tmp_path_factory.mktemp("validation") / "home")


def undated(shop):
    events = shop.histories.events
    bare = replace(events, at_ms=np.full_like(events.at_ms, UNDATED))
    return replace(shop, histories=Histories(bare, shop.histories.offsets))


def poisoned(shop, split_ms):
    """The same shop, but whatever happened in the held-out days is something else."""
    events = shop.histories.events
    late = events.at_ms >= split_ms
    item = np.where(late, (events.item + 7) % len(shop.catalog), events.item).astype(np.int32)
    kind = np.where(late, int(EventType.LIKE), events.type).astype(events.type.dtype)
    value = np.where(late, np.float32(9_999), events.value)
    spoilt = replace(events, item=item, type=kind, value=value)
    return replace(shop, histories=Histories(spoilt, shop.histories.offsets))


def values(shop, found):
    task = Validation.of(shop, CONFIG, AIM)
    return task.answering(found)(task.searched).tolist()


def test_split_lies_inside_the_past(shop):
    split, held_ms = inner_split(shop, CONFIG), shop.split_ms(CONFIG.holdout_days)
    before, since = split.before.histories.events.at_ms, split.since.histories.events.at_ms
    assert before.max() < split.split_ms <= since.min()
    assert since.max() < held_ms
    days = (since.max() - since.min()) / 86_400_000
    assert CONFIG.holdout_days - 1 < days < CONFIG.holdout_days
    assert "what came after is held out" in split.word


def test_held_out_days_change_nothing(shop):
    other = poisoned(shop, shop.split_ms(CONFIG.holdout_days))
    ours, theirs = (Validation.of(one, CONFIG, AIM) for one in (shop, other))
    assert ours.knobs == theirs.knobs
    assert [a.case.user_id for a in ours.searched] == [a.case.user_id for a in theirs.searched]
    found = {("train", "half_life_days"): 3.0}
    assert values(shop, found) == values(other, found)


def test_validated_days_do_change_something(shop):
    other = poisoned(shop, inner_split(shop, CONFIG).split_ms)
    assert values(shop, {}) != values(other, {})


def test_last_items_that_each_person_found_are_asked_about_where_nothing_has_a_time(shop):
    item = np.array([4, 5, 4, 6, 7, 7, 8, 9, 9], dtype=np.int32)
    columns = {
        "item": item,
        "type": np.full(9, EventType.VIEW, dtype=np.int8),
        "at_ms": np.full(9, UNDATED),
        "value": np.full(9, np.nan, dtype=np.float32),
        "duration_s": np.full(9, np.nan, dtype=np.float32),
        "order": np.zeros(9, dtype=np.int64),
        "platform": np.zeros(9, dtype=np.int8),
    }
    # Persons: four items of which 7 was found last; nobody; two of which 9 was.
    histories = Histories(History(**columns), np.array([0, 6, 6, 9]))
    before, since = last_found(replace(shop, histories=histories))
    assert before.histories.events.item.tolist() == [4, 5, 4, 6, 8]
    assert since.histories.events.item.tolist() == [7, 7, 9, 9]
    assert before.histories.offsets.tolist() == [0, 4, 4, 5]


def test_home_in_which_nobody_had_to_do_with_two_items_is_refused(shop):
    alone = np.zeros(len(shop.histories.events), dtype=np.bool_)
    alone[shop.histories.offsets[:-1]] = True
    with pytest.raises(ConfigError, match="nobody had to do with two items"):
        last_found(replace(shop, histories=shop.histories.keeping(alone)))


def test_undated_home_can_be_validated_on(shop):
    task = Validation.of(undated(shop), CONFIG, AIM)
    assert "train.half_life_days" not in {knob.name for knob in task.knobs}
    asked = (*task.searched, *task.apart)
    assert len(asked) == len(shop.histories)
    assert all(len(one.targets) for one in asked)
    assert task.answering({})(task.searched).mean() > 0.2


def test_checkout_needs_times(shop):
    with pytest.raises(ConfigError, match="post_checkout needs events with times"):
        Validation.of(undated(shop), CONFIG, Aim(scene="post_checkout"))
    assert Validation.of(shop, CONFIG, Aim(scene="post_checkout")).searched


def test_persons_apart_are_others_and_chosen_by_seed(shop):
    shop = undated(shop)
    one, two, other = (Validation.of(shop, CONFIG, Aim(people=15, seed=seed)) for seed in (1, 1, 2))
    ids = [
        [a.case.user_id for a in asked] for asked in (one.searched, two.searched, other.searched)
    ]
    assert ids[0] == ids[1] != ids[2]
    assert len(one.searched) == 15
    assert one.apart == ()


def test_persons_enough_for_two_halves_are_kept_apart(tmp_path, monkeypatch, shop):
    monkeypatch.setattr("training.validation.MIN_APART", 10)
    task = Validation.of(undated(shop), CONFIG, Aim(people=15))
    ids = [{a.case.user_id for a in asked} for asked in (task.searched, task.apart)]
    assert [len(one) for one in ids] == [15, 15]
    assert not ids[0] & ids[1]


def test_nobody_to_ask_is_refused(shop):
    orders = shop.histories.events.type == EventType.ORDER
    only = replace(shop, histories=shop.histories.keeping(orders))
    with pytest.raises(ConfigError, match="nobody can be asked about home, video"):
        Validation.of(only, CONFIG, Aim(kinds=(Kind.VIDEO,)))


def test_source_that_fails_fails_the_trial(shop, monkeypatch):
    task = Validation.of(shop, CONFIG, AIM)
    ask = task.answering({})

    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(ItemKNN, "candidates", broken)
    with pytest.raises(ConfigError, match="sources failed, got source:item_knn"):
        ask(task.searched)


def test_what_was_learned_from_the_same_rows_is_not_learned_again(shop):
    task = Validation.of(shop, CONFIG, AIM)
    known = task.remembered

    def learned(found):
        before = list(known.models)
        task.answering(found)
        return len(known.models) - len(before)

    n_models = len(CONFIG.used_models)
    assert learned({}) == n_models
    assert learned({("pipelines", "home", "sources", "tags", "weight"): 2.0}) == 0
    assert learned({("models", "item_knn", "shrinkage"): 3.0}) == 1
    assert learned({("train", "half_life_days"): 7.0}) >= n_models - 1


def test_what_was_not_asked_for_longest_is_forgotten_first(shop):
    rows = Rows.of([], len(shop.catalog))
    known = Remembered(limit_bytes=1)
    first = known(ItemKNN(shrinkage=1.0), rows, shop.catalog)
    assert known(ItemKNN(shrinkage=1.0), rows, shop.catalog) is first
    known(ItemKNN(shrinkage=2.0), rows, shop.catalog)
    assert known(ItemKNN(shrinkage=1.0), rows, shop.catalog) is not first
    assert len(known.models) == 1


def test_configuration_turned_is_the_one_trained_later(shop):
    task = Validation.of(shop, CONFIG, AIM)
    found = {("models", "als", "factors"): 4, ("train", "weights", "order"): 5.0}
    said = {
        "train": {"holdout_days": 5, "people": 40, "weights": {"order": 5.0}},
        "models": {"als": {"factors": 4, "iterations": 3}},
    }
    assert task.turned(found) == train_config(said)
