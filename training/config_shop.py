"""What an operator sets about people: `[mix]`, `[tiers]`, `[treatments]`, `[platforms]`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from recsys.audience import AUDIENCES
from recsys.errors import ConfigError
from recsys.events import Platform
from recsys.mix import Mix
from recsys.scenes import SCENES
from recsys.tiers import Tiers, Treatment
from training.checked import as_number, as_table, check_name, check_names

# What each table may say, from what up to what.
MIX: dict[str, tuple[type[float], float, float]] = {
    "floor": (float, 0, 1),
    "ceiling": (float, 0, 1),
    "in_row": (int, 0, 100),
    "exploration": (float, 0, 1),
}
TIERS: dict[str, tuple[type[float], float, float]] = {
    "member_orders": (int, 0, 10**6),
    "member_spend_minor": (int, 0, 10**12),
    "member_days": (float, 0, 36_500),
    "lapsed_days": (float, 0, 36_500),
}
TREATMENT: dict[str, tuple[type[float], float, float]] = {
    "every": (int, 1, 100),
    "ceiling": (float, 0, 1),
}


def platforms_of(said: object) -> dict[Platform, float]:
    """`[platforms]`: what events of a platform count."""
    words = [platform.value for platform in Platform]
    table = as_table(said, "[platforms]")
    check_names(table, tuple(words), "[platforms]")
    return {
        Platform(word): float(as_number(weight, float, f"[platforms] {word}"))
        for word, weight in table.items()
    }


def mixes_of(defaults: Mapping[str, Mix], said: object) -> dict[str, Mix]:
    """`[mix.SCENE]`: the bounds of the share of products in scenes that show both kinds."""
    mixes = dict(defaults)
    for scene, table in as_table(said, "[mix]").items():
        both = tuple(name for name, one in SCENES.items() if len(one.kinds) > 1)
        check_name(scene, both, "[mix]")
        where = f"[mix.{scene}]"
        mix = replace(mixes.get(scene, Mix()), **_numbers(table, MIX, where))
        if mix.floor > mix.ceiling:
            raise ConfigError(
                f"{where} floor is above the ceiling, got {mix.floor} and {mix.ceiling}; "
                "allowed: a floor up to the ceiling"
            )
        mixes[scene] = mix
    return mixes


def tiers_of(said: object) -> Tiers:
    """`[tiers]`: what makes a member, and who is to be won back."""
    return Tiers(**_numbers(said, TIERS, "[tiers]"))


def treatments_of(said: object) -> dict[str, dict[str, Treatment]]:
    """`[treatments.SCENE.PEOPLE]`: what is done for a part of the people in a scene."""
    found: dict[str, dict[str, Treatment]] = {}
    for scene, tables in as_table(said, "[treatments]").items():
        check_name(scene, SCENES, "[treatments]")
        found[scene] = {}
        for word, table in as_table(tables, f"[treatments.{scene}]").items():
            check_name(word, AUDIENCES, f"[treatments.{scene}]")
            found[scene][word] = _treatment(table, f"[treatments.{scene}.{word}]")
    return found


def _treatment(said: object, where: str) -> Treatment:
    table = as_table(said, where)
    tags = table.pop("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) and tag for tag in tags):
        raise ConfigError(f"{where} tags is no list of texts, got {tags!r:.80}")
    return Treatment(tags=tuple(tags), **_numbers(table, TREATMENT, where))


def _numbers(
    said: object, allowed: Mapping[str, tuple[type[float], float, float]], where: str
) -> dict[str, Any]:
    table = as_table(said, where)
    check_names(table, tuple(allowed), where)
    return {
        name: as_number(value, kind, f"{where} {name}", low, high)
        for name, value in table.items()
        for kind, low, high in (allowed[name],)
    }
