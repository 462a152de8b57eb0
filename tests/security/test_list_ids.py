"""S14: a click counts for others only if we gave this person a list it can come from."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.lake import Lake
from recsys.events import EVENT_WORDS, UNPROVEN
from serving.identity import Caller, Plane
from serving.intake import Sender, check_batch
from serving.list_ids import ListIds
from serving.settings import LimitSettings
from tests.planted import NOW
from tests.security.conftest import keyed_in
from tests.security.test_planes import own, told

IDS = ListIds(bytes(range(32)))
USER = Caller(Plane.USER, user_id="user-5001")
DAYS_8 = timedelta(days=8)


def test_a_list_is_its_persons():
    made = IDS.make("user-5001", NOW)
    assert IDS.is_of(made, "user-5001", NOW + timedelta(hours=5))
    assert not IDS.is_of(made, "user-5002", NOW)


def test_no_two_lists_have_the_same_id():
    assert len({IDS.make("user-5001", NOW) for _ in range(1_000)}) == 1_000


@pytest.mark.parametrize("off", [DAYS_8, -DAYS_8, timedelta(days=400)])
def test_an_old_list_proves_nothing(off):
    assert not IDS.is_of(IDS.make("user-5001", NOW), "user-5001", NOW + off)


def test_a_list_of_nobody_is_nobodys():
    assert not IDS.is_of(IDS.make(None, NOW), "user-5001", NOW)


def test_another_shops_list_proves_nothing():
    assert not IDS.is_of(ListIds(bytes(32)).make("user-5001", NOW), "user-5001", NOW)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(0, 47), st.sampled_from("0123456789abcdefABCDEF \u0660"))
def test_no_change_of_an_id_proves_anything(at, other):
    made = IDS.make("user-5001", NOW)
    changed = made[:at] + other + made[at + 1 :]
    assert changed == made or not IDS.is_of(changed, "user-5001", NOW)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.none() | st.text(max_size=64))
def test_no_text_proves_anything(said):
    assert not IDS.is_of(said, "user-5001", NOW)


def learned(keyed) -> dict[str, int]:
    """How often each item comes in what jobs learn from."""
    record = keyed.service.record
    lake = Lake(keyed.shop.home.lake)
    lake.write_record_events(record, record.last_seq())
    table = lake.scan(lake.manifest()).collect()
    return dict(table["item_id"].value_counts().iter_rows())


def clicks(keyed, list_id, sub="user-5001", n=250) -> None:
    """A thousand clicks by four people, or by whom they are said to be."""
    for person in range(4):
        events = [
            own(keyed, f"{sub}-{person}-{at}", item_id="item-1003", list_id=list_id)
            for at in range(n)
        ]
        events = [{k: v for k, v in one.items() if v is not None} for one in events]
        headers = keyed.as_user(f"{sub}-{person}")
        for half in (events[: n // 2], events[n // 2 :]):
            assert told(keyed, half, headers)["accepted"] == len(half)


def a_list_of(keyed, sub) -> str:
    headers = keyed.as_user(sub)
    answer = keyed.client.post("/v1/lists", json={"scene": "home"}, headers=headers)
    return answer.json()["list_id"]


@pytest.fixture
def unlimited(tmp_path):
    yield from keyed_in(tmp_path, limits=LimitSettings(user_events=0))


@pytest.mark.parametrize("claim", ["none", "made up", "another's"])
def test_of_1000_clicks_without_a_list_of_ones_own_nothing_is_learned(unlimited, claim):
    list_id = {
        "none": None,
        "made up": "0" * 48,
        "another's": a_list_of(unlimited, "user-5009"),
    }[claim]
    clicks(unlimited, list_id)
    assert unlimited.service.record.last_seq() == 1_000
    assert learned(unlimited) == {}


def test_without_the_proof_they_would_all_be_learned(unlimited, monkeypatch):
    monkeypatch.setattr(ListIds, "is_of", lambda *_: True)
    clicks(unlimited, "0" * 48)
    assert learned(unlimited) == {"item-1003": 1_000}


def test_a_click_from_ones_own_list_is_learned_and_the_other_only_kept(keyed):
    list_id = a_list_of(keyed, "user-5001")
    events = [own(keyed, 1, list_id=list_id), own(keyed, 2, item_id="item-1004")]
    assert told(keyed, events, keyed.as_user())["accepted"] == 2
    assert learned(keyed) == {"item-1002": 1}
    kept = keyed.events_of("user-5001")
    assert {one["item_id"]: UNPROVEN in one.get("props", {}) for one in kept} == {
        "item-1002": False,
        "item-1004": True,
    }


def test_a_shop_may_choose_to_learn_from_all(tmp_path):
    for keyed in keyed_in(tmp_path, limits=LimitSettings(learn_unproven=True)):
        told(keyed, [own(keyed)], keyed.as_user())
        assert learned(keyed) == {"item-1002": 1}


def test_what_a_server_tells_needs_no_list(keyed):
    told(keyed, [keyed.shop.body()], keyed.as_server())
    assert learned(keyed) == {"item-1002": 1}


@pytest.mark.parametrize("kind", sorted(set(EVENT_WORDS) - {"order", "refund"}))
def test_every_sort_of_act_can_be_told_by_a_user(kind):
    body = {"event_id": "e-1", "item_id": "item-1", "type": kind, "at": NOW.isoformat()}
    checked = check_batch([body], NOW, Sender(USER, IDS))
    assert [event.user_id for event in checked.events] == ["user-5001"]
