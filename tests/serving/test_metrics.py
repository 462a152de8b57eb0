"""/metrics: what it counts, and that any worker tells for all."""

import os
import signal
from dataclasses import replace
from http.client import HTTPConnection

import pytest
from prometheus_client.parser import text_string_to_metric_families

from recsys.events import ServedItem, ServedList
from serving.metrics import step_of
from tests.planted import NOW, Broken
from tests.serving.running import running, until
from tests.serving.test_lists import ask


def numbers(text):
    """Every sample by name and labels."""
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def told(client):
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return numbers(answer.text)


def test_answers_are_counted_by_route_and_status(client):
    ask(client)
    ask(client)
    client.post("/v1/lists", json={"scene": "mars"})
    client.get("/v1/items/item-7777")
    client.get("/nowhere/at/all")
    found = told(client)
    assert found["dapei_answers_total", "/v1/lists", "200"] == 2
    assert found["dapei_answers_total", "/v1/lists", "422"] == 1
    assert found["dapei_answers_total", "/v1/items/{item_id:path}", "404"] == 1
    assert found["dapei_answers_total", "404", "none"] == 1
    assert found["dapei_answer_seconds_count", "/v1/lists"] == 3


def test_the_time_of_each_part_of_a_list_is_measured(client):
    ask(client)
    found = told(client)
    parts = ("read", "context", "sources", "filters", "scorer", "seats", "reasons", "encode")
    for stage in parts:
        assert found["dapei_stage_seconds_count", stage] == 1


def test_lists_are_counted_by_step_of_the_ladder(shop, client):
    ask(client, user_id="user-5999")
    client.post("/v1/events", json={"events": [shop.body(item_id="item-1002")]})
    ask(client)
    ask(client, scene="post_checkout")
    found = told(client)
    assert found["dapei_lists_total", "home", "popular"] == 1
    assert found["dapei_lists_total", "home", "personal"] == 1
    assert found["dapei_lists_total", "popular", "post_checkout"] == 1


def test_what_a_list_did_without_is_counted(shop):
    shop.publish()
    service = shop.service()
    with shop.client_of(service) as client:
        current = service.watcher.current
        models = {**current.bundle.models, "near": Broken(items=())}
        service.watcher.current = replace(current, bundle=replace(current.bundle, models=models))
        assert ask(client)["degraded"] == ["source:near"]
        found = told(client)
    assert found["dapei_degraded_total", "source:near"] == 1


def test_events_are_counted_by_what_became_of_them_and_how_late_they_came(shop, client):
    bodies = [shop.body(1), shop.body(2, user_id="")]
    shop.clock.move(seconds=3)
    client.post("/v1/events", json={"events": bodies})
    client.post("/v1/events", json={"events": bodies[:1]})
    found = told(client)
    for word in ("accepted", "duplicate", "rejected"):
        assert found["dapei_events_total", word] == 1
    assert found["dapei_event_lag_seconds_sum",] == 3
    assert found["dapei_waiting_events",] == 0


def test_lost_lists_and_refused_bundles_are_counted_once(shop, wait_for):
    shop.publish()
    service = shop.service()
    with shop.client_of(service) as client:
        service.writer.lost_lists += 2
        wait_for(lambda: told(client)["dapei_lost_lists_total",] == 2)
        shop.publish("bundle-2")
        next((shop.home.bundles / "bundle-2").glob("*.npy")).unlink()
        wait_for(lambda: told(client)["dapei_refused_bundles_total",] == 1)
        assert told(client)["dapei_lost_lists_total",] == 2
        assert told(client)["dapei_bundle_counter",] == 1


def test_nothing_in_it_is_about_a_person(shop, client):
    client.post("/v1/events", json={"events": [shop.body(user_id="user-secret-77")]})
    ask(client, user_id="user-secret-77")
    client.get("/v1/users/user-secret-77/history")
    assert "secret" not in client.get("/metrics").text


@pytest.mark.parametrize(
    ("sources", "is_personal", "step"),
    [
        ((), False, "empty"),
        (("near",), True, "personal"),
        (("selection", "popular"), False, "popular"),
        (("selection",), False, "selection"),
    ],
)
def test_every_list_stands_on_a_step_of_the_ladder(sources, is_personal, step):
    items = tuple(
        ServedItem(item_id="i", kind="video", rank=0, score=0, source=one, reason="", ad=False)
        for one in sources
    )
    served = ServedList(
        list_id="l",
        user_id=None,
        scene="home",
        at=NOW,
        bundle="b",
        pipeline="p",
        personalised=is_personal,
        degraded=(),
        items=items,
    )
    assert step_of(served) == step


def empty_lists(served):
    """How many lists all workers made of a shop without a bundle, as one of them tells it."""
    connection = HTTPConnection("127.0.0.1", served.port, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return numbers(text).get(("dapei_lists_total", "empty", "home"))


def test_any_worker_tells_for_all_and_what_a_dead_one_counted_stays(shop):
    """Real processes: each request may be answered by another worker.

    What a worker counted it tells the others a little later.
    """
    with running(shop.home.root, workers=2) as served:
        for _ in range(30):
            served.post("/v1/lists", {"scene": "home"})
        until(lambda: [empty_lists(served) for _ in range(8)] == [30] * 8, 10)
        before = set(served.workers())
        os.kill(min(before), signal.SIGKILL)
        until(lambda: len(set(served.workers()) - before) == 1 and served.is_ready(), 30)
        assert [empty_lists(served) for _ in range(8)] == [30] * 8
