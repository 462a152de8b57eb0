"""SIGKILL while events come in: what was acknowledged is there, once (TRUST R01)."""

import random
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import orjson
import pytest

from data.record import Record
from tests.serving.running import running, start, until

BATCH, SENDERS, KILLS = 100, 4, 20


class Sender(threading.Thread):
    """Sends its batches one after another, each again until it is acknowledged.

    Attributes
    ----------
    acked
        The ledger: ids whose acknowledgement arrived.
    """

    def __init__(self, port: int, batches: list[list[str]]) -> None:
        super().__init__()
        self.acked: list[str] = []
        self.again = 0
        self._port = port
        self._batches = batches
        self._at = int(time.time() * 1000)

    def run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=5)
        for ids in self._batches:
            while not self._is_taken(connection, ids):
                self.again += 1
                connection.close()
                time.sleep(0.02)
            self.acked += ids
        connection.close()

    def _is_taken(self, connection: HTTPConnection, ids: list[str]) -> bool:
        try:
            connection.request(
                "POST", "/v1/events", self._body(ids), {"content-type": "application/json"}
            )
            answer = connection.getresponse()
            said = orjson.loads(answer.read())
        except (OSError, HTTPException):
            return False
        return answer.status == 202 and said["accepted"] + said["duplicates"] == len(ids)

    def _body(self, ids: list[str]) -> bytes:
        fields = {"item_id": "item-1003", "type": "view", "at": self._at}
        events = [{"event_id": one, "user_id": f"user-{one[-4:]}"} | fields for one in ids]
        return orjson.dumps({"events": events})


def batches(n_events: int) -> list[list[str]]:
    ids = [f"event-{n:06d}" for n in range(n_events)]
    return [ids[i : i + BATCH] for i in range(0, n_events, BATCH)]


def stored(home: Path) -> Iterator[str]:
    record = Record.open(home / "record.db")
    for batch in record.events_between(0, record.last_seq()):
        yield from (event.event_id for _, event, _ in batch)
    assert not record.damaged
    record.close()


def killed_while_sending(home: Path, n_events: int, kills: int) -> list[Sender]:
    """Send all events while workers are killed; spread, so that kills fall before the end."""
    rng = random.Random(5)
    with running(home) as served:
        todo = batches(n_events)
        senders = [Sender(served.port, todo[n::SENDERS]) for n in range(SENDERS)]
        for sender in senders:
            sender.start()
        for _ in range(kills):
            time.sleep(rng.uniform(0.03, 0.08))
            assert any(sender.is_alive() for sender in senders), "killed too late to matter"
            served.kill_worker()
        for sender in senders:
            sender.join()
    return senders


def check(home: Path, senders: list[Sender], n_events: int) -> None:
    acked = [one for sender in senders for one in sender.acked]
    kept = list(stored(home))
    assert len(acked) == n_events
    assert set(acked) - set(kept) == set(), "acknowledged events are lost"
    assert len(kept) == len(set(kept)), "events are there twice"


def test_twenty_killed_workers_lose_and_double_nothing_of_a_hundred_thousand(tmp_path):
    senders = killed_while_sending(tmp_path, 100_000, KILLS)
    check(tmp_path, senders, 100_000)
    assert sum(sender.again for sender in senders) >= KILLS


def test_a_killed_service_started_again_has_what_it_acknowledged(tmp_path):
    with running(tmp_path) as served:
        (sender,) = senders = [Sender(served.port, batches(3_000))]
        sender.start()
        until(lambda: len(sender.acked) >= 500, 30)
        served.kill()
        again = start(tmp_path, port=served.port)
        sender.join()
        again.kill()
    assert sender.again
    check(tmp_path, senders, 3_000)


def test_the_ledger_of_these_tests_would_notice_a_loss(tmp_path):
    sender = Sender(0, [])
    sender.acked = ["event-000001"]
    record = Record.open(tmp_path / "record.db")
    record.close()
    with pytest.raises(AssertionError, match="acknowledged events are lost"):
        check(tmp_path, [sender], 1)
