from dataclasses import replace

import pytest

from recsys.events import EventType
from recsys.models.base import parameters
from recsys.models.table import MODELS
from recsys.scenes import SCENES
from training.config import ModelConfig, TrainConfig, train_config
from training.space import KNOWN, Choice, Range, allowed, around, knobs, of_model, turned

EVERY = [
    (model, name, default)
    for model, cls in MODELS.items()
    for name, default in parameters(cls()).items()
]
EVENTS = {EventType.ORDER: 900, EventType.PLAY: 1_000, EventType.LIKE: 3}


def names(config, scene="home", is_dated=True):
    return {knob.name for knob in knobs(config, scene, EVENTS, is_dated=is_dated)}


@pytest.mark.parametrize(("model", "name", "default"), EVERY)
def test_every_parameter_of_every_model_has_a_range_or_is_left_alone_by_name(model, name, default):
    found = allowed(model, name, default)
    if isinstance(found, Range):
        assert found.low <= default <= found.high
        assert found.low < found.high
    elif isinstance(found, Choice):
        assert default in found.words
    else:
        is_named = name in KNOWN or f"{model}.{name}" in KNOWN
        assert is_named or not default or isinstance(default, str | bool)


@pytest.mark.parametrize("key", KNOWN)
def test_what_is_said_of_a_parameter_is_of_one_that_there_is(key):
    model, _, name = key.rpartition(".")
    assert any(name == one and model in ("", own) for own, one, _ in EVERY)


@pytest.mark.parametrize(
    ("default", "found"),
    [
        (8.0, Range(low=2, high=32, is_log=True)),
        (0.5, Range(low=0, high=1)),
        (0.03, Range(low=0.003, high=0.3, is_log=True)),
        (0.0, Range(low=0, high=1)),
        (-4.0, Range(low=-16, high=-1)),
        (10, Range(low=2, high=40, is_log=True, is_whole=True)),
        (1, Range(low=1, high=4, is_log=True, is_whole=True)),
        (0, None),
        (True, None),
    ],
)
def test_range_around_a_default_of_which_nothing_else_is_known(default, found):
    assert around(default) == found


def test_value_outside_makes_the_range_wider_and_one_that_no_scale_holds_is_left_alone():
    config = train_config({"models": {"als": {"alpha": 900.0}, "item_knn": {"shrinkage": 0}}})
    found = {knob.name: knob for knob in knobs(config, "home", EVENTS, is_dated=True)}
    assert found["models.als.alpha"].allowed.high == 900
    assert "models.item_knn.shrinkage" not in found


def test_values_are_neat_and_inside():
    assert Range(low=0, high=1).neat(0.123456) == 0.1235
    assert Range(low=0, high=0.12342).neat(0.12342) == 0.1234
    assert Range(low=0.12352, high=1).neat(0.12352) == 0.12352
    assert Range(low=1, high=9, is_whole=True).neat(9.7) == 9


@pytest.mark.parametrize(
    ("spread", "value", "share"),
    [
        (Range(low=0, high=4), 1, 0.25),
        (Range(low=0.01, high=100, is_log=True), 1, 0.5),
        (Range(low=-16, high=-1), -1, 1),
    ],
)
def test_place_of_a_value_on_its_scale(spread, value, share):
    assert spread.share(value) == pytest.approx(share)
    assert spread.at(share) == pytest.approx(value)
    assert spread.at(-share) == pytest.approx(value)
    assert spread.at(2 - share) == pytest.approx(value)


def test_only_what_the_scene_uses_can_be_turned():
    config = train_config({"pipelines": {"home": {"sources": {"als": {"weight": 0}}}}})
    assert not any("als" in name for name in names(config))
    assert "models.bought_together.shrinkage" in names(config, "post_checkout")
    assert "models.bought_together.shrinkage" not in names(config)
    assert not any("post_checkout" in name for name in names(config))


def test_weights_of_common_events_only_and_no_decay_without_times():
    found = names(TrainConfig())
    assert {"train.weights.order", "train.weights.play", "train.half_life_days"} <= found
    assert not {"train.weights.like", "train.weights.view"} & found
    assert "train.half_life_days" not in names(TrainConfig(), is_dated=False)


def test_one_source_or_one_type_of_event_is_weighed_against_nothing():
    dropped = {
        name: {"weight": 0}
        for name in (
            *("als", "tags", "cards", "newness", "transitions", "popular"),
            *("creators", "choices"),
        )
    }
    config = train_config({"pipelines": {"home": {"sources": dropped}}})
    found = knobs(config, "home", {EventType.ORDER: 9}, is_dated=False)
    assert {knob.block for knob in found} == {"models.item_knn"}


def test_word_that_is_no_choice_is_left_alone(monkeypatch):
    model = ModelConfig(model="item_knn")
    monkeypatch.setitem(KNOWN, "item_knn.shrinkage", Choice(words=("a", "b")))
    assert "models.item_knn.shrinkage" not in {knob.name for knob in of_model("item_knn", model)}


@pytest.mark.parametrize("scene", SCENES)
def test_nothing_turned_is_the_same_configuration_and_every_knob_turns(scene):
    config = train_config({"models": {"als": {"factors": 32}}, "train": {"seed": 5}})
    assert turned(config, {}) == config
    for knob in knobs(config, scene, EVENTS, is_dated=True):
        changed = turned(config, {knob.path: knob.allowed.neat(knob.allowed.high)})
        again = {one.name: one.value for one in knobs(changed, scene, EVENTS, is_dated=True)}
        assert again[knob.name] == knob.allowed.neat(knob.allowed.high)
        assert replace(changed, seed=5) == changed
