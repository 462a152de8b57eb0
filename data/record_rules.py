"""Rules in the record: every version stays, the newest of each id holds."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, func, insert, select

from data.record_audit import Deed, note
from data.record_store import Store
from data.record_tables import events, rules
from recsys.errors import InvalidRule
from recsys.events import EventType, millis, moment
from recsys.pacing import Counts
from recsys.rule_values import rule_of, told
from recsys.rules import Effect, Rule, check_together, with_defaults


class Held(NamedTuple):
    """What holds at one version: a shop's own rules, and the ids that were dropped."""

    version: int
    rules: tuple[Rule, ...]
    dropped: tuple[str, ...]

    @property
    def effective(self) -> tuple[Rule, ...]:
        """The shop's own rules and those defaults that it neither replaced nor dropped."""
        return with_defaults(self.rules, self.dropped)


class RuleVersion(NamedTuple):
    """One version of one rule; None means that it was dropped then."""

    version: int
    at: datetime
    who: str
    rule_id: str
    rule: Rule | None


class Rules:
    """The rules of one record."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def version(self) -> int:
        """A number that grows whenever a rule changed."""
        with self._store.reading() as connection:
            return _version(connection)

    def held(self) -> Held:
        """What holds now."""
        with self._store.reading() as connection:
            return _held(connection)

    def put(self, new: Sequence[Rule], *, at: datetime, who: str = "service") -> Held:
        """Add rules or replace those of the same ids, all of them or none.

        Parameters
        ----------
        who
            Who sent it, for the audit; a rule says itself whose it is.

        Raises
        ------
        InvalidRule
            Together with those that hold they contradict each other.
        """
        with self._store.writing() as connection:
            before = _held(connection)
            known = {rule.rule_id: rule for rule in before.rules}
            changed = [rule for rule in new if known.get(rule.rule_id) != rule]
            check_together(with_defaults((*before.rules, *new), before.dropped))
            for rule in changed:
                _write(connection, rule.rule_id, orjson.dumps(told(rule)), at, who)
                note(connection, Deed(who, "set_rule", rule.rule_id, rule.why), at=at)
            return _held(connection)

    def drop(self, rule_id: str, *, at: datetime, why: str, who: str = "service") -> Held:
        """Let a rule, or a default, hold no longer.

        Raises
        ------
        InvalidRule
            No rule of this id holds.
        """
        with self._store.writing() as connection:
            before = _held(connection)
            there = [rule.rule_id for rule in before.effective]
            if rule_id not in there:
                raise InvalidRule(
                    f"there is no rule {rule_id!r:.80}; allowed: {', '.join(there) or 'none now'}"
                )
            _write(connection, rule_id, None, at, who)
            note(connection, Deed(who, "drop_rule", rule_id, why), at=at)
            return _held(connection)

    def versions(self, rule_id: str) -> list[RuleVersion]:
        """What was once said under an id, the newest first."""
        asked = select(rules).where(rules.c.rule_id == rule_id).order_by(rules.c.version.desc())
        with self._store.reading() as connection:
            return [
                RuleVersion(
                    row.version, moment(row.at_ms), row.who, rule_id, _read(rule_id, row.body)
                )
                for row in connection.execute(asked)
            ]

    def counted(
        self, counts: dict[str, Counts], after_seq: int, upto_seq: int
    ) -> dict[str, Counts]:
        """Impressions for those rules that promise any, with those of more events added.

        Parameters
        ----------
        counts
            By rule; what was counted up to `after_seq`.
        """
        found = {}
        with self._store.reading() as connection:
            for rule in _held(connection).rules:
                if rule.effect is Effect.EXPOSE and rule.from_at is not None:
                    old = counts.get(rule.rule_id)
                    seq = 0 if old is None else after_seq
                    more = _impressions(connection, rule.from_at, seq, upto_seq)
                    found[rule.rule_id] = _sum(old or Counts(0, {}), more)
        return found


def _version(connection: Connection) -> int:
    return connection.execute(select(func.max(rules.c.version))).scalar() or 0


def _held(connection: Connection) -> Held:
    newest = select(func.max(rules.c.version)).group_by(rules.c.rule_id)
    asked = select(rules).where(rules.c.version.in_(newest)).order_by(rules.c.rule_id)
    read = {row.rule_id: _read(row.rule_id, row.body) for row in connection.execute(asked)}
    return Held(
        _version(connection),
        tuple(rule for rule in read.values() if rule is not None),
        tuple(rule_id for rule_id, rule in read.items() if rule is None),
    )


def _read(rule_id: str, body: bytes | None) -> Rule | None:
    return None if body is None else rule_of(rule_id, orjson.loads(body))


def _write(
    connection: Connection, rule_id: str, body: bytes | None, at: datetime, who: str
) -> None:
    values = {"rule_id": rule_id, "at_ms": millis(at), "who": who, "body": body}
    connection.execute(insert(rules), values | {"version": _version(connection) + 1})


def _impressions(
    connection: Connection, from_at: datetime, after_seq: int, upto_seq: int
) -> dict[str, int]:
    asked = (
        select(events.c.item_id, func.count())
        .where(events.c.seq > after_seq, events.c.seq <= upto_seq)
        .where(events.c.type == int(EventType.IMPRESSION))
        .where(events.c.received_ms >= millis(from_at))
        .group_by(events.c.item_id)
    )
    return {row[0]: row[1] for row in connection.execute(asked)}


def _sum(old: Counts, more: dict[str, int]) -> Counts:
    shown = dict(old.shown)
    for item_id, n in more.items():
        shown[item_id] = shown.get(item_id, 0) + n
    return Counts(old.opportunities + sum(more.values()), shown)
