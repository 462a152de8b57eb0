"""Rules in the record: the newest of each id holds, every version stays, every deed is audited."""

from datetime import timedelta

import pytest

from recsys.errors import InvalidRule
from recsys.events import EventType
from recsys.pacing import Counts
from recsys.rule_values import rule_of
from recsys.rules import DEFAULTS
from tests.data.samples import NOW, event, put


def pin(rule_id, seat=1, item="item-1001", **more):
    said = {"effect": "pin", "items": [item], "seat": seat, "who": "li", "why": "autumn"}
    return rule_of(rule_id, said | more)


def held(record):
    return {rule.rule_id: rule for rule in record.rules.held().rules}


def test_the_newest_version_of_a_rule_holds(record):
    assert record.rules.version() == 0
    record.rules.put([pin("a"), pin("b", 2, "item-1002")], at=NOW)
    record.rules.put([pin("a", 3)], at=NOW)
    assert held(record) == {"a": pin("a", 3), "b": pin("b", 2, "item-1002")}
    assert record.rules.version() == 3


def test_the_same_rule_again_is_no_new_version(record):
    record.rules.put([pin("a")], at=NOW)
    record.rules.put([pin("a")], at=NOW + timedelta(days=1))
    assert record.rules.version() == 1
    assert len(record.audit.after(0, limit=9)) == 1


def test_a_dropped_rule_holds_no_longer_and_is_still_told(record):
    record.rules.put([pin("a")], at=NOW, who="key-1")
    record.rules.drop("a", at=NOW, why="over", who="key-2")
    assert held(record) == {}
    told = record.rules.versions("a")
    assert [(one.who, one.rule) for one in told] == [("key-2", None), ("key-1", pin("a"))]
    with pytest.raises(InvalidRule, match="there is no rule 'a'; allowed: default-home-category"):
        record.rules.drop("a", at=NOW, why="again")


def test_a_default_can_be_dropped_and_put_back(record):
    one = DEFAULTS[0]
    assert record.rules.held().effective == DEFAULTS
    record.rules.drop(one.rule_id, at=NOW, why="we sell one thing")
    assert record.rules.held().effective == DEFAULTS[1:]
    record.rules.put([one], at=NOW)
    assert set(record.rules.held().effective) == set(DEFAULTS)


def test_every_change_is_in_the_audit(record):
    record.rules.put([pin("a")], at=NOW, who="key-1")
    record.rules.drop("a", at=NOW, why="over", who="key-2")
    deeds = [tuple(row.deed) for row in record.audit.after(0, limit=9)]
    assert deeds == [("key-1", "set_rule", "a", "autumn"), ("key-2", "drop_rule", "a", "over")]
    assert record.audit.broken_at() is None


def test_rules_that_contradict_each_other_are_refused_as_a_whole(record):
    record.rules.put([pin("a")], at=NOW)
    with pytest.raises(InvalidRule, match="rules a and c pin to seat 1 at once"):
        record.rules.put([pin("b", 2, "item-1002"), pin("c", 1, "item-1003")], at=NOW)
    assert list(held(record)) == ["a"]


def test_impressions_are_counted_since_a_promise_began(record):
    said = {"effect": "expose", "items": ["item-1001"], "impressions": 10, "who": "li", "why": "x"}
    times = {"from": NOW.isoformat(), "until": (NOW + timedelta(days=7)).isoformat()}
    record.rules.put([rule_of("new", said | times)], at=NOW)
    early = event(1, item_id="item-1001", type=EventType.IMPRESSION)
    record.append([early], received_at=NOW - timedelta(days=1))
    shown = [event(n, item_id="item-1001", type=EventType.IMPRESSION) for n in (2, 3)]
    put(record, *shown, event(4, item_id="item-1002", type=EventType.IMPRESSION), event(5))
    counts = record.rules.counted({}, 0, record.last_seq())
    assert counts == {"new": Counts(3, {"item-1001": 2, "item-1002": 1})}
    seq = record.last_seq()
    put(record, event(6, item_id="item-1001", type=EventType.IMPRESSION))
    more = record.rules.counted(counts, seq, record.last_seq())
    assert more == {"new": Counts(4, {"item-1001": 3, "item-1002": 1})}
