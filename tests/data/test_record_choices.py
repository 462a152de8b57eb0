"""Choices and erasures on both kinds of record: what holds for one holds for the other."""

from dataclasses import replace
from datetime import timedelta

import pytest

from data.privacy import Privacy
from data.record import Outcome, Record
from data.record_audit import Deed
from data.record_tables import quarantined, served
from recsys.controls import FREE, Age, Controls, Purpose
from recsys.errors import ConfigError
from recsys.events import EventType
from tests.data.samples import NOW, event, put

ME, GUEST = "user-5001", "guest-7001"
DEED = Deed("key-1", "chose", "", "asked")
CHOSEN = Controls(
    is_on=False,
    removed=frozenset({"露营", "a/b"}),
    refused={"item-1": 5},
    consents={Purpose.LEARN: False},
    age=Age.UNDER_14,
    has_guardian=True,
)


def choose(record, user_id=ME, **more):
    return record.choices.change(user_id, lambda said: replace(said, **more), DEED, at=NOW)


def test_what_was_chosen_is_read_back_with_the_history(record):
    assert record.since(ME, after_seq=0, limit=9).controls == FREE
    record.choices.change(ME, lambda _: CHOSEN, DEED, at=NOW)
    assert record.choices.of(ME) == CHOSEN
    assert record.since(ME, after_seq=0, limit=9).controls == CHOSEN
    assert record.choices.of("user-5002") == FREE


def test_a_choice_changes_what_it_names_and_is_told_once(record):
    choose(record, is_on=False)
    choose(record, removed=frozenset({"x"}))
    assert record.choices.of(ME) == Controls(is_on=False, removed=frozenset({"x"}))
    deeds = [row.deed for row in record.audit.after(0, limit=9)]
    assert [one.who for one in deeds] == ["key-1", "key-1"]
    assert {one.about for one in deeds} == {record.choices.privacy.name_of(ME)}
    assert record.audit.broken_at() is None
    assert record.choices.version() == 2


def test_of_a_guest_and_a_person_the_stricter_holds_for_both_ids(record):
    choose(record, GUEST, is_on=False, consents={Purpose.LEARN: True})
    choose(record, ME, removed=frozenset({"x"}), consents={Purpose.LEARN: False}, age=Age.MINOR)
    record.aliases.join(GUEST, ME, at=NOW)
    both = record.choices.of(ME)
    assert both == record.choices.of(GUEST)
    assert (both.is_on, both.removed, both.age) == (False, frozenset({"x"}), Age.MINOR)
    assert both.consents == {Purpose.LEARN: False}
    choose(record, GUEST, is_on=True)
    assert record.choices.of(ME).is_on


def test_only_the_newest_refusals_are_kept(record):
    choose(record, refused={f"item-{n}": n for n in range(1_500)})
    kept = record.choices.of(ME).refused
    assert (len(kept), min(kept.values())) == (1_000, 500)


def test_events_of_who_declines_are_only_counted(record):
    choose(record, consents={Purpose.PERSONALISE: False})
    assert put(record, event(1), event(2, user_id="user-5002")) == [
        Outcome.NOT_KEPT,
        Outcome.ACCEPTED,
    ]
    assert record.last_seq() == 1
    day = int(NOW.timestamp()) // 86_400
    assert record.choices.anonymous() == {(day, int(event(1).type)): 1}
    put(record, event(3))
    assert record.choices.anonymous() == {(day, int(event(1).type)): 2}
    assert record.choices.unkept([ME, "user-5002"]) == {ME}


def test_an_erased_person_goes_and_the_gap_is_no_damage(record):
    put(record, *(event(n, user_id=ME if n % 3 else "user-5002") for n in range(1, 31)))
    record.aliases.join(GUEST, ME, at=NOW)
    choose(record, is_on=False)
    erasure = record.erasing.ask(ME, DEED, at=NOW)
    assert record.choices.of(ME).is_erased
    assert record.choices.of(GUEST).is_erased
    assert set(erasure.ids) == {ME, GUEST}
    assert record.erasing.ask(ME, DEED, at=NOW) == erasure, "once is enough"
    record.erasing.clear_record(erasure.ids)
    record.erasing.clear_record(erasure.ids)
    record.erasing.clean_pages(erasure.ids)
    seqs = [seq for part in record.events_between(0, 99, batch=4) for seq, *_ in part]
    assert seqs == [n for n in range(1, 31) if n % 3 == 0]
    assert record.damaged == set()
    assert record.since(ME, after_seq=0, limit=9).events == []
    assert put(record, event(99)) == [Outcome.NOT_KEPT]
    assert put(record, event(98, user_id="user-5002")) == [Outcome.ACCEPTED]


def test_a_lost_row_is_damage_beside_erased_ones(record, outside):
    """The negative control: not every gap is forgiven."""
    put(record, *(event(n, user_id=ME if n % 2 else "user-5002") for n in range(1, 11)))
    record.erasing.clear_record(record.erasing.ask(ME, DEED, at=NOW).ids)
    outside("DELETE FROM events WHERE seq = 4")
    assert sum(len(part) for part in record.events_between(0, 99)) == 4
    assert record.damaged == {4}


def test_an_erasure_is_told_step_by_step_and_forgets_whose_it_was(record):
    erasure = record.erasing.ask(ME, DEED, at=NOW)
    assert record.erasing.pending() == [erasure]
    erasure = record.erasing.step_done(record.erasing.step_done(erasure, "record"), "pages")
    assert record.erasing.pending()[0].steps == ("record", "pages")
    record.erasing.finish(erasure, at=NOW + timedelta(hours=1))
    assert record.erasing.pending() == []
    done = record.erasing.newest(ME)
    assert (done.ids, done.done_at) == ((), NOW + timedelta(hours=1))
    assert record.erasing.newest("user-5002") is None


def test_who_agrees_anew_is_kept_from_then_on(record):
    record.erasing.ask(ME, DEED, at=NOW)
    record.choices.renew(ME, {Purpose.PERSONALISE: False}, at=NOW)
    assert record.choices.of(ME).is_erased
    record.choices.renew(ME, {Purpose.PERSONALISE: True}, at=NOW)
    later = event(2, at=NOW + timedelta(seconds=1))
    before = event(1, at=NOW)
    assert put(record, before, later, event(3, at=None)) == [
        Outcome.NOT_KEPT,
        Outcome.ACCEPTED,
        Outcome.NOT_KEPT,
    ]
    assert record.choices.limits([ME, "user-5002"]) == {ME: int(NOW.timestamp() * 1_000)}


def test_old_rows_go_and_others_stay(record):
    old, new = (event(n, at=NOW - timedelta(days=n)) for n in (20, 5))
    put(record, old, new)
    record.quarantine([(b"x", "e", "d")], at=NOW - timedelta(days=20))
    record.quarantine([(b"y", "e", "d")], at=NOW)
    before_ms = int((NOW - timedelta(days=10)).timestamp() * 1_000)
    assert record.erasing.drain_events(before_ms) == 1
    assert record.erasing.drain(quarantined, before_ms) == 1
    assert record.erasing.drain(served, before_ms) == 0
    assert [one.raw for one in record.quarantined(9)] == [b"y"]
    assert [one.event_id for one in record.events_of(ME, after_seq=0, limit=9)] == [new.event_id]


def test_a_cut_audit_is_whole_and_a_cut_nobody_told_of_is_not(record, outside):
    for n in range(6):
        record.audit.add(DEED._replace(why=str(n)), at=NOW + timedelta(days=n))
    assert record.audit.cut(int((NOW + timedelta(days=3)).timestamp() * 1_000), at=NOW) == 2
    assert record.audit.broken_at() is None
    assert [row.deed.why for row in record.audit.after(3, limit=9)][:3] == ["3", "4", "5"]
    outside("DELETE FROM audit WHERE audit_idx = 3")
    outside("UPDATE audit SET what = 'cut' WHERE audit_idx = 4")
    assert record.audit.broken_at() is not None


def test_a_record_is_opened_with_the_key_it_was_made_with(place):
    first = Record.at(place, privacy=Privacy(key=b"a" * 32))
    assert first.choices.privacy.name_of(ME) != Privacy(key=b"b" * 32).name_of(ME)
    first.close()
    Record.at(place, privacy=Privacy(key=b"a" * 32)).close()
    with pytest.raises(ConfigError, match="another key"):
        Record.at(place, privacy=Privacy(key=b"b" * 32))


def test_where_consent_is_the_basis_silence_is_a_no(place):
    record = Record.at(place, privacy=Privacy(basis="consent"))
    assert put(record, event(1)) == [Outcome.NOT_KEPT]
    assert record.choices.silent([ME]) == [True]
    assert record.choices.limits([ME]) == {ME: 2**63 - 1}
    choose(record, consents={Purpose.PERSONALISE: True, Purpose.LEARN: True})
    assert put(record, event(1, type=EventType.LIKE)) == [Outcome.ACCEPTED]
    assert record.choices.silent([ME, "user-5002"]) == [False, True]
    record.close()
