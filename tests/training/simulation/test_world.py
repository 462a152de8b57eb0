from dataclasses import fields

import numpy as np
import pytest

from data.home import Home
from data.record import Record
from recsys.events import EventType
from recsys.histories import History
from training.config import TrainConfig
from training.simulation.behaviour import Outcome
from training.simulation.shopfront import Near
from training.simulation.world import TO_SHOP, Size, World, lived

SMALL = Size(n_people=40, is_small=True)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A shop that was lived in for six days, with lists from the fourth."""
    home = Home(tmp_path_factory.mktemp("home"))
    world = World.drawn(5, SMALL)
    near = Near(home, world.item_ids, TrainConfig().unscored)
    days = lived(world, near, 3, learn_every=3) + lived(world, near, 3, learn_every=10)
    yield world, near, days
    near.close()


@pytest.fixture(scope="module")
def events(shop):
    record = Record.of(shop[1].home)
    found = [
        event for batch in record.events_between(0, record.last_seq()) for _, event, _ in batch
    ]
    record.close()
    return found


def outcome() -> tuple[World, Outcome]:
    world = World.drawn(7, SMALL)
    return world, world.on_platforms()


def test_acts_and_the_events_made_of_them_are_the_same_histories():
    world, done = outcome()
    by_person = done.acts.histories()
    positions = world.market.positions
    for person, history in by_person.items():
        own = done.acts.take(done.acts.who == person).events(world.names)
        made = History.of([(positions[event.item_id], event) for event in own])
        for field in fields(History):
            mine, theirs = (getattr(one, field.name) for one in (history, made))
            if field.name != "order":
                np.testing.assert_array_equal(mine, theirs, err_msg=field.name)
        assert ((history.order != 0) == (made.order != 0)).all()


def test_platforms_tell_what_was_watched_and_not_what_was_on_a_screen():
    _, done = outcome()
    assert EventType.PLAY in done.acts.type
    assert EventType.IMPRESSION not in done.acts.type


def test_everything_done_is_in_the_record(shop, events):
    _, near, _ = shop
    acts = [event for event in events if event.type is not EventType.IMPRESSION]
    assert len(acts) == sum((h.type != 0).sum() for h in near.histories.values()) > 500
    assert {event.platform.value for event in events} >= {
        "douyin",
        "channels",
        "kuaishou",
        "xiaohongshu",
        "miniprogram",
    }


def test_impressions_name_lists_that_were_served_with_that_item_there(shop, events):
    shown = [event for event in events if event.type is EventType.IMPRESSION]
    assert shown
    record = Record.of(shop[1].home)
    for event in shown[:50]:
        served = record.served(event.list_id)
        assert served.user_id == event.user_id
        assert served.items[event.position].item_id == event.item_id
        assert served.at <= event.at
    record.close()


def test_lists_are_seen_only_once_the_shop_has_learned(shop):
    _, _, days = shop
    assert [day.examined > 0 for day in days] == [False] * 3 + [True] * 3


def test_nothing_happens_twice_and_nothing_before_its_time(events):
    assert len({event.event_id for event in events}) == len(events)
    refunds = [event for event in events if event.type is EventType.REFUND]
    orders = {(e.user_id, e.order_id): e.at for e in events if e.type is EventType.ORDER}
    assert all(orders[event.user_id, event.order_id] < event.at for event in refunds)


def test_the_same_seed_lives_the_same_days(tmp_path):
    def first_days(name):
        world = World.drawn(9, SMALL)
        near = Near(Home(tmp_path / name), world.item_ids, TrainConfig().unscored)
        days = lived(world, near, 2, learn_every=10)
        near.close()
        return [(day.visitors.tolist(), day.value_minor) for day in days]

    assert first_days("one") == first_days("two")


def test_worlds_of_other_seeds_are_others():
    first, second = World.drawn(1, SMALL), World.drawn(2, SMALL)
    assert first.behaviour.wants.nature != second.behaviour.wants.nature
    assert (first.people.steady != second.people.steady).any()


def test_tastes_drift_and_stay_about_what_they_were():
    world = World.drawn(3, SMALL)
    start = world.people.walk.copy()
    rng = np.random.default_rng(4)
    for _ in range(200):
        world.people.drift(rng, world.behaviour.wants.nature)
    assert (world.people.walk != start).all()
    assert world.people.walk.std() < 5 * world.behaviour.wants.nature.drift


def test_who_comes_does_not_change_with_what_was_done_before():
    worlds = [World.drawn(3, SMALL) for _ in range(2)]
    # In one of them people looked for something first, and half of them are in a worse mood.
    who = np.arange(len(worlds[1].people))
    worlds[1].behaviour.search(who, np.full(len(who), worlds[1].start_ms))
    worlds[1].people.mood[::2] = 0.5
    came = [world._visitors(world.people.pace * world.people.mood, TO_SHOP) for world in worlds]
    others = [who[who % 2 == 1] for who, _ in came]
    assert (others[0] == others[1]).all()
    assert set(came[1][0]) < set(came[0][0])
    times = [dict(zip(*both, strict=True)) for both in came]
    assert all(times[0][one] == at for one, at in times[1].items())
