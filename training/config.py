"""How to train: the defaults, and what `dapei.toml` says instead. The one place of both."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from recsys.errors import ConfigError
from recsys.events import EVENT_WORDS, EventType, Platform
from recsys.interactions import EVENT_WEIGHTS, VISIT
from recsys.mix import Mix
from recsys.models.base import Model, parameters
from recsys.models.table import MODELS, model_named
from recsys.pipeline import AGAIN, OBJECTIVES, SCORERS, Pipeline, Source
from recsys.scenes import SCENES
from recsys.stages import STAGES
from recsys.tiers import Tiers, Treatment
from training.checked import (
    as_names,
    as_number,
    as_table,
    as_text,
    as_types,
    check_name,
    check_names,
    listed,
)
from training.config_shop import mixes_of, platforms_of, tiers_of, treatments_of

ALL_TYPES = frozenset(EventType)
ROWS = ("history", "basket")
# How candidates are ordered: by whatever was found best, by reciprocal ranks, or as named.
AUTO, RRF = "auto", "rrf"
ORDERED_BY = (AUTO, RRF, *SCORERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """One model to learn.

    Parameters
    ----------
    model
        Its name in the table of models.
    parameters
        Hyperparameters that differ from the model's own defaults.
    learns_from
        Event types that count; the others are as if they had not happened.
    """

    model: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    learns_from: frozenset[EventType] = ALL_TYPES

    def new(self, seed: int) -> Model:
        """The model before it learns; `seed` counts where the parameters name none."""
        cls = model_named(self.model)
        seeded = {"seed": seed} if "seed" in parameters(cls()) else {}
        return cls(**{**seeded, **self.parameters})


_MODELS = {
    "popular": ModelConfig(model="popularity"),
    "item_knn": ModelConfig(model="item_knn"),
    "als": ModelConfig(model="als"),
    "tags": ModelConfig(model="aligned_tags"),
    "cards": ModelConfig(model="cards"),
    "newness": ModelConfig(model="newness"),
    "transitions": ModelConfig(model="transitions"),
    "bought_together": ModelConfig(model="baskets"),
    "next_basket": ModelConfig(model="next_basket"),
    "creators": ModelConfig(model="creators"),
    "choices": ModelConfig(model="choices"),
    "finished": ModelConfig(model="finished"),
    # Days, and nothing but the person's own: whether it is time for each of them again.
    "repurchase": ModelConfig(model="next_basket", parameters={"horizon_days": 7.0, "others": 0.0}),
    "trend": ModelConfig(model="trend"),
}

_PIPELINES = {
    "home": Pipeline(
        name="home",
        sources=(
            Source(name="item_knn", model="item_knn"),
            Source(name="als", model="als"),
            Source(name="tags", model="tags", weight=0.3),
            Source(name="cards", model="cards", weight=1.0),
            Source(name="newness", model="newness", weight=0.6),
            Source(name="transitions", model="transitions", weight=0.5),
            Source(name="creators", model="creators", weight=0.3),
            Source(name="choices", model="choices", weight=0.3),
            Source(name="popular", model="popular", weight=0.01),
        ),
        stages=("on_sale", "excluded", "bought", "seen"),
        scorer=AUTO,
        objective={"watch": 1.0, "click": 1.0, "buy": 2.0, "again": 0.0},
    ),
    "post_checkout": Pipeline(
        name="post_checkout",
        sources=(
            Source(name="bought_together", model="bought_together", of="basket"),
            Source(name="next_basket", model="next_basket"),
            Source(name="repurchase", model="repurchase", weight=0.3),
            Source(name="cards", model="cards", of="basket"),
            Source(name="item_knn", model="item_knn", of="basket", weight=0.5),
            Source(name="tags", model="tags", of="basket", weight=0.2),
            Source(name="popular", model="popular", weight=0.01),
        ),
        stages=("on_sale", "excluded", "bought", "seen", "same_need"),
        scorer=AUTO,
        objective={"watch": 1.0, "buy": 1.0, "again": 0.0},
    ),
    "video": Pipeline(
        name="video",
        sources=(
            # So heavy that what the video sells comes before whatever all others agree on.
            Source(name="cards", model="cards", of="basket", weight=10.0),
            Source(name="finished", model="finished", of="basket"),
            Source(name="transitions", model="transitions", of="basket"),
            Source(name="item_knn", model="item_knn", of="basket"),
            Source(name="tags", model="tags", of="basket", weight=0.5),
            Source(name="taste", model="item_knn", weight=0.3),
            Source(name="popular", model="popular", weight=0.01),
        ),
        stages=("on_sale", "excluded", "bought", "in_basket"),
        scorer=RRF,
    ),
    "product": Pipeline(
        name="product",
        sources=(
            Source(name="item_knn", model="item_knn", of="basket"),
            Source(name="tags", model="tags", of="basket", weight=0.5),
            Source(name="bought_together", model="bought_together", of="basket", weight=0.7),
            Source(name="cards", model="cards", of="basket"),
            Source(name="taste", model="item_knn", weight=0.2),
            Source(name="popular", model="popular", weight=0.01),
        ),
        stages=("on_sale", "excluded", "bought", "seen", "in_basket"),
        video_share=0.3,
        scorer=RRF,
    ),
    "cart": Pipeline(
        name="cart",
        sources=(
            Source(name="bought_together", model="bought_together", of="basket"),
            Source(name="item_knn", model="item_knn", of="basket", weight=0.5),
            Source(name="tags", model="tags", of="basket", weight=0.2),
            Source(name="next_basket", model="next_basket", weight=0.3),
            Source(name="popular", model="popular", weight=0.01),
        ),
        stages=("on_sale", "excluded", "bought", "same_need"),
        scorer=RRF,
    ),
    "live": Pipeline(
        name="live",
        sources=(
            Source(name="trend", model="trend"),
            Source(name="item_knn", model="item_knn"),
            Source(name="tags", model="tags", weight=0.3),
            Source(name="popular", model="popular", weight=0.5),
        ),
        stages=("on_sale", "excluded", "bought"),
        scorer=RRF,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Everything that training depends on besides the data.

    Parameters
    ----------
    half_life_days
        After this long an event counts half; 0 means no decay.
    visit
        How much more counts what was done in a person's last visit, as a share; 0 means nothing.
    holdout_days
        The last days that are held out to evaluate; None means the last tenth of dated events.
    seed
        Of every learner and of the random lists.
    people
        At most so many test persons a scene when a new bundle is evaluated; 0 means everybody.
    scorer_people
        At most so many persons a scene that scorers learn from and are judged on.
    pair_cap
        How many times its usual votes of a day a pair of items may get (`recsys.trust`); 0 means
        that every event teaches, repeats of a day included.
    weights
        What an event of each type is worth.
    models
        By name; only those that a pipeline uses are learned.
    pipelines
        By scene.
    platforms
        What events of a platform count; those not named count 1.
    mixes
        By scene, the bounds between which the share of products is learned.
    tiers
        What makes a member, and who is to be won back.
    treatments
        By scene and part of the people (`recsys.audience`), what is done for them.
    """

    half_life_days: float = 60.0
    visit: float = VISIT
    holdout_days: float | None = None
    seed: int = 1
    people: int = 2_000
    scorer_people: int = 1_200
    pair_cap: float = 0.0
    weights: Mapping[EventType, float] = field(default_factory=lambda: dict(EVENT_WEIGHTS))
    models: Mapping[str, ModelConfig] = field(default_factory=lambda: dict(_MODELS))
    pipelines: Mapping[str, Pipeline] = field(default_factory=lambda: dict(_PIPELINES))
    platforms: Mapping[Platform, float] = field(default_factory=dict)
    mixes: Mapping[str, Mix] = field(default_factory=lambda: {"home": Mix()})
    tiers: Tiers = field(default_factory=Tiers)
    treatments: Mapping[str, Mapping[str, Treatment]] = field(default_factory=dict)

    @property
    def used_models(self) -> dict[str, ModelConfig]:
        """The models that some pipeline asks."""
        used = {source.model for one in self.pipelines.values() for source in one.sources}
        return {name: model for name, model in self.models.items() if name in used}

    @property
    def unscored(self) -> "TrainConfig":
        """The same with every scene ordered by reciprocal ranks: nothing but models is learned."""
        pipelines = {scene: replace(one, scorer=RRF) for scene, one in self.pipelines.items()}
        return replace(self, pipelines=pipelines)


def train_config(said: Mapping[str, Any]) -> TrainConfig:
    """The defaults with what `dapei.toml` says instead; its other tables are not looked at.

    Raises
    ------
    ConfigError
        A name or a value is unknown; the message names what is allowed.
    """
    config = _trained(TrainConfig(), as_table(said.get("train", {}), "[train]"))
    models = dict(config.models)
    for name, table in as_table(said.get("models", {}), "[models]").items():
        where = f"[models.{name}]"
        models[name] = _model(models.get(name), as_table(table, where), where)
    pipelines = dict(config.pipelines)
    for scene, table in as_table(said.get("pipelines", {}), "[pipelines]").items():
        check_name(scene, SCENES, "[pipelines]")
        where = f"[pipelines.{scene}]"
        pipelines[scene] = _pipeline(pipelines[scene], as_table(table, where), where)
    config = replace(config, models=models, pipelines=pipelines)
    config = replace(
        config,
        platforms=platforms_of(said.get("platforms", {})),
        mixes=mixes_of(config.mixes, said.get("mix", {})),
        tiers=tiers_of(said.get("tiers", {})),
        treatments=treatments_of(said.get("treatments", {})),
    )
    _check_sources(config)
    return config


def _trained(config: TrainConfig, table: dict[str, Any]) -> TrainConfig:
    plain = {
        "half_life_days": float,
        "visit": float,
        "holdout_days": float,
        "seed": int,
        "people": int,
        "scorer_people": int,
        "pair_cap": float,
    }
    check_names(table, (*plain, "weights"), "[train]")
    values: dict[str, Any] = {
        name: as_number(table[name], kind, f"[train] {name}")
        for name, kind in plain.items()
        if name in table
    }
    weights = dict(config.weights)
    for word, weight in as_table(table.get("weights", {}), "[train.weights]").items():
        check_name(word, EVENT_WORDS, "[train.weights]")
        low = float("-inf")
        weights[EVENT_WORDS[word]] = as_number(weight, float, f"[train.weights] {word}", low)
    return replace(config, **values, weights=weights)


def _model(default: ModelConfig | None, table: dict[str, Any], where: str) -> ModelConfig:
    if default is None and "model" not in table:
        raise ConfigError(f"{where} names no model; allowed: model = one of {listed(MODELS)}")
    name = str(table.pop("model", default.model if default else None))
    known = parameters(model_named(name)())
    is_same = default is not None and default.model == name
    types = table.pop("learns_from", None)
    check_names(table, (*known, "model", "learns_from"), where)
    for key, value in table.items():
        # Of which sort a hyperparameter is, its default says.
        if isinstance(known[key], str):
            as_text(value, f"{where} {key}")
        else:
            as_number(value, type(known[key]), f"{where} {key}")
    learned = default.learns_from if default else ALL_TYPES
    return ModelConfig(
        model=name,
        parameters={**(default.parameters if default and is_same else {}), **table},
        learns_from=learned if types is None else as_types(types, f"{where} learns_from"),
    )


def _pipeline(default: Pipeline, table: dict[str, Any], where: str) -> Pipeline:
    plain = {"fusion_k": float, "video_share": float, "commission_loss": float}
    check_names(table, (*plain, "stages", "sources", "scorer", "objective"), where)
    values: dict[str, Any] = {
        name: as_number(table[name], kind, f"{where} {name}")
        for name, kind in plain.items()
        if name in table
    }
    for name in ("video_share", "commission_loss"):
        if values.get(name, 0) > 1:
            raise ConfigError(f"{where} {name} is out of range, got {table[name]}; allowed: 0 to 1")
    if "stages" in table:
        values["stages"] = tuple(as_names(table["stages"], STAGES, f"{where} stages"))
    if "scorer" in table:
        values["scorer"] = table["scorer"]
        check_name(values["scorer"], ORDERED_BY, f"{where} scorer")
    if "objective" in table:
        values["objective"] = _objective(table["objective"], f"{where[:-1]}.objective]")
    sources = {source.name: source for source in default.sources}
    for name, said in as_table(table.get("sources", {}), f"{where[:-1]}.sources]").items():
        inside = f"{where[:-1]}.sources.{name}]"
        sources[name] = _source(name, sources.get(name), as_table(said, inside), inside)
    kept = tuple(source for source in sources.values() if source.weight > 0)
    return replace(default, **values, sources=kept)


def _objective(value: object, where: str) -> dict[str, float]:
    table = as_table(value, where)
    check_names(table, (*OBJECTIVES, AGAIN), where)
    gains = {word: float(as_number(gain, float, f"{where} {word}")) for word, gain in table.items()}
    if not any(gains.get(word) for word in OBJECTIVES):
        raise ConfigError(f"{where} has no gain above 0, got {gains}; allowed: one or more")
    return gains


def _source(name: str, default: Source | None, table: dict[str, Any], where: str) -> Source:
    check_names(table, tuple(f.name for f in fields(Source) if f.name != "name"), where)
    source = default or Source(name=name, model=str(table.get("model", name)))
    values: dict[str, Any] = {key: table[key] for key in ("model", "of") if key in table}
    for key, kind in (("weight", float), ("limit", int)):
        if key in table:
            values[key] = as_number(table[key], kind, f"{where} {key}")
    if values.get("of", ROWS[0]) not in ROWS:
        raise ConfigError(f"{where} of is unknown, got {values['of']!r}; allowed: {listed(ROWS)}")
    return replace(source, **values)


def _check_sources(config: TrainConfig) -> None:
    for scene, pipeline in config.pipelines.items():
        if not pipeline.sources:
            raise ConfigError(f"[pipelines.{scene}] has no source left; allowed: one or more")
        for source in pipeline.sources:
            check_name(source.model, config.models, f"[pipelines.{scene}.sources.{source.name}]")
