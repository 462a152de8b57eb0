"""The scenes beside an item, a cart and in a live room, with the default pipelines on a known shop.

The shop: two camps, A and B. People of a camp play its videos and buy its products; each video
sells two products; whoever buys tent 2n buys mat 2n with it, in one order.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from data.home import Home
from data.record import Record
from recsys.catalog import Item, Kind
from recsys.events import Event, EventType
from recsys.histories import History
from recsys.recommend import Request, recommend
from recsys.scenes import MEASURED, SCENES
from training.config import train_config
from training.cycle import collect
from training.fit import fit
from training.shop import load

START = datetime(2026, 3, 1, tzinfo=UTC)
NOW = START + timedelta(days=21)
CAMPS = ("A", "B")
N = 6
CONFIG = train_config(
    {
        "train": {"holdout_days": 3, "people": 40},
        "models": {"als": {"factors": 8, "iterations": 3}},
        "pipelines": {"home": {"scorer": "rrf"}, "post_checkout": {"scorer": "rrf"}},
    }
)


def product(name, camp, number, **more):
    return Item(
        item_id=f"{name}-{camp}{number}",
        kind=Kind.PRODUCT,
        title=f"{name} {camp}{number}",
        tags=(camp, name),
        category=(camp, name),
        **more,
    )


def items():
    for camp in CAMPS:
        for number in range(N):
            yield product("tent", camp, number, durable=True)
            yield product("mat", camp, number, durable=True)
            yield Item(
                item_id=f"video-{camp}{number}",
                kind=Kind.VIDEO,
                title=f"video {camp}{number}",
                tags=(camp,),
                cards=(f"tent-{camp}{number}", f"mat-{camp}{(number + 1) % N}"),
                duration_s=20,
            )


def acts(person, rng):
    camp = CAMPS[person % 2]
    for day in range(20):
        number = int(rng.integers(N))
        at = START + timedelta(days=day, minutes=person)
        about = {"user_id": f"user-{5000 + person}", "at": at}
        mark = f"{person}-{day}"
        yield Event(
            event_id=f"play-{mark}",
            item_id=f"video-{camp}{number}",
            type=EventType.PLAY,
            play_s=19.0,
            **about,
        )
        if day % 3:
            continue
        for name in ("tent", "mat"):
            yield Event(
                event_id=f"{name}-{mark}",
                item_id=f"{name}-{camp}{number}",
                type=EventType.ORDER,
                order_id=f"order-{mark}",
                **about,
            )


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("scenes") / "home")
    home.root.mkdir()
    rng = np.random.default_rng(3)
    record = Record.open(home.record_path)
    record.put_items(items(), at=START)
    events = [event for person in range(40) for event in acts(person, rng)]
    record.append(events, received_at=NOW)
    record.close()
    collect(home)
    return fit(load(home), CONFIG, bundle_id="bundle-1")


def served(bundle, scene, *done, **more):
    history = History.of([(bundle.catalog.ids.find(one.item_id), one) for one in done])
    request = Request(scene=scene, user_id="user-1", **more)
    return recommend(request, history, bundle, at=NOW, list_id="list-1").served


def did(item_id, type=EventType.VIEW, minutes=5, **more):
    at = NOW - timedelta(minutes=minutes)
    return Event(
        event_id=f"{item_id}-{type}-{minutes}",
        user_id="user-1",
        item_id=item_id,
        type=type,
        at=at,
        **more,
    )


def ids(answer):
    return [item.item_id for item in answer.items]


def camps(answer, first):
    return {item_id.partition("-")[2][0] for item_id in ids(answer)[:first]}


def test_every_scene_has_a_pipeline_of_its_own(bundle):
    assert set(bundle.pipelines) == set(SCENES)
    for scene in SCENES:
        answer = served(bundle, scene, k=5)
        assert len(answer.items) == 5
        assert (answer.degraded, answer.pipeline) == ((), scene)
        assert {item.kind for item in answer.items} <= {kind.word for kind in SCENES[scene].kinds}


def test_beside_a_video_its_cards_come_first_then_what_its_people_want(bundle):
    answer = served(bundle, "video", basket=("video-B2",), k=8)
    assert set(ids(answer)[:2]) == {"tent-B2", "mat-B3"}
    assert camps(answer, 8) == {"B"}
    assert answer.items[0].reason == "sold in video B2"
    assert not answer.personalised


def test_cards_come_first_whatever_the_person_likes(bundle):
    many = [did(f"tent-A{n}", minutes=9 + n) for n in range(5)]
    answer = served(bundle, "video", *many, basket=("video-B2",), k=8)
    assert set(ids(answer)[:2]) == {"tent-B2", "mat-B3"}


def test_beside_a_product_are_its_like_what_is_bought_with_it_and_videos_that_show_it(bundle):
    answer = served(bundle, "product", basket=("tent-A1",), k=10)
    assert "tent-A1" not in ids(answer)
    assert "mat-A1" in ids(answer)[:4]
    assert "video-A1" in ids(answer)[:4]
    assert camps(answer, 6) == {"A"}
    assert {item.kind for item in answer.items} == {"product", "video"}
    reasons = {item.item_id: item.reason for item in answer.items}
    assert reasons["video-A1"] == "shows tent A1"


def test_a_cart_is_completed_and_not_repeated(bundle):
    answer = served(bundle, "cart", basket=("tent-A1", "tent-A2"), k=4)
    assert set(ids(answer)[:2]) == {"mat-A1", "mat-A2"}
    # A tent covers the need for tents.
    assert not any(item_id.startswith("tent-A") for item_id in ids(answer))
    assert answer.items[0].reason.endswith("in the cart")


def test_a_live_room_sells_what_goes_now_and_what_the_person_likes(bundle):
    for_all = served(bundle, "live", k=6)
    assert {item.kind for item in for_all.items} == {"product"}
    assert not for_all.personalised
    fan = served(
        bundle, "live", *[did(f"video-B{n}", EventType.PLAY, play_s=19.0) for n in range(4)], k=6
    )
    assert fan.personalised
    assert camps(fan, 4) == {"B"}


@pytest.mark.parametrize(
    ("scene", "done", "named"),
    [
        ("video", [did("video-B2", EventType.PLAY, play_s=19.0)], "video-B2"),
        ("product", [did("mat-A0", minutes=9), did("tent-A1")], "tent-A1"),
        ("cart", [did("tent-A1", EventType.CART)], "tent-A1"),
    ],
)
def test_without_a_name_the_history_says_what_it_is_about(bundle, scene, done, named):
    unnamed, same = (
        served(bundle, scene, *done, k=6),
        served(bundle, scene, *done, basket=(named,), k=6),
    )
    assert ids(unnamed) == ids(same)
    assert unnamed.personalised


def test_a_cart_holds_what_was_put_in_and_neither_taken_out_nor_ordered(bundle):
    done = [
        did("tent-A1", EventType.CART, 9),
        did("tent-A2", EventType.CART, 8),
        did("tent-A3", EventType.CART, 7),
        did("tent-A2", EventType.UNCART, 6),
        did("tent-A3", EventType.ORDER, 5),
    ]
    assert ids(served(bundle, "cart", *done, k=1)) == ["mat-A1"]


def test_a_bundle_older_than_a_scene_answers_as_for_home(bundle):
    pipelines = {scene: bundle.pipelines[scene] for scene in MEASURED}
    answer = served(replace(bundle, pipelines=pipelines), "live", k=5)
    assert (answer.degraded, answer.pipeline, answer.scene) == (("scene",), "home", "live")
    assert {item.kind for item in answer.items} == {"product"}
