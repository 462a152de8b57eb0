"""A shop with keys for servers and a secret for user tokens, and what tests send to it."""

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from starlette.testclient import TestClient

from data.home import Home
from recsys.files import write_private
from serving.identity import Scope
from serving.service import Service
from serving.token_secrets import NAME, TokenSecret, newest
from serving.tokens import mint
from tests.planted import NOW
from tests.serving.conftest import Shop

LIFE = timedelta(hours=1)
# What the shop's backend makes tokens with.
SECRET, KID = bytes(range(32)), "00c0ffee"


def bearer(credential: str) -> dict[str, str]:
    """The header that carries a key or token."""
    return {"authorization": f"Bearer {credential}"}


def filled(path: str, **ids: str) -> str:
    """The path of a route with ids in its places."""
    said = {"item_id": "item-1001", "user_id": "user-5001"} | ids
    return re.sub(r"\{(\w+)(:path)?\}", lambda part: said.get(part[1], "id-1"), path)


@dataclass
class Keyed:
    """A shop that asks for keys.

    Attributes
    ----------
    keys
        One a scope, and `all` for everything.
    """

    shop: Shop
    service: Service
    client: TestClient
    secret: TokenSecret
    keys: dict[str, str] = field(default_factory=dict)

    def token(self, sub: str = "user-5001", *, life: timedelta = LIFE, **more) -> str:
        """A token that holds, unless said otherwise."""
        said = {"audience": "dapei", "at": self.shop.clock.at} | more
        return mint(self.secret.secret, self.secret.kid, sub, life=life, **said)

    def as_user(self, sub: str = "user-5001") -> dict[str, str]:
        return bearer(self.token(sub))

    def as_server(self, scope: str = "all") -> dict[str, str]:
        return bearer(self.keys[scope])

    def events_of(self, user_id: str) -> list[dict]:
        said = self.client.get(f"/v1/users/{user_id}/history", headers=self.as_server())
        return said.json()["events"]


def keyed_in(folder: Path, scopes: Iterable[Scope] = (), **settings) -> Iterator[Keyed]:
    """A shop with a bundle, with a key for everything and one for each of these, served."""
    shop = Shop(Home(folder / "home"))
    shop.publish()
    kept = [{"kid": KID, "secret": SECRET.hex(), "until_ms": None}]
    write_private(shop.home.keys / NAME, orjson.dumps(kept))
    secret = newest(shop.home.keys)
    service = shop.service(**settings)
    new = service.record.server_keys.new
    keys = {scope.value: new(scope.value, [scope], at=NOW, who="test") for scope in scopes}
    keys["all"] = new("all", list(Scope), at=NOW, who="test")
    with shop.client_of(service) as client:
        yield Keyed(shop, service, client, secret, keys)


@pytest.fixture
def keyed(tmp_path) -> Iterator[Keyed]:
    """The same, for one test alone."""
    yield from keyed_in(tmp_path, (Scope.LISTS, Scope.EVENTS, Scope.USERS))


@pytest.fixture(scope="session")
def still_keyed(tmp_path_factory) -> Iterator[Keyed]:
    """The same, for tests that change nothing; made once."""
    yield from keyed_in(tmp_path_factory.mktemp("keyed"), Scope)


@pytest.fixture
def wait_for():
    """Waits until something holds; fails after five seconds."""
    return until


def until(holds) -> None:
    """Wait until something holds."""
    end = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


@pytest.fixture
def shop(tmp_path) -> Shop:
    """A shop with nothing in it, and no keys."""
    return Shop(Home(tmp_path / "shop"))
