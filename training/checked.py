"""Values of a TOML file, checked: what is wrong is told with its place."""

from collections.abc import Mapping
from typing import Any

from recsys.errors import ConfigError
from recsys.events import EVENT_WORDS, EventType


def listed(names: Any) -> str:
    """Names as a message lists them."""
    return ", ".join(names)


def as_table(value: object, where: str) -> dict[str, Any]:
    """A table of the file; ConfigError if it is none."""
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} is no table, got {value!r:.80}")
    return dict(value)


def check_name(name: object, allowed: Any, where: str) -> None:
    """Raise ConfigError unless a name is one of those allowed."""
    if name not in allowed:
        raise ConfigError(f"{where} has an unknown name, got {name!r}; allowed: {listed(allowed)}")


def check_names(table: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> None:
    """Raise ConfigError unless all keys of a table are allowed."""
    for name in table:
        check_name(name, allowed, where)


def as_names(value: object, allowed: Any, where: str) -> list[str]:
    """A list of distinct names, each one allowed."""
    if not isinstance(value, list) or len(set(map(str, value))) != len(value):
        raise ConfigError(f"{where} is no list of distinct names, got {value!r:.80}")
    for name in value:
        check_name(name, allowed, where)
    return value


def as_types(value: object, where: str) -> frozenset[EventType]:
    """A list of the words of event types."""
    return frozenset(EVENT_WORDS[word] for word in as_names(value, EVENT_WORDS, where))


def as_text(value: object, where: str) -> str:
    """A text."""
    if not isinstance(value, str):
        raise ConfigError(f"{where} is not a text, got {value!r:.80}")
    return value


def as_number(
    value: object, kind: type[float], where: str, low: float = 0, high: float = float("inf")
) -> Any:
    """A number, whole if the kind is, from `low` to `high`."""
    is_right = isinstance(value, int if kind is int else int | float)
    if not is_right or isinstance(value, bool):
        word = "a whole number" if kind is int else "a number"
        raise ConfigError(f"{where} is not {word}, got {value!r:.80}")
    number = kind(str(value))
    if not low <= number <= high or number == float("inf"):
        allowed = f"{low:g} or more" if high == float("inf") else f"{low:g} to {high:g}"
        raise ConfigError(f"{where} is out of range, got {value}; allowed: {allowed}")
    return number
