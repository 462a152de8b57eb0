"""What `dapei tune` may change, and how far: a knob a number of the configuration.

Only what the scene's pipeline uses has knobs. A parameter that is not named here gets a range
around its default, so a model new to the table can be tuned before anybody thought about it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import exp, log

from recsys.events import EventType
from recsys.models.base import parameters
from recsys.models.table import model_named
from training.config import ModelConfig, TrainConfig, train_config
from training.config_toml import said

Value = int | float | str
KnobPath = tuple[str, ...]

# A number that no file names lies between a quarter of its default and four times as much; one so
# small that its size is what matters, between a tenth and ten times as much.
AROUND, SMALL, AROUND_SMALL = 4.0, 0.1, 10.0
# Types of events that are rarer than this teach too little for their weight to show.
MAIN_SHARE = 0.01
DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The values a number may take.

    Parameters
    ----------
    is_log
        Whether a step is a factor, as for weights, instead of a difference.
    is_whole
        Whether only whole numbers count.
    """

    low: float
    high: float
    is_log: bool = False
    is_whole: bool = False

    def holding(self, value: float) -> "Range | None":
        """The range made wide enough for a value; None if its scale cannot hold it."""
        if self.is_log and value <= 0:
            return None
        return replace(self, low=min(self.low, value), high=max(self.high, value))

    def share(self, value: float) -> float:
        """How far a value is from the low end to the high one, on the scale, 0 to 1."""
        low, high, at = (log(x) if self.is_log else x for x in (self.low, self.high, value))
        return (at - low) / (high - low)

    def at(self, share: float) -> float:
        """The value that is so far; beyond an end the way goes back inside."""
        share = 1 - abs(1 - abs(share) % 2)
        if self.is_log:
            return float(exp(log(self.low) + share * (log(self.high) - log(self.low))))
        return self.low + share * (self.high - self.low)

    def neat(self, value: float) -> Value:
        """The value as files hold it: whole, or with four digits, and inside the range."""
        if self.is_whole:
            return int(min(max(round(value), self.low), self.high))
        return float(min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Words a parameter may be."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """One value of the configuration that may be changed.

    Parameters
    ----------
    path
        Where TOML has it, like ("models", "als", "alpha").
    block
        What is searched together, because it costs the same: "rows" (everything is learned again),
        "lists" (nothing is), or "models." and the name of the one model that is.
    value
        What the configuration says now.
    """

    path: KnobPath
    block: str
    value: Value
    allowed: Range | Choice

    @property
    def name(self) -> str:
        """The path as one word."""
        return ".".join(self.path)


ROWS, LISTS = "rows", "lists"

HALF_LIFE = Range(low=2, high=500, is_log=True)
SOURCE_WEIGHT = Range(low=0.005, high=5, is_log=True)
FUSION_K = Range(low=3, high=300, is_log=True)

# What is known of some parameters, by model and name or, for every model, by name alone. None
# means left alone: what costs time in serving, and what is not a matter of quality.
KNOWN: Mapping[str, Range | Choice | None] = {
    "seed": None,
    "exact_below": None,
    "n_listed": None,
    "n_scored": None,
    "n_neighbours": None,
    "n_linked": None,
    "n_postings": None,
    "popularity.damping": None,
    # At 1 everything is missing.
    "noise": Range(low=0, high=0.95),
    "item_knn.n_neighbours": Range(low=20, high=400, is_log=True, is_whole=True),
    "item_knn.shrinkage": Range(low=0.5, high=500, is_log=True),
    "item_knn.source_damping": Range(low=0, high=1),
    "item_knn.target_damping": Range(low=0, high=1),
    "item_knn.person_damping": Range(low=0, high=1),
    "als.factors": Range(low=16, high=256, is_log=True, is_whole=True),
    "als.regularization": Range(low=0.001, high=1, is_log=True),
    "als.alpha": Range(low=0.5, high=200, is_log=True),
    "als.iterations": Range(low=4, high=30, is_log=True, is_whole=True),
    "tags.n_tags": Range(low=3, high=50, is_log=True, is_whole=True),
    "tags.boost": Range(low=0, high=1.5),
    "crossing.most_filtered": None,
    "crossing.n_learners": None,
}


def allowed(model: str, name: str, default: Value) -> Range | Choice | None:
    """What a model's parameter may be; None where it is left alone.

    Parameters
    ----------
    model
        Its name in the table of models.
    default
        What the model's own class says.
    """
    for key in (f"{model}.{name}", name):
        if key in KNOWN:
            return KNOWN[key]
    return None if isinstance(default, str) else around(default)


def around(default: float) -> Range | None:
    """The range of a number that nobody knows more of than its default."""
    if isinstance(default, bool):
        return None
    if isinstance(default, int):
        return _around_whole(default) if default > 0 else None
    if default < 0:
        return Range(low=AROUND * default, high=default / AROUND)
    if default == 0 or SMALL <= default < 1:
        return Range(low=0, high=1)
    factor = AROUND if default >= 1 else AROUND_SMALL
    return Range(low=default / factor, high=default * factor, is_log=True)


def _around_whole(default: int) -> Range:
    low, high = max(1, round(default / AROUND)), round(default * AROUND)
    return Range(low=low, high=high, is_log=True, is_whole=True)


def knobs(
    config: TrainConfig, scene: str, n_events: Mapping[EventType, int], *, is_dated: bool
) -> tuple[Knob, ...]:
    """All that may be changed for the list of a scene.

    Parameters
    ----------
    n_events
        How many events of each type there are to learn from.
    is_dated
        Whether any event has a time; without one nothing decays.
    """
    pipeline = config.pipelines[scene]
    used = {source.model: config.models[source.model] for source in pipeline.sources}
    of_models = [one for name, model in used.items() for one in of_model(name, model)]
    of_rows = [*_of_weights(config, used.values(), n_events)]
    if is_dated:
        path = ("train", "half_life_days")
        of_rows += _knob(path, ROWS, config.half_life_days, HALF_LIFE)
    return (*_of_lists(config, scene), *of_models, *of_rows)


def of_model(name: str, model: ModelConfig) -> list[Knob]:
    """The knobs of one model's own parameters."""
    found = []
    for key, default in parameters(model_named(model.model)()).items():
        path, value = ("models", name, key), model.parameters.get(key, default)
        found += _knob(path, f"models.{name}", value, allowed(model.model, key, default))
    return found


def _of_lists(config: TrainConfig, scene: str) -> list[Knob]:
    pipeline = config.pipelines[scene]
    # How one source alone is joined with itself makes no difference.
    if len(pipeline.sources) < 2:
        return []
    path = ("pipelines", scene)
    found = _knob((*path, "fusion_k"), LISTS, pipeline.fusion_k, FUSION_K)
    for source in pipeline.sources:
        place = (*path, "sources", source.name, "weight")
        found += _knob(place, LISTS, source.weight, SOURCE_WEIGHT)
    return found


def _of_weights(
    config: TrainConfig, used: Iterable[ModelConfig], n_events: Mapping[EventType, int]
) -> list[Knob]:
    learned = frozenset().union(*(model.learns_from for model in used))
    floor = max(1, MAIN_SHARE * sum(n_events.values()))
    main = [kind for kind in config.weights if kind in learned and n_events.get(kind, 0) >= floor]
    # One weight alone says nothing: all that counts is how they compare.
    if len(main) < 2:
        return []
    return [
        knob
        for kind in main
        for knob in _knob(
            ("train", "weights", kind.word),
            ROWS,
            config.weights[kind],
            around(config.weights[kind]),
        )
    ]


def _knob(path: KnobPath, block: str, value: Value, spread: Range | Choice | None) -> list[Knob]:
    """One knob, or none where the value is left alone or lies on no scale."""
    if isinstance(spread, Range):
        spread = None if isinstance(value, str) else spread.holding(value)
    elif spread is not None and value not in spread.words:
        spread = None
    return [] if spread is None else [Knob(path=path, block=block, value=value, allowed=spread)]


def turned(config: TrainConfig, found: Mapping[KnobPath, Value]) -> TrainConfig:
    """The configuration with some values changed."""
    tables = said(config)
    for path, value in found.items():
        table = tables
        for part in path[:-1]:
            table = table.setdefault(part, {})
        table[path[-1]] = value
    return train_config(tables)
