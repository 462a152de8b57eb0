"""`dapei rules`: what the shop wants of its lists, told, tried out, set and dropped."""

import tomllib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from data.home import Home
from data.record import Record
from data.record_rules import Held
from recsys.errors import BundleError, ConfigError
from recsys.events import ServedList, millis, moment
from recsys.rule_preview import Asked, Change, preview, request_of
from recsys.rule_values import rule_of, told
from recsys.ruled import check_known
from recsys.rules import Rule, check_together, with_defaults
from serving.bundles import Watcher
from serving.current import Current, until
from serving.persons import Persons
from serving.remembered import Remembered
from serving.rules import RuleDesk
from serving.settings import Settings

app = typer.Typer(no_args_is_help=True)
group = typer.Typer(no_args_is_help=True, help="List, try out, set and drop rules about lists.")
app.add_typer(group, name="rules")

HomeOption = Annotated[Path, typer.Option(envvar="DAPEI_HOME", help="The shop's home folder.")]
FileArgument = Annotated[
    Path, typer.Argument(help="A TOML file: a table [rules.ID] for each rule.", exists=True)
]
DropOption = Annotated[list[str] | None, typer.Option(help="Without the rule of this id.")]
# A table of items that come and go shows so many.
SHOWN = 10


@group.command(name="list")
def list_(home: HomeOption) -> None:
    """Every rule that holds, defaults included."""
    with _record(home) as record:
        held = record.rules.held()
    table = Table("id", "effect", "of", "where", "from", "until", "who", "why")
    own = {rule.rule_id for rule in held.rules}
    for rule in held.effective:
        name = rule.rule_id if rule.rule_id in own else f"{rule.rule_id} (default)"
        table.add_row(name, *_told(rule))
    _console().print(table)
    if held.dropped:
        _say(f"dropped: {', '.join(held.dropped)}")


@group.command(name="set")
def set_(file: FileArgument, home: HomeOption) -> None:
    """Set the rules of a file, all of them or none; others stay as they are."""
    with _record(home) as record:
        rules = _rules(file)
        _check(rules, record, home)
        before = record.rules.version()
        held = record.rules.put(rules, at=datetime.now(UTC), who="dapei rules")
    changed = held.version - before
    _say(f"{changed} of {len(rules)} rules changed; version {held.version}")


@group.command()
def drop(
    rule_id: Annotated[str, typer.Argument(help="Its id, also a default's.")],
    home: HomeOption,
    why: Annotated[str, typer.Option(help="For the audit.")],
) -> None:
    """Let a rule hold no longer; what it said stays in the record."""
    with _record(home) as record:
        held = record.rules.drop(rule_id, at=datetime.now(UTC), why=why, who="dapei rules")
    _say(f"{rule_id} is dropped; version {held.version}")


@group.command(name="preview")
def preview_(
    home: HomeOption,
    file: Annotated[Path | None, typer.Argument(help="A file as for `set`.", exists=True)] = None,
    without: DropOption = None,
    lists: Annotated[int, typer.Option(min=1, max=10_000, help="So many served last.")] = 200,
) -> None:
    """What would change for requests that were really made: rules of a file, others dropped.

    Each list that was served last is made twice, as rules are now and as they would be, from what
    its person had done by then. Nothing is kept.
    """
    new, gone = ([] if file is None else _rules(file)), tuple(without or ())
    with _record(home) as record:
        _check(new, record, home)
        held = record.rules.held()
        after = _after(held, new, gone)
        current = _current(home, record)
        asked = _asked(record.newest_served(lists), record, current, home)
        changes = preview(asked, current.bundle, held.effective, after)
    show(changes)


def show(changes: list[Change]) -> None:
    """Counts by scene, then which items come and go most."""
    table = Table("scene", "lists", "changed", "items enter", "items move", "short", "relaxed")
    for scene in sorted({one.before.scene for one in changes}):
        mine = [one for one in changes if one.before.scene == scene]
        table.add_row(scene, *map(str, _counts(mine)))
    _console().print(table)
    moves = Table("item", "enters lists", "leaves lists")
    entered = Counter(item_id for one in changes for item_id in one.entered)
    left = Counter(item_id for one in changes for item_id in one.left)
    for item_id, _ in (entered + left).most_common(SHOWN):
        moves.add_row(item_id, str(entered[item_id]), str(left[item_id]))
    if entered or left:
        _console().print(moves)
    _say(f"{sum(one.is_changed for one in changes)} of {len(changes)} lists would change")


def _counts(mine: list[Change]) -> tuple[int, ...]:
    return (
        len(mine),
        sum(one.is_changed for one in mine),
        sum(len(one.entered) for one in mine),
        sum(one.moved for one in mine),
        sum(len(one.after.items) < len(one.before.items) for one in mine),
        sum(bool(set(one.after.relaxed) - set(one.before.relaxed)) for one in mine),
    )


@contextmanager
def _record(home: Path) -> Iterator[Record]:
    record = Record.of(Home(home))
    try:
        yield record
    finally:
        record.close()


def _rules(file: Path) -> list[Rule]:
    try:
        said: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise ConfigError(f"{file} is no valid TOML: {cause}") from cause
    found = said.get("rules")
    if set(said) != {"rules"} or not isinstance(found, dict) or not found:
        raise ConfigError(f"{file} has no tables [rules.ID]; allowed: these and nothing else")
    return [rule_of(rule_id, one) for rule_id, one in found.items()]


def _check(rules: list[Rule], record: Record, home: Path) -> None:
    """Raise InvalidRule if rules name what the shop has not."""
    watcher = Watcher(Home(home), record)
    watcher.look()
    catalog = RuleDesk(record, watcher, lambda: datetime.now(UTC)).catalog()
    for rule in rules:
        check_known(rule, catalog)


def _after(held: Held, new: list[Rule], gone: tuple[str, ...]) -> tuple[Rule, ...]:
    there = {rule.rule_id for rule in held.effective}
    if unknown := set(gone) - there:
        raise ConfigError(f"there is no rule {sorted(unknown)}; allowed: {sorted(there)}")
    own = {rule.rule_id: rule for rule in (*held.rules, *new) if rule.rule_id not in gone}
    rules = with_defaults(own.values(), (*held.dropped, *gone))
    check_together(rules)
    return rules


def _current(home: Path, record: Record) -> Current:
    watcher = Watcher(Home(home), record)
    watcher.look()
    if watcher.current is None:
        raise BundleError(f"{home} has no published bundle; allowed: `dapei train --publish` first")
    return watcher.current


def _asked(
    served: list[ServedList], record: Record, current: Current, home: Path
) -> Iterator[Asked]:
    """The requests of lists that were served; persons as they were then."""
    settings = Settings.of(Home(home).config())
    persons = Persons(record, Remembered(1), limit=settings.history_events)
    for one in served:
        history = persons.near(one.user_id, current).history
        at_ms = millis(one.at)
        history = until(history.take(history.at_ms <= at_ms), at_ms)
        yield Asked(request_of(one), history, moment(at_ms), one.list_id)


def _told(rule: Rule) -> tuple[str, ...]:
    """A rule as the cells of a row."""
    said = told(rule)
    about = {"effect", "who", "why", "from", "until", "scenes", "tiers", "kinds"}
    of = "; ".join(f"{name} {_text(value)}" for name, value in said.items() if name not in about)
    where = [_text(said[name]) for name in ("scenes", "tiers", "kinds") if name in said]
    times = [said.get(name, "") for name in ("from", "until")]
    return rule.effect, of, "; ".join(where) or "everywhere", *times, rule.who, rule.why


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _console() -> Console:
    return Console()


def _say(text: str) -> None:
    _console().print(text, highlight=False, soft_wrap=True)
