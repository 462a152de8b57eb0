"""The shop behind a running service: simulated people speak HTTP, at the times they live in."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

import orjson

from data.home import Home
from data.record_rows import item_body
from recsys.catalog import Item, Kind
from recsys.errors import ConfigError, StoreUnavailable
from recsys.events import Event, moment
from recsys.histories import History
from training.config import TrainConfig
from training.simulation.shopfront import Asked, Shown, learned

CLOCK = "x-simulated-now"
# Items and events of one request: far from its limits of number and of bytes.
BATCH = 500
TIMEOUT_S = 30.0
# A service looks for bundles about once a second.
SWAP_S, LOOK_S = 60.0, 0.2
TIMES = ("published_at", "expires_at")


@dataclass(slots=True, eq=False)
class Far:
    """The shop of a home, asked over HTTP; its service was started with `--simulated-clock`.

    Parameters
    ----------
    url
        Like http://127.0.0.1:8000.
    home
        The home that the service serves: bundles are learned there, beside it.
    """

    url: str
    home: Home
    config: TrainConfig
    is_open: bool = False
    _connection: HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        """Check the address; nothing is sent yet."""
        parts = urlsplit(self.url)
        if parts.scheme != "http" or not parts.hostname:
            raise ConfigError(f"url is no address, got {self.url!r}; allowed: http://HOST:PORT")
        self._connection = HTTPConnection(parts.hostname, parts.port or 80, timeout=TIMEOUT_S)

    def put_items(self, items: Sequence[Item], at: datetime) -> None:
        """The shop has these from now on."""
        for start in range(0, len(items), BATCH):
            bodies = [_item_said(item) for item in items[start : start + BATCH]]
            self._check_taken(self._asked("PUT", "/v1/items", {"items": bodies}, at))

    def take(self, events: Sequence[Event], acts: dict[int, History], at: datetime) -> None:
        """Into the service, in batches."""
        for start in range(0, len(events), BATCH):
            bodies = [event.body() for event in events[start : start + BATCH]]
            self._check_taken(self._asked("POST", "/v1/events", {"events": bodies}, at))

    def lists(self, asked: Sequence[Asked]) -> list[Shown]:
        """One list a request; empty ones before there is a bundle."""
        if not self.is_open:
            return [Shown("", ())] * len(asked)
        return [self._list(one) for one in asked]

    def learn(self, at: datetime) -> None:
        """Learn beside the service, and wait until it serves what was learned."""
        bundle_id = learned(self.home, self.config, at)
        ends_s = time.monotonic() + SWAP_S
        while bundle_id and self._bundle(at) != bundle_id:
            if time.monotonic() > ends_s:
                raise StoreUnavailable(
                    f"{self.url} does not serve {bundle_id}; allowed: the service of this home"
                )
            time.sleep(LOOK_S)
        self.is_open = self.is_open or bool(bundle_id)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _list(self, asked: Asked) -> Shown:
        request = asked.request
        body: dict[str, object] = {
            "scene": request.scene,
            "user_id": request.user_id,
            "k": request.k,
        }
        if request.basket:
            body["context"] = {"order_items": list(request.basket)}
        said = self._asked("POST", "/v1/lists", body, moment(asked.at_ms))
        return Shown(said["list_id"], tuple(item["item_id"] for item in said["items"]))

    def _bundle(self, at: datetime) -> str:
        return str(self._asked("POST", "/v1/lists", {"scene": "home", "k": 1}, at)["bundle"])

    def _check_taken(self, said: dict[str, Any]) -> None:
        if said["rejected"]:
            raise StoreUnavailable(f"{self.url} refused: {str(said['rejected'])[:200]}")

    def _asked(self, method: str, path: str, body: object, at: datetime) -> dict[str, Any]:
        headers = {"content-type": "application/json", CLOCK: at.isoformat()}
        try:
            self._connection.request(method, path, orjson.dumps(body), headers)
            answer = self._connection.getresponse()
            raw = answer.read()
        except (OSError, HTTPException) as cause:
            raise StoreUnavailable(f"{self.url} does not answer: {cause}") from cause
        if answer.status >= 300:
            raise StoreUnavailable(f"{self.url}{path} answered {answer.status}: {raw[:200]!r}")
        said: dict[str, Any] = orjson.loads(raw)
        return said


def _item_said(item: Item) -> dict[str, object]:
    said: dict[str, object] = orjson.loads(item_body(item))
    times = {name: at.isoformat() for name in TIMES if (at := getattr(item, name)) is not None}
    return said | times | {"item_id": item.item_id, "kind": Kind(item.kind).word}
