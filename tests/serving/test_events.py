"""POST /v1/events: acknowledged is durable, once; the rest is set aside with its reason."""

import asyncio

import orjson
import pytest

from data.record import Record
from tests.planted import NOW


@pytest.fixture
def kept(shop):
    """What the record holds after the service is gone."""

    def read():
        record = Record.open(shop.home.record_path)
        try:
            events = [event for batch in record.events_between(0, 10**9) for _, event, _ in batch]
            return events, record.quarantined(1_000)
        finally:
            record.close()

    return read


def send(client, *bodies):
    answer = client.post("/v1/events", json={"events": list(bodies)})
    assert answer.status_code == 202, answer.text
    said = answer.json()
    assert list(said) == ["accepted", "duplicates", "rejected"]
    return said


def test_a_batch_is_taken_and_kept(shop, kept):
    with shop.client() as client:
        said = send(client, *(shop.body(n) for n in range(3)))
    assert said == {"accepted": 3, "duplicates": 0, "rejected": []}
    events, _ = kept()
    assert [event.event_id for event in events] == ["event-0", "event-1", "event-2"]


def test_an_empty_batch_is_nothing(shop):
    with shop.client() as client:
        assert send(client) == {"accepted": 0, "duplicates": 0, "rejected": []}


def test_the_same_events_again_count_once(shop, kept):
    with shop.client() as client:
        send(client, shop.body(1), shop.body(2))
        said = send(client, shop.body(2), shop.body(3), shop.body(3))
    assert said == {"accepted": 1, "duplicates": 2, "rejected": []}
    assert len(kept()[0]) == 3


def test_the_same_id_with_another_body_is_refused_and_set_aside(shop, kept):
    with shop.client() as client:
        send(client, shop.body(1))
        said = send(client, shop.body(2), shop.body(1, item_id="item-1004"))
    assert said["accepted"] == 1
    assert said["rejected"] == [
        {
            "index": 1,
            "error": "id_conflict",
            "detail": "event id 'event-1' came with another body",
        }
    ]
    events, quarantined = kept()
    assert [event.item_id for event in events] == ["item-1002", "item-1002"]
    assert [(row.error, row.at) for row in quarantined] == [("id_conflict", NOW)]


def test_good_events_of_a_bad_batch_are_kept_and_the_bad_ones_explained(shop, kept):
    late = shop.body(2, at="2020-01-01T00:00:00Z")
    bodies = [shop.body(1), late, "no object", shop.body(3, play_s=-1), shop.body(4)]
    with shop.client() as client:
        said = send(client, *bodies)
    assert said["accepted"] == 2
    assert [(one["index"], one["error"]) for one in said["rejected"]] == [
        (1, "late_event"),
        (2, "invalid_event"),
        (3, "invalid_event"),
    ]
    events, quarantined = kept()
    assert [event.event_id for event in events] == ["event-1", "event-4"]
    assert {row.raw for row in quarantined} == {orjson.dumps(bodies[n]) for n in (1, 2, 3)}
    assert all(row.detail for row in quarantined)


def test_too_many_events_are_refused_whole(shop, kept):
    with shop.client() as client:
        answer = client.post("/v1/events", json={"events": [shop.body(n) for n in range(1_001)]})
    assert answer.status_code == 413
    assert "events are too many, got 1001; allowed: up to 1000" in answer.json()["detail"]
    assert kept() == ([], [])


def test_a_thousand_are_taken(shop):
    with shop.client() as client:
        assert send(client, *(shop.body(n) for n in range(1_000)))["accepted"] == 1_000


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_a_body_that_is_no_json_is_refused_and_set_aside_with_its_reason(shop, kept, number):
    body = f'{{"events":[{{"at":{number}}}]}}'.encode()
    with shop.client() as client:
        answer = client.post(
            "/v1/events", content=body, headers={"content-type": "application/json"}
        )
    assert (answer.status_code, answer.json()["error"]) == (400, "malformed_body")
    (row,) = kept()[1]
    assert (row.raw, row.error, row.detail) == (body, "malformed_body", answer.json()["detail"])


@pytest.mark.parametrize("body", [{}, {"events": {}}, {"events": None}, {"events": [], "x": 1}, []])
def test_a_body_of_another_shape_is_refused(shop, body):
    with shop.client() as client:
        answer = client.post("/v1/events", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"] == "invalid_input"


def test_acknowledged_events_are_there_after_a_restart(shop):
    shop.publish()
    with shop.client() as client:
        send(client, shop.body(1))
    with shop.client() as client:
        assert send(client, shop.body(1))["duplicates"] == 1
        answer = client.post("/v1/lists", json={"scene": "home", "user_id": "user-5001"})
        assert answer.json()["personalised"]


def test_one_batch_from_eight_callers_and_a_restart_is_stored_once(shop, kept):
    bodies = [shop.body(n) for n in range(50)]

    async def eighty_times(service):
        return await asyncio.gather(*(service.take(bodies) for _ in range(80)))

    receipts = []
    for _ in range(2):
        service = shop.service()
        receipts += asyncio.run(eighty_times(service))
        service.close()
    assert sum(receipt.accepted for receipt in receipts) == 50
    assert {receipt.accepted + receipt.duplicates for receipt in receipts} == {50}
    assert len(kept()[0]) == 50
