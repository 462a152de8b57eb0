import pytest

from data.histories_file import Past
from recsys.catalog import Catalog
from recsys.histories import History
from recsys.overlay import Overlay
from serving.current import Current
from serving.remembered import Known, Remembered
from tests.planted import Fixed, bundle_of, item


@pytest.fixture
def current():
    return Current.of(bundle_of(Catalog.of([item(1)]), {"near": Fixed(items=(0,))}), None)


def known(upto_seq):
    return Known(History.empty(), upto_seq)


def test_who_came_is_known_and_who_did_not_is_not(current):
    remembered = Remembered(2)
    assert remembered.find("user-5001", current) is None
    remembered.keep("user-5001", known(7), current)
    assert remembered.find("user-5001", current).upto_seq == 7
    assert remembered.find("user-5003", current) is None


def test_who_has_not_come_for_longest_is_forgotten(current):
    remembered = Remembered(2)
    remembered.find("user-5001", current)
    for number in (5001, 5003):
        remembered.keep(f"user-{number}", known(1), current)
    remembered.find("user-5001", current)
    remembered.keep("user-5005", known(1), current)
    assert remembered.find("user-5003", current) is None
    assert remembered.find("user-5001", current) is not None


def test_another_bundle_or_past_forgets_everybody(current):
    remembered = Remembered(2)
    remembered.find("user-5001", current)
    remembered.keep("user-5001", known(1), current)
    overlay = Overlay.of(current.bundle.catalog).with_items([item(1, available=False)])
    switched = current.with_items(overlay)
    assert remembered.find("user-5001", switched) is not None
    other = Current(current.bundle, object.__new__(Past), current.positions, current.known)
    assert remembered.find("user-5001", other) is None


def test_what_was_worked_out_for_another_bundle_is_not_remembered(current):
    remembered = Remembered(2)
    other = Current(current.bundle, object.__new__(Past), current.positions, current.known)
    remembered.find("user-5001", other)
    remembered.keep("user-5001", known(1), current)
    assert remembered.find("user-5001", other) is None
