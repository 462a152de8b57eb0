from datetime import timedelta

import pytest

from data.record import Outcome, Record
from data.record_audit import Deed
from recsys.errors import AliasConflict, InvalidInput
from tests.data.samples import NOW, event, put

GUEST, PERSON = "guest-7001", "user-5001"


def ids(record: Record, user_id: str, after_seq: int = 0) -> list[str]:
    return [e.event_id for e in record.events_of(user_id, after_seq=after_seq, limit=99)]


def test_a_person_has_what_their_guest_did_before_and_does_after(record):
    put(record, event(1, user_id=GUEST), event(2), event(3, user_id="user-5002"))
    assert record.aliases.join(GUEST, PERSON, at=NOW)
    put(record, event(4, user_id=GUEST), event(5))
    expected = ["event-1", "event-2", "event-4", "event-5"]
    assert ids(record, PERSON) == ids(record, GUEST) == expected
    assert ids(record, "user-5002") == ["event-3"]


def test_every_event_still_says_who_sent_it(record):
    put(record, event(1, user_id=GUEST), event(2))
    record.aliases.join(GUEST, PERSON, at=NOW)
    read = record.events_of(PERSON, after_seq=0, limit=9)
    assert [e.user_id for e in read] == [GUEST, PERSON]
    assert not record.damaged


def test_a_resent_event_of_a_guest_is_still_a_duplicate(record):
    put(record, event(1, user_id=GUEST))
    record.aliases.join(GUEST, PERSON, at=NOW)
    assert put(record, event(1, user_id=GUEST)) == [Outcome.DUPLICATE]


def test_who_read_before_a_join_is_told_to_read_anew(record):
    put(record, event(1, user_id=GUEST), event(2))
    before = record.since(PERSON, after_seq=0, limit=9)
    record.aliases.join(GUEST, PERSON, at=NOW)
    after = record.since(PERSON, after_seq=before.upto_seq, limit=9)
    assert (before.joins, after.joins, after.events) == (0, 1, [])
    record.aliases.join("guest-7002", PERSON, at=NOW)
    joins = [record.since(one, after_seq=0, limit=9).joins for one in (PERSON, GUEST, "guest-7002")]
    assert joins == [2, 2, 1]


def test_joining_twice_is_joining_once(record):
    assert record.aliases.join(GUEST, PERSON, at=NOW)
    assert not record.aliases.join(GUEST, PERSON, at=NOW + timedelta(days=1))
    assert len(record.audit.after(0, limit=9)) == 1


def test_a_guest_of_one_person_cannot_become_another_persons(record):
    put(record, event(1, user_id=GUEST))
    record.aliases.join(GUEST, PERSON, at=NOW)
    with pytest.raises(AliasConflict, match="joined to another person already, got 'guest-7001'"):
        record.aliases.join(GUEST, "user-5002", at=NOW)
    assert ids(record, "user-5002") == []
    assert ids(record, PERSON) == ["event-1"]


def test_nobody_is_joined_to_a_guest(record):
    record.aliases.join(GUEST, PERSON, at=NOW)
    with pytest.raises(AliasConflict, match="user_id is a guest's"):
        record.aliases.join("guest-7002", GUEST, at=NOW)


def test_a_person_with_guests_is_no_guest(record):
    record.aliases.join(GUEST, PERSON, at=NOW)
    with pytest.raises(AliasConflict, match="a person's to whom guests were joined"):
        record.aliases.join(PERSON, "user-5002", at=NOW)


@pytest.mark.parametrize(
    ("guest_id", "user_id", "why"),
    [
        (PERSON, PERSON, "have the same id"),
        ("", PERSON, "guest_id is missing"),
        (GUEST, "u" * 129, "user_id is too long"),
    ],
)
def test_what_is_no_pair_of_ids_is_refused(record, guest_id, user_id, why):
    with pytest.raises(InvalidInput, match=why):
        record.aliases.join(guest_id, user_id, at=NOW)


def test_the_ids_of_a_person_are_told_whichever_is_asked_for(record):
    for n, guest in enumerate(("guest-7009", GUEST)):
        record.aliases.join(guest, PERSON, at=NOW + timedelta(seconds=n))
    record.aliases.join("guest-8001", "user-5002", at=NOW)
    expected = [PERSON, "guest-7009", GUEST]
    assert record.aliases.ids_of(PERSON) == record.aliases.ids_of(GUEST) == expected
    assert record.aliases.ids_of("user-5003") == ["user-5003"]
    put(record, event(1, user_id="user-5004"))
    everybody = record.aliases.same_people([GUEST, "user-5004", "user-5003"])
    assert everybody == {*expected, "user-5004", "user-5003"}
    assert record.aliases.same_people(["user-5004"]) == {"user-5004"}


def test_a_join_is_told_with_who_when_and_why(record):
    record.aliases.join(GUEST, PERSON, at=NOW, who="key-1")
    (row,) = record.audit.after(0, limit=9)
    guest, person = map(record.choices.privacy.name_of, (GUEST, PERSON))
    assert row.deed == Deed("key-1", "join", person, f"guest {guest} logged in")
    assert row.at == NOW


def three_deeds(record: Record) -> None:
    for n in range(3):
        record.audit.add(Deed("key-1", "look", f"user-{n}", "asked"), at=NOW)


def test_deeds_are_read_in_order(record):
    three_deeds(record)
    assert [row.deed.about for row in record.audit.after(1, limit=9)] == ["user-1", "user-2"]
    assert record.audit.broken_at() is None


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ("UPDATE audit SET why = 'because' WHERE audit_idx = 2", 2),
        ("UPDATE audit SET at_ms = at_ms + 1 WHERE audit_idx = 1", 1),
        ("DELETE FROM audit WHERE audit_idx = 2", 2),
        ("DELETE FROM audit WHERE audit_idx = 1", 1),
    ],
)
def test_what_was_changed_among_the_deeds_is_found(record, outside, change, where):
    three_deeds(record)
    outside(change)
    assert record.audit.broken_at() == where
