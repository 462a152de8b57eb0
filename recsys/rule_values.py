"""Rules ↔ plain values, as bodies and files have them."""

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from recsys.catalog import KIND_WORDS
from recsys.errors import InvalidRule
from recsys.rules import BOUNDS, OUTSIDE, TARGETS, By, Effect, Rule

_TUPLES = frozenset({"scenes", "tiers", *TARGETS})
_INTEGERS = frozenset(BOUNDS) - {"share"}
INSIDE = {outside: inside for inside, outside in OUTSIDE.items()}
_FIELDS = {OUTSIDE.get(f.name, f.name): f for f in fields(Rule)}


def rule_of(rule_id: str, said: Mapping[str, Any]) -> Rule:
    """The rule that plain values say, as bodies and files have them.

    Raises
    ------
    InvalidRule
        A field is unknown, or of the wrong kind.
    """
    unknown = set(said) - set(_FIELDS) | ({"rule_id"} & set(said))
    if unknown:
        allowed = _listed(set(_FIELDS) - {"rule_id"})
        raise InvalidRule(f"rule {rule_id}: unknown field {_listed(unknown)}; allowed: {allowed}")
    needed = {name for name, f in _FIELDS.items() if f.default is MISSING} - {"rule_id"}
    if missing := needed - set(said):
        raise InvalidRule(
            f"rule {rule_id}: {_listed(missing)} is missing; allowed: {_listed(needed)}"
        )
    values = {INSIDE.get(name, name): _value(rule_id, name, one) for name, one in said.items()}
    return Rule(rule_id=rule_id, **values)


def _value(rule_id: str, name: str, value: Any) -> Any:
    readers = {"effect": Effect, "by": By}
    try:
        if name in readers:
            return readers[name](value)
        if name == "kinds":
            return tuple(KIND_WORDS[one] for one in value)
        if name in INSIDE:
            return value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (ValueError, KeyError, TypeError) as cause:
        words = {"effect": _listed(Effect), "by": _listed(By), "kinds": _listed(KIND_WORDS)}
        allowed = words.get(name, "a time in ISO 8601")
        raise InvalidRule(
            f"rule {rule_id}: {name} is unknown, got {value!r:.80}; allowed: {allowed}"
        ) from cause
    wrong = _wrong_kind(name, value)
    if wrong:
        raise InvalidRule(f"rule {rule_id}: {name} is no {wrong}, got {value!r:.80}")
    return tuple(value) if name in _TUPLES else value


def _wrong_kind(name: str, value: Any) -> str:
    """What a value should have been; empty if it is."""
    if name in _TUPLES:
        is_fine = isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
        return "" if is_fine else "list of texts"
    if name in _INTEGERS:
        return "" if type(value) is int else "whole number"
    if name == "share":
        return "" if type(value) in (int, float) else "number"
    return "" if isinstance(value, str) else "text"


def told(rule: Rule) -> dict[str, Any]:
    """A rule as plain values, without its id; `rule_of` gives it back."""
    found: dict[str, Any] = {}
    for name, f in _FIELDS.items():
        value = getattr(rule, f.name)
        if name == "rule_id" or value in (None, ()):
            continue
        if name == "kinds":
            value = [kind.word for kind in value]
        elif isinstance(value, tuple):
            value = list(value)
        elif isinstance(value, datetime):
            value = value.isoformat()
        found[name] = str(value) if isinstance(value, StrEnum) else value
    return found


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
