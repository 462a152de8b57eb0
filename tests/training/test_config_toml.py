import tomllib
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.audience import AUDIENCES
from recsys.events import EVENT_WORDS, Platform
from recsys.mix import Mix
from recsys.models.base import parameters
from recsys.models.table import MODELS
from recsys.pipeline import Pipeline
from recsys.scenes import SCENES
from recsys.stages import STAGES
from recsys.tiers import Tiers, Treatment
from training.config import ORDERED_BY, ROWS, TrainConfig, train_config
from training.config_shop import TIERS
from training.config_toml import dumped, said, toml

NUMBERS = st.floats(min_value=0, max_value=1e30) | st.integers(0, 10**12)
NAMES = st.sampled_from(["als", "item_knn", "mine", "a b", 'it"s', "点击", "x.y", "tab\t\x7f", "-"])
KNOWN_MODELS = sorted(TrainConfig().models)


def some_of(words):
    return st.lists(st.sampled_from(sorted(words)), unique=True)


def parameters_of(model):
    """Some of a model's own parameters, each of its kind."""
    of_kind = {int: st.integers(0, 10**6), float: NUMBERS, str: NAMES}
    own = {name: of_kind[type(value)] for name, value in parameters(MODELS[model]()).items()}
    return st.fixed_dictionaries({}, optional=own)


@st.composite
def model_tables(draw):
    model = draw(st.sampled_from(sorted(MODELS)))
    table = {"model": model, **draw(parameters_of(model))}
    if draw(st.booleans()):
        table["learns_from"] = draw(some_of(EVENT_WORDS))
    return table


def source_tables(models):
    optional = {
        "weight": NUMBERS,
        "limit": st.integers(0, 1_000),
        "of": st.sampled_from(ROWS),
    }
    return st.fixed_dictionaries({"model": st.sampled_from(models)}, optional=optional)


@st.composite
def files(draw):
    """What an operator may write into a configuration."""
    models = draw(st.dictionaries(NAMES, model_tables(), max_size=3))
    sources = source_tables([*KNOWN_MODELS, *models])
    pipeline = st.fixed_dictionaries(
        {},
        optional={
            "fusion_k": NUMBERS,
            "video_share": st.floats(0, 1),
            "commission_loss": st.floats(0, 1),
            "stages": some_of(STAGES),
            "scorer": st.sampled_from(ORDERED_BY),
            "objective": st.fixed_dictionaries(
                {"buy": st.floats(0.1, 9)}, optional={"again": NUMBERS}
            ),
            "sources": st.dictionaries(NAMES, sources, max_size=3),
        },
    )
    train = {
        "half_life_days": NUMBERS,
        "holdout_days": NUMBERS,
        "seed": st.integers(0, 99),
        "pair_cap": NUMBERS,
        "visit": NUMBERS,
        "people": st.integers(0, 99),
        "scorer_people": st.integers(0, 99),
        "weights": st.dictionaries(
            st.sampled_from(sorted(EVENT_WORDS)), st.floats(-1e9, 1e9), max_size=4
        ),
    }
    share = st.floats(0, 1)
    mix = {"floor": st.floats(0, 0.2), "ceiling": st.floats(0.2, 1), "in_row": st.integers(0, 9)}
    treatment = {"tags": st.lists(NAMES), "every": st.integers(1, 9), "ceiling": share}
    tiers = {name: st.integers(0, 9) for name in TIERS}
    return {
        "mix": draw(
            st.dictionaries(
                st.sampled_from(["home", "product"]),
                st.fixed_dictionaries({}, optional={**mix, "exploration": share}),
            )
        ),
        "tiers": draw(st.fixed_dictionaries({}, optional=tiers)),
        "treatments": draw(
            st.dictionaries(
                st.sampled_from(sorted(SCENES)),
                st.dictionaries(
                    st.sampled_from(sorted(AUDIENCES)),
                    st.fixed_dictionaries({}, optional=treatment),
                    max_size=2,
                ),
                max_size=2,
            )
        ),
        "platforms": draw(st.dictionaries(st.sampled_from([*map(str, Platform)]), NUMBERS)),
        "train": draw(st.fixed_dictionaries({}, optional=train)),
        "models": models,
        "pipelines": draw(st.dictionaries(st.sampled_from(sorted(SCENES)), pipeline, max_size=2)),
    }


@given(files())
def test_every_configuration_survives_the_way_to_toml_and_back(written):
    config = train_config(written)
    assert train_config(tomllib.loads(dumped(config))) == config


def test_every_part_of_a_configuration_is_tried_above():
    assert {f.name for f in fields(TrainConfig)} == {
        "half_life_days", "holdout_days", "seed", "people", "scorer_people", "pair_cap", "visit",
        "weights", "models", "pipelines", "platforms", "mixes", "tiers", "treatments",
    }  # fmt: skip
    assert {f.name for f in fields(Pipeline)} == {
        "name", "sources", "stages", "fusion_k", "video_share", "scorer", "objective",
        "commission_loss",
    }  # fmt: skip


def test_every_word_about_people_is_tried_above():
    learned = {"video", "product", "prior_seats", "usual", "staying", "half_life_days"}
    assert {f.name for f in fields(Mix)} - learned == {"floor", "ceiling", "in_row", "exploration"}
    assert {f.name for f in fields(Tiers)} == set(TIERS)
    assert {f.name for f in fields(Treatment)} == {"tags", "every", "ceiling"}


def test_defaults_need_no_word():
    assert said(TrainConfig()) == {}
    assert dumped(TrainConfig(), "version 3\nseed 1") == "# version 3\n# seed 1\n\n"


def test_only_what_differs_is_written():
    config = train_config(
        {
            "train": {"weights": {"order": 9.5, "view": 1.0}, "seed": 1},
            "models": {"als": {"factors": 32}},
            "pipelines": {"home": {"sources": {"tags": {"weight": 0.1}, "cards": {"weight": 0}}}},
        }
    )
    assert dumped(config).split("\n") == [
        "",
        "[train.weights]",
        "order = 9.5",
        "",
        "[models.als]",
        "factors = 32",
        "",
        "[pipelines.home.sources.cards]",
        "weight = 0",
        "",
        "[pipelines.home.sources.tags]",
        "weight = 0.1",
        "",
    ]


def test_model_of_another_class_is_named_and_what_it_learns_from_is_listed_in_order():
    config = train_config(
        {"models": {"als": {"model": "item_knn", "learns_from": ["order", "play"]}}}
    )
    assert said(config)["models"] == {
        "als": {"model": "item_knn", "learns_from": ["play", "order"]}
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e20, "x = 1e+20"),
        (0.1, "x = 0.1"),
        (5, "x = 5"),
        (True, "x = true"),
        ('a"\\\n\x7f点', 'x = "a\\"\\\\\\n\\u007f点"'),
        (["a", 1], 'x = ["a", 1]'),
    ],
)
def test_values_as_toml(value, text):
    assert toml({"x": value}).strip() == text
    assert tomllib.loads(toml({"x": value})) == {"x": value}


def test_empty_table_is_kept():
    assert tomllib.loads(toml({"models": {"a": {}}})) == {"models": {"a": {}}}
