import tomllib

import pytest

from recsys.errors import ConfigError, UnknownModel
from recsys.events import EventType, Platform
from recsys.models.base import parameters
from recsys.models.table import MODELS
from recsys.scenes import SCENES
from recsys.stages import STAGES
from recsys.tiers import Treatment
from training.config import ALL_TYPES, TrainConfig, train_config


def config_of(text: str) -> TrainConfig:
    return train_config(tomllib.loads(text))


def sources_of(config, scene="home"):
    return {source.name: source for source in config.pipelines[scene].sources}


def test_nothing_said_means_the_defaults():
    assert config_of("") == TrainConfig()
    assert config_of("[serve]\nport = 1") == TrainConfig()


def test_defaults_name_only_what_there_is():
    config = TrainConfig()
    assert set(config.pipelines) == set(SCENES)
    assert set(config.used_models) == set(config.models)
    assert {model.model for model in config.models.values()} <= set(MODELS)
    assert all(set(pipeline.stages) <= set(STAGES) for pipeline in config.pipelines.values())


def test_train_table():
    config = config_of(
        "[train]\nhalf_life_days = 0\nvisit = 0.5\nholdout_days = 7\nseed = 5\npeople = 0\n"
        "[train.weights]\nplay = 1\ndislike = -3.5"
    )
    assert (config.half_life_days, config.holdout_days, config.seed, config.people) == (0, 7, 5, 0)
    assert config.visit == 0.5
    assert config.weights[EventType.PLAY] == 1
    assert config.weights[EventType.DISLIKE] == -3.5
    assert config.weights[EventType.ORDER] == TrainConfig().weights[EventType.ORDER]


def test_model_keeps_what_is_not_said():
    config = config_of("[models.bought_together]\nn_neighbours = 7")
    model = config.models["bought_together"].new(seed=1)
    assert (model.n_neighbours, model.shrinkage) == (7, MODELS["baskets"]().shrinkage)
    assert config.models["bought_together"].learns_from == ALL_TYPES


def test_whole_number_will_do_where_a_number_is_wanted():
    assert config_of("[models.item_knn]\nshrinkage = 5").models["item_knn"].new(1).shrinkage == 5


def test_word_where_a_word_is_wanted():
    text = '[models.crossing]\nmodel = "crossing"\ntarget = {}'
    assert config_of(text.format('"like"')).models["crossing"].new(1).target == "like"
    with pytest.raises(ConfigError, match=r"\[models\.crossing\] target is not a text, got 3"):
        config_of(text.format(3))


def test_another_model_under_the_same_name_forgets_the_parameters():
    text = '[models.item_knn]\nmodel = "als"\nlearns_from = ["play", "like"]'
    model = config_of(text).models["item_knn"]
    assert (model.model, dict(model.parameters)) == ("als", {})
    assert model.learns_from == {EventType.PLAY, EventType.LIKE}


def test_seed_reaches_a_learner_that_has_one():
    model = TrainConfig().models["als"]
    assert parameters(model.new(seed=7))["seed"] == 7


def test_seed_of_a_model_wins():
    model = config_of("[models.als]\nseed = 9").models["als"]
    assert parameters(model.new(seed=7))["seed"] == 9


def test_pipeline_table():
    config = config_of(
        '[pipelines.home]\nstages = ["on_sale"]\nvideo_share = 0.25\nfusion_k = 10\n'
        "[pipelines.home.sources.als]\nweight = 2\nlimit = 50"
    )
    home = config.pipelines["home"]
    assert (home.stages, home.video_share, home.fusion_k) == (("on_sale",), 0.25, 10.0)
    assert (sources_of(config)["als"].weight, sources_of(config)["als"].limit) == (2.0, 50)
    assert sources_of(config)["tags"] == sources_of(TrainConfig())["tags"]


def test_new_source_and_model():
    config = config_of(
        '[models.recent]\nmodel = "popularity"\nlearns_from = ["view"]\n'
        '[pipelines.post_checkout.sources.recent]\nof = "basket"'
    )
    source = sources_of(config, "post_checkout")["recent"]
    assert (source.model, source.of) == ("recent", "basket")
    assert "recent" in config.used_models


def test_source_of_weight_0_is_gone_and_its_model_is_not_learned():
    config = config_of("[pipelines.home.sources.als]\nweight = 0")
    assert "als" not in sources_of(config)
    assert "als" not in config.used_models


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train = 1", r"\[train\] is no table, got 1"),
        (
            "[train]\nhalf_life = 1",
            r"\[train\] has an unknown name, got 'half_life'; allowed: half",
        ),
        ("[train]\nseed = 1.5", r"\[train\] seed is not a whole number, got 1.5"),
        ("[train]\nseed = true", r"\[train\] seed is not a whole number, got True"),
        ("[train]\nhalf_life_days = 'x'", "half_life_days is not a number, got 'x'"),
        ("[train]\nhalf_life_days = -1", "out of range, got -1; allowed: 0 or more"),
        ("[train]\nhalf_life_days = nan", "out of range, got nan; allowed: 0 or more"),
        ("[train.weights]\nlook = 1", r"\[train.weights\] has an unknown name, got 'look'"),
        ("[models]\nals = 1", r"\[models.als\] is no table"),
        (
            "[models.mine]\nk = 1",
            r"\[models.mine\] names no model; allowed: model = one of popular",
        ),
        ("[models.als]\nfactor = 1", r"\[models.als\] has an unknown name, got 'factor'; allowed:"),
        ("[models.item_knn]\nn_neighbours = 'x'", "n_neighbours is not a whole number, got 'x'"),
        ("[models.item_knn]\nn_neighbours = true", "n_neighbours is not a whole number, got True"),
        ("[models.item_knn]\nshrinkage = -1", "shrinkage is out of range, got -1; allowed: 0 or"),
        ("[models.als]\nlearns_from = 'play'", "learns_from is no list of distinct names"),
        ("[models.als]\nlearns_from = ['look']", "learns_from has an unknown name, got 'look'"),
        (
            "[pipelines.home]\nscorer = 'magic'",
            r"\[pipelines.home\] scorer has an unknown name, got 'magic'; allowed: auto, rrf",
        ),
        (
            "[pipelines.home.objective]\nearn = 1",
            r"\[pipelines.home.objective\] has an unknown name, got 'earn'; allowed: watch",
        ),
        (
            "[pipelines.home.objective]\nbuy = 0",
            r"\[pipelines.home.objective\] has no gain above 0",
        ),
        ("[pipelines.home.objective]\nbuy = -1", "buy is out of range, got -1; allowed: 0 or"),
        ("[pipelines.attic]\nfusion_k = 1", r"\[pipelines\] has an unknown name, got 'attic'"),
        ("[pipelines.home]\nstage = []", r"\[pipelines.home\] has an unknown name, got 'stage'"),
        ("[pipelines.home]\nstages = ['x']", "stages has an unknown name, got 'x'; allowed: on_"),
        ("[pipelines.home]\nvideo_share = 1.1", "video_share is out of range, got 1.1"),
        ("[pipelines.home.sources.als]\nof = 'cart'", "of is unknown, got 'cart'; allowed: hist"),
        ("[pipelines.home.sources.als]\nname = 'x'", "has an unknown name, got 'name'"),
        ("[pipelines.home.sources.new]\nweight = 1", "has an unknown name, got 'new'; allowed:"),
    ],
)
def test_what_is_wrong_is_named(text, message):
    with pytest.raises(ConfigError, match=message):
        config_of(text)


def test_unknown_model_has_its_own_error():
    with pytest.raises(UnknownModel, match="no model 'deep'; allowed: popularity"):
        config_of("[models.als]\nmodel = 'deep'")


def test_scene_without_sources_is_refused():
    names = sources_of(TrainConfig())
    text = "".join(f"[pipelines.home.sources.{name}]\nweight = 0\n" for name in names)
    with pytest.raises(ConfigError, match=r"\[pipelines.home\] has no source left"):
        config_of(text)


def test_an_objective_replaces_the_default_one():
    home = config_of("[pipelines.home.objective]\nwatch = 1\nbuy = 3").pipelines["home"]
    assert home.objective == {"watch": 1.0, "buy": 3.0}
    assert home.scorer == "auto"


def test_a_scene_may_name_its_scorer():
    config = config_of("[pipelines.home]\nscorer = 'ranker'")
    assert config.pipelines["home"].scorer == "ranker"
    assert {one.scorer for one in config.unscored.pipelines.values()} == {"rrf"}


def test_what_an_operator_sets_about_people():
    config = config_of(
        "[mix.home]\nfloor = 0.1\nceiling = 0.4\nin_row = 2\nexploration = 0\n"
        "[mix.product]\nfloor = 0.5\n"
        "[tiers]\nmember_orders = 5\nlapsed_days = 14\n"
        '[treatments.home.new]\ntags = ["欢迎"]\nevery = 3\nceiling = 0.2\n'
        "[platforms]\ndouyin = 0.5\nminiprogram = 2"
    )
    home = config.mixes["home"]
    assert (home.floor, home.ceiling, home.in_row, home.exploration) == (0.1, 0.4, 2, 0)
    assert config.mixes["product"].floor == 0.5
    assert (config.tiers.member_orders, config.tiers.lapsed_days) == (5, 14)
    assert config.tiers.member_spend_minor == TrainConfig().tiers.member_spend_minor
    assert config.treatments["home"]["new"] == Treatment(tags=("欢迎",), every=3, ceiling=0.2)
    assert config.platforms == {Platform.DOUYIN: 0.5, Platform.MINIPROGRAM: 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[mix.home]\nfloor = 0.7", "floor is above the ceiling, got 0.7 and 0.6"),
        (
            "[mix.home]\nceiling = 1.2",
            r"\[mix\.home\] ceiling is out of range, got 1.2; allowed: 0",
        ),
        ("[mix.cart]\nfloor = 0", "got 'cart'; allowed: home, post_checkout, product"),
        ("[mix.home]\nvideo = 3", "got 'video'; allowed: floor, ceiling, in_row, exploration"),
        ("[tiers]\nmember_orders = 1.5", "member_orders is not a whole number"),
        ("[tiers]\ngold = 1", "allowed: member_orders"),
        ("[treatments.home.vip]\nevery = 2", "got 'vip'; allowed: new, returning, member, lapsed"),
        ("[treatments.home.new]\nevery = 0", "every is out of range, got 0; allowed: 1 to 100"),
        ('[treatments.home.new]\ntags = "a"', "tags is no list of texts"),
        ("[treatments.shelf.new]\nevery = 2", "got 'shelf'"),
        ("[platforms]\nweibo = 1", "got 'weibo'; allowed: douyin, channels"),
        ("[platforms]\ndouyin = -1", "douyin is out of range"),
    ],
)
def test_what_nobody_can_set_about_people(text, message):
    with pytest.raises(ConfigError, match=message):
        config_of(text)
