"""A configuration as TOML, only where it differs from the defaults; `train_config` reads it back.

The one writer beside the one reader: a tuned configuration, and any other, survives the way there
and back unchanged.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from recsys.events import EventType
from recsys.mix import Mix
from recsys.pipeline import Pipeline, Source
from recsys.tiers import Treatment
from training.config import ALL_TYPES, ModelConfig, TrainConfig
from training.config_shop import MIX, TIERS, TREATMENT

Table = dict[str, Any]
_BARE = re.compile(r"[A-Za-z0-9_-]+")
# What [train] does not hold as a plain value.
_TABLES = ("weights", "models", "pipelines", "platforms", "mixes", "tiers", "treatments")


def dumped(config: TrainConfig, head: str = "") -> str:
    """The text that `train_config` reads as this configuration.

    Parameters
    ----------
    head
        Lines that come before it as comments.
    """
    comments = [f"# {line}".rstrip() for line in head.splitlines()]
    return "\n".join([*comments, toml(said(config))])


def said(config: TrainConfig) -> Table:
    """What a file has to say for this configuration: the tables of its TOML."""
    default = TrainConfig()
    plain = [f.name for f in fields(TrainConfig) if f.name not in _TABLES]
    weights = {
        kind.word: weight
        for kind, weight in config.weights.items()
        if weight != default.weights.get(kind)
    }
    found: Table = {
        "train": _differing(config, default, plain) | _unless_empty("weights", weights),
        "models": {
            name: table
            for name, model in config.models.items()
            if (table := _model(model, default.models.get(name))) is not None
        },
        "pipelines": {
            scene: table
            for scene, pipeline in config.pipelines.items()
            if (table := _pipeline(pipeline, default.pipelines[scene]))
        },
        **_about_people(config, default),
    }
    return {name: table for name, table in found.items() if table}


def _about_people(config: TrainConfig, default: TrainConfig) -> Table:
    mixes = {
        scene: _differing(mix, default.mixes.get(scene, Mix()), list(MIX))
        for scene, mix in config.mixes.items()
        if mix != default.mixes.get(scene)
    }
    return {
        "platforms": {one.value: weight for one, weight in config.platforms.items()},
        "mix": mixes,
        "tiers": _differing(config.tiers, default.tiers, list(TIERS)),
        "treatments": {
            scene: {
                word: _differing(one, Treatment(), ["tags", *TREATMENT])
                for word, one in by_word.items()
            }
            for scene, by_word in config.treatments.items()
        },
    }


def toml(tables: Mapping[str, Any]) -> str:
    """Nested tables of numbers, texts, truths and lists of them as TOML."""
    return "\n".join(_lines(tables, ())) + "\n"


def _differing(value: object, default: object, names: list[str]) -> Table:
    pairs = [(name, getattr(value, name), getattr(default, name)) for name in names]
    return {
        name: list(own) if isinstance(own, tuple) else own
        for name, own, other in pairs
        if own != other
    }


def _unless_empty(name: str, table: Table) -> Table:
    return {name: table} if table else {}


def _model(model: ModelConfig, default: ModelConfig | None) -> Table | None:
    """None where the default is the same; a model without a default is said, if only by name."""
    if model == default:
        return None
    is_same = default is not None and default.model == model.model
    known = default.parameters if default is not None and is_same else {}
    table: Table = {} if is_same else {"model": model.model}
    if model.learns_from != (default.learns_from if default else ALL_TYPES):
        table["learns_from"] = _words(model.learns_from)
    for name, value in model.parameters.items():
        if name not in known or known[name] != value:
            table[name] = value
    return table


def _words(types: frozenset[EventType]) -> list[str]:
    return [kind.word for kind in sorted(types)]


def _pipeline(pipeline: Pipeline, default: Pipeline) -> Table:
    plain = [f.name for f in fields(Pipeline) if f.name not in ("name", "sources")]
    kept = {source.name for source in pipeline.sources}
    known = {source.name: source for source in default.sources}
    sources: Table = {name: {"weight": 0} for name in known if name not in kept}
    for source in pipeline.sources:
        if source != known.get(source.name):
            sources[source.name] = _source(source, known.get(source.name))
    return _differing(pipeline, default, plain) | _unless_empty("sources", sources)


def _source(source: Source, default: Source | None) -> Table:
    if default is None:
        default = Source(name=source.name, model=source.name)
    return _differing(source, default, [f.name for f in fields(Source)])


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """Values before tables, as TOML wants it; a table without own values needs no heading."""
    values = {name: one for name, one in table.items() if not isinstance(one, Mapping)}
    if path and (values or not table):
        yield f"\n[{'.'.join(map(_key, path))}]"
    for name, value in values.items():
        yield f"{_key(name)} = {_value(value)}"
    for name, one in table.items():
        if isinstance(one, Mapping):
            yield from _lines(one, (*path, name))


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value(name)


def _value(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, str):
        # TOML's basic strings are JSON's but for one character, which it wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    # The shortest text that reads back as the same number; 1e+20 is TOML, too.
    return repr(value)
