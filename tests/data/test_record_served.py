import numpy as np
import pytest

from data.record_rows import served_of, served_row
from recsys.errors import InvalidInput
from recsys.events import ServedItem
from tests.data.samples import NOW, served_list


def test_a_served_list_is_read_back_as_it_was(record):
    guest = served_list("list-2", user_id=None)
    record.put_served([served_list(), guest])
    assert record.served("list-1") == served_list()
    assert record.served("list-2") == guest
    assert record.served("list-3") is None


def test_a_list_id_used_twice_keeps_the_first(record):
    record.put_served([served_list()])
    record.put_served([served_list(scene="cart")])
    assert record.served("list-1").scene == "home"


def test_lists_served_last_come_first(record):
    lists = [served_list(f"list-{n}") for n in range(4)]
    record.put_served(lists)
    assert record.newest_served(3) == lists[:0:-1]


def test_a_score_of_numpy_can_be_served(record):
    place = ServedItem(**{**vars_of(served_list().items[0]), "score": np.float64(0.5)})
    assert served_of(served_row(served_list(items=(place,))).body).items[0].score == 0.5


def vars_of(place: ServedItem) -> dict[str, object]:
    return {name: getattr(place, name) for name in ServedItem.__slots__}


def test_a_list_that_no_json_can_hold_is_refused():
    with pytest.raises(InvalidInput, match="list 'list-1' cannot be written as JSON"):
        served_row(served_list(scene="\ud800"))


def test_quarantine_keeps_the_newest(record):
    rows = [(b'{"at": "1970"}', "late", f"reason {n}") for n in range(5)]
    record.quarantine(rows[:3], at=NOW, keep=3)
    record.quarantine(rows[3:], at=NOW, keep=3)
    record.quarantine([], at=NOW)
    kept = record.quarantined(10)
    assert [row.detail for row in kept] == ["reason 4", "reason 3", "reason 2"]
    assert kept[0][:3] == (NOW, b'{"at": "1970"}', "late")
    assert len(record.quarantined(1)) == 1


def test_a_quarantined_reason_may_quote_anything(record):
    record.quarantine([(b"\xff", "invalid_event", "got '\ud800'")], at=NOW)
    assert record.quarantined(1)[0].detail == "got '\\ud800'"


def test_what_one_person_was_given_last_comes_first(record):
    lists = [served_list(f"list-{n}", user_id=f"user-{5001 + n % 2}") for n in range(6)]
    record.put_served(lists)
    assert record.served_to("user-5002", 2) == [lists[5], lists[3]]
    assert record.served_to("user-5009", 2) == []
