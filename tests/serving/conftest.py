"""A shop on disk with a published bundle, and a service over it whose clock the test holds."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from starlette.testclient import TestClient

from data.histories_file import ABOUT, POINTER, People
from data.home import Home
from data.record import Record
from data.writer import Writer
from recsys.arrays import flat, save
from recsys.bundle_files import write
from recsys.catalog import Catalog, Item, Kind
from recsys.events import Event
from recsys.files import write_atomic
from recsys.histories import Histories, History
from recsys.ids import IdMap
from recsys.pointer import publish
from recsys.signing import SigningKey
from serving.app import create_app
from serving.bundles import Watcher
from serving.cursors import Cursors
from serving.persons import Persons
from serving.remembered import Remembered
from serving.service import Service
from serving.settings import Settings
from tests.planted import NOW, Fixed, FixedForAll, bundle_of, item

TABLE = {"fixed": Fixed, "fixed_for_all": FixedForAll}
# Positions 0–5 products, 6–9 videos; video 6 sells products 0 and 1.
ITEMS = (
    [item(n, durable=n != 2, price_minor=990 + n, link=f"/p/{n}") for n in range(6)]
    + [item(6, Kind.VIDEO, cards=("item-1000", "item-1001"), cover="/c/6.jpg")]
    + [item(n, Kind.VIDEO) for n in range(7, 10)]
)


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at

    def move(self, **how_far) -> None:
        self.at += timedelta(**how_far)


@dataclass
class Shop:
    """A home folder, and what tests do with it."""

    home: Home
    clock: Clock = field(default_factory=Clock)
    near: tuple[int, ...] = (3, 1, 0, 7, 6)
    popular: tuple[int, ...] = (5, 4, 9, 8)

    def publish(
        self, bundle_id: str = "bundle-1", items: list[Item] | None = None, **origin
    ) -> None:
        key = SigningKey.load_or_make(self.home.keys)
        models = {"near": Fixed(items=self.near), "popular": FixedForAll(items=self.popular)}
        bundle = bundle_of(Catalog.of(items or ITEMS), models)
        write(
            replace(bundle, bundle_id=bundle_id, origin=origin), self.home.bundles, key, table=TABLE
        )
        publish(self.home.bundles, bundle_id, key)

    def write_histories(self, version: str, *events: Event, record_seq: int = 0) -> None:
        """Histories on disk of one person, as a build leaves them."""
        folder = self.home.histories / version
        folder.mkdir(parents=True)
        item_ids = IdMap.of(list(dict.fromkeys(event.item_id for event in events)))
        own = History.of([(item_ids.find(event.item_id), event) for event in events])
        people = People(IdMap.of(["user-5001"]), item_ids, Histories.of([own]))
        save(flat(people, "people"), folder)
        about = {"record_seq": record_seq, "lake_version": 1, "events": len(events)}
        (folder / ABOUT).write_text(json.dumps(about))
        write_atomic(self.home.histories / POINTER, version.encode())

    def service(self, **settings) -> Service:
        record, said = Record.of(self.home), Settings(poll_s=0.05, **settings)
        return Service(
            record=record,
            writer=Writer(record, max_waiting_events=50_000),
            watcher=Watcher(self.home, record, table=TABLE),
            persons=Persons(record, Remembered(100), limit=said.history_events),
            cursors=Cursors.of(self.home.keys),
            settings=said,
            now=self.clock,
        )

    def client(self, **settings) -> TestClient:
        return self.client_of(self.service(**settings))

    def client_of(self, service: Service) -> TestClient:
        return TestClient(create_app(service), raise_server_exceptions=False)

    def body(self, number: int = 1, **said) -> dict:
        """The body of an event, valid unless said otherwise."""
        return {
            "event_id": f"event-{number}",
            "user_id": "user-5001",
            "item_id": "item-1002",
            "type": "view",
            "at": self.clock.at.isoformat(),
        } | said


@pytest.fixture
def shop(tmp_path) -> Shop:
    """A shop with nothing in it."""
    return Shop(Home(tmp_path / "home"))


@pytest.fixture
def wait_for():
    """Waits until something holds; fails after five seconds."""

    def wait(holds) -> None:
        until = time.monotonic() + 5
        while not holds():
            assert time.monotonic() < until, "it never came"
            time.sleep(0.02)

    return wait


@pytest.fixture
def client(shop) -> Iterator[TestClient]:
    """A client of a service with a bundle."""
    shop.publish()
    with shop.client() as client:
        yield client


@pytest.fixture(scope="session")
def still(tmp_path_factory) -> Iterator[TestClient]:
    """The same, for tests that change nothing; made once."""
    shop = Shop(Home(tmp_path_factory.mktemp("still") / "home"))
    shop.publish()
    with shop.client() as client:
        yield client
