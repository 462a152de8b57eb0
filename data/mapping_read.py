"""TOML → mapping, checked strictly: what it says wrongly is told with its place."""

import re
import tomllib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from data.mapping_fields import (
    EVENT_FORMS,
    FORMATS,
    ITEM_FORMS,
    NEEDED,
    UNITS,
    WORDS,
    Behaviour,
    Field,
    Form,
    Mapping,
    Origin,
)
from data.mapping_where import Condition, condition
from recsys.errors import ConfigError

T = TypeVar("T")

_OPTIONS: dict[Form, set[str]] = {
    Form.TEXT: {"prefix", "values"},
    Form.TEXTS: {"prefix", "columns", "split"},
    Form.WORD: {"values"},
    Form.TIME: {"unit", "format", "zone"},
    Form.SECONDS: {"unit"},
    Form.MONEY: {"unit"},
    Form.WHOLE: set(),
    Form.FLAG: {"values"},
    Form.TABLE: set(),
}
_NAME = re.compile(r"[a-z0-9_-]{1,64}")


def load_mapping(path: Path) -> Mapping:
    """The mapping of a TOML file.

    Raises
    ------
    ConfigError
        The file is missing, no TOML, or says something a mapping cannot say.
    """
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as cause:
        raise ConfigError(f"there is no mapping {path}") from cause
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as cause:
        raise ConfigError(f"{path} is no valid TOML: {cause}") from cause
    return _Reader(path.name).mapping(said)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Checks what a TOML said; every message begins with the place."""

    file: str

    def mapping(self, said: dict[str, Any]) -> Mapping:
        allowed = {"name", "of", "undated", "where", "file", "fields", "behaviours"}
        self._keys(said, allowed, "")
        name = self._is(said.get("name", ""), str, "name")
        if not _NAME.fullmatch(name):
            raise self._wrong("name", name, "1 to 64 of a-z, 0-9, _ and -")
        of = self._one_of(said.get("of"), tuple(NEEDED), "of")
        undated = self._is(said.get("undated", False), bool, "undated")
        behaviours = tuple(self._behaviours(said, of))
        for behaviour in behaviours:
            self._needed(behaviour, of, undated)
        self._own_ids(behaviours)
        return Mapping(
            name=name,
            of=of,
            behaviours=behaviours,
            said=said,
            undated=undated,
            where=self._where(said, ""),
            **self._file(said.get("file", {})),
        )

    def _file(self, said: Any) -> dict[str, Any]:
        self._keys(said, {"format", "separator", "header"}, "file.")
        found: dict[str, Any] = {}
        if "format" in said:
            found["format"] = self._one_of(said["format"], FORMATS, "file.format")
        if "separator" in said:
            found["separator"] = self._is(said["separator"], str, "file.separator")
            if len(found["separator"]) != 1 or found["separator"] in '"\r\n':
                raise self._wrong("file.separator", found["separator"], "one character, no quote")
        if "header" in said:
            found["header"] = self._texts(said["header"], "file.header")
        return found

    def _behaviours(self, said: dict[str, Any], of: str) -> list[Behaviour]:
        forms = EVENT_FORMS if of == "events" else ITEM_FORMS
        common = self._fields(said.get("fields", {}), forms, "fields.")
        if "behaviours" not in said:
            return [Behaviour(fields=common)]
        rows = self._is(said["behaviours"], list, "behaviours")
        if of == "items" or not rows:
            raise self._wrong("behaviours", len(rows), "one or more, in a mapping of events only")
        return [
            self._behaviour(row, common, f"behaviours[{number}].")
            for number, row in enumerate(rows)
        ]

    def _behaviour(self, said: Any, common: dict[str, Field], place: str) -> Behaviour:
        own = {"where", "each", "split", "without"}
        self._keys(said, own | set(EVENT_FORMS), place)
        fields = {name: value for name, value in said.items() if name in EVENT_FORMS}
        each = said.get("each", [])
        return Behaviour(
            fields=common | self._fields(fields, EVENT_FORMS, place),
            where=self._where(said, place),
            each=self._texts([each] if isinstance(each, str) else each, f"{place}each"),
            split=self._optional(said, "split", place),
            without=self._optional(said, "without", place),
        )

    def _needed(self, behaviour: Behaviour, of: str, undated: bool) -> None:
        for name in NEEDED[of]:
            if name not in behaviour.fields:
                raise ConfigError(f"{self.file}: {name} is missing; {of} need it")
        if of == "events" and undated == ("at" in behaviour.fields):
            raise ConfigError(f"{self.file}: either `at` is mapped or `undated = true` is said")
        if behaviour.without and not behaviour.each:
            raise ConfigError(f"{self.file}: without needs each, the list it takes elements from")

    def _own_ids(self, behaviours: tuple[Behaviour, ...]) -> None:
        """Two events of a row with one id would count as one."""
        ids = [one.fields["event_id"] for one in behaviours if "event_id" in one.fields]
        if any(one in ids[:number] for number, one in enumerate(ids)):
            raise ConfigError(f"{self.file}: behaviours share an event_id; give each a prefix")
        for one in behaviours:
            origins = one.fields.get("event_id")
            read = Behaviour(fields={"event_id": origins}).read() if origins else set()
            if one.each and origins and not read & set(one.each):
                raise ConfigError(f"{self.file}: event_id is the same for every element of each")

    def _fields(self, said: Any, forms: dict[str, Form], place: str) -> dict[str, Field]:
        self._keys(said, set(forms), place)
        return {
            name: self._field(name, value, forms[name], f"{place}{name}")
            for name, value in said.items()
        }

    def _field(self, name: str, said: Any, form: Form, place: str) -> Field:
        if form is Form.TABLE and not isinstance(said, str):
            table = self._is(said, dict, place)
            return {key: self._origin(key, one, Form.TEXT, place) for key, one in table.items()}
        ways = said if isinstance(said, list) else [said]
        origins = tuple(self._origin(name, way, form, place) for way in ways)
        if not origins or any(origin.where is None for origin in origins[:-1]):
            raise self._wrong(place, said, "a way, or several of which all but the last say where")
        return origins

    def _origin(self, name: str, said: Any, form: Form, place: str) -> Origin:
        if isinstance(said, str):
            return Origin(columns=(said,))
        options = {"column", "constant", "missing", "where"} | _OPTIONS[form]
        self._keys(said, options, f"{place}.")
        if sum(one in said for one in ("column", "columns", "constant")) != 1:
            raise self._wrong(place, sorted(said), "exactly one of column, columns and constant")
        origin = Origin(
            columns=self._columns(said, place),
            constant=said.get("constant"),
            prefix=self._optional(said, "prefix", f"{place}.") or "",
            unit=said.get("unit"),
            format=self._optional(said, "format", f"{place}."),
            zone=self._optional(said, "zone", f"{place}.") or "UTC",
            values=said.get("values"),
            missing=self._texts(said.get("missing", []), f"{place}.missing"),
            split=self._optional(said, "split", f"{place}."),
            where=self._where(said, f"{place}."),
        )
        self._check_unit(origin, form, place)
        self._check_words(name, form, origin, place)
        return origin

    def _columns(self, said: dict[str, Any], place: str) -> tuple[str, ...]:
        if "column" in said:
            return (self._is(said["column"], str, f"{place}.column"),)
        return self._texts(said.get("columns", []), f"{place}.columns")

    def _check_unit(self, origin: Origin, form: Form, place: str) -> None:
        if origin.unit is not None:
            self._one_of(origin.unit, tuple(UNITS[form]), f"{place}.unit")
        if form is Form.TIME:
            self._check_time(origin, place)

    def _check_time(self, origin: Origin, place: str) -> None:
        if origin.unit and origin.format:
            raise self._wrong(place, "unit and format", "one of them")
        if origin.format is not None and "%" not in origin.format:
            raise self._wrong(f"{place}.format", origin.format, "a format like %Y-%m-%d")
        try:
            pl.Series([datetime(2026, 1, 1)]).dt.replace_time_zone(origin.zone)
        except pl.exceptions.PolarsError as cause:
            raise self._wrong(f"{place}.zone", origin.zone, "a name like Asia/Shanghai") from cause

    def _check_words(self, name: str, form: Form, origin: Origin, place: str) -> None:
        if origin.values is not None:
            self._is(origin.values, dict, f"{place}.values")
        said = [*(origin.values or {}).values()]
        said += [origin.constant] if not origin.columns else []
        if name in WORDS:
            for word in said:
                self._one_of(word, tuple(WORDS[name]), place)
        elif form is Form.FLAG:
            for flag in said:
                self._is(flag, bool, place)

    def _where(self, said: dict[str, Any], place: str) -> Condition | None:
        if "where" not in said:
            return None
        return condition(said["where"], f"{self.file}: {place}where")

    def _optional(self, said: dict[str, Any], name: str, place: str) -> str | None:
        return self._is(said[name], str, f"{place}{name}") if name in said else None

    def _texts(self, said: Any, place: str) -> tuple[str, ...]:
        return tuple(self._is(one, str, place) for one in self._is(said, list, place))

    def _keys(self, said: Any, allowed: set[str], place: str) -> None:
        for key in self._is(said, dict, place.rstrip(".") or "the file"):
            if key not in allowed:
                names = ", ".join(sorted(allowed))
                raise ConfigError(f"{self.file}: {place}{key} is unknown; allowed: {names}")

    def _one_of(self, said: Any, allowed: tuple[str, ...], place: str) -> str:
        if said not in allowed:
            raise self._wrong(place, said, ", ".join(allowed))
        return str(said)

    def _is(self, said: Any, kind: type[T], place: str) -> T:
        if not isinstance(said, kind):
            raise self._wrong(place, said, f"a value of type {kind.__name__}")
        return said

    def _wrong(self, place: str, got: object, allowed: str) -> ConfigError:
        return ConfigError(f"{self.file}: {place} is wrong, got {got!r}; allowed: {allowed}")
