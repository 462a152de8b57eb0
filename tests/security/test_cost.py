"""S13: no request that is allowed costs many times what an ordinary one does."""

import time
from dataclasses import replace
from datetime import timedelta
from statistics import median

import orjson
import pytest
from hypothesis import HealthCheck, given, settings, target
from hypothesis import strategies as st

from data.home import Home
from data.record import Record
from recsys import recommend
from recsys.bundle_files import write
from recsys.pointer import publish
from recsys.scenes import SCENES
from recsys.signing import SigningKey
from serving.bench_world import histories, synthetic_bundle, user_id
from serving.bodies import parsed
from serving.schemas import ListBody
from serving.service import Service
from serving.settings import Settings
from tests.planted import NOW

N_ITEMS, N_PEOPLE, MOST = 10_000, 50, 5.0
PERSON = st.integers(0, N_PEOPLE - 1).map(user_id)
ITEM = st.integers(0, N_ITEMS - 1).map(lambda n: f"item-{n}")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("cost") / "home")
    key = SigningKey.load_or_make(home.keys)
    write(synthetic_bundle(N_ITEMS, "bundle-1"), home.bundles, key)
    publish(home.bundles, "bundle-1", key)
    record = Record.of(home)
    events = list(histories(N_ITEMS, N_PEOPLE, 300, NOW - timedelta(minutes=1)))
    record.append(events, received_at=NOW)
    record.close()
    service = replace(Service.of(home, Settings()), now=lambda: NOW)
    service.watcher.look()
    yield service
    service.close()


def cost_s(service, body: dict) -> float:
    """Processor time of one answer, the least of three; reading and encoding are in it."""
    spent = []
    raw = orjson.dumps(body)
    for _ in range(3):
        before = time.thread_time()
        said = parsed(raw, ListBody)
        asked = replace(said.request(), user_id=said.user_id)
        service.recommend(asked, said.cursor)
        spent.append(time.thread_time() - before)
    return min(spent)


@pytest.fixture(scope="module")
def ordinary_s(service):
    bodies = [{"scene": "home", "user_id": user_id(n), "k": 20} for n in range(N_PEOPLE)]
    for body in bodies:
        cost_s(service, body)
    return median(cost_s(service, body) for body in bodies)


@pytest.fixture(scope="module")
def pages(service) -> list[str | None]:
    """No cursor, and one of many pages before."""
    cursor = None
    for _ in range(20):
        body = {"scene": "home", "user_id": user_id(0), "k": 100, "cursor": cursor}
        said = parsed(orjson.dumps(body), ListBody)
        asked = replace(said.request(), user_id=said.user_id)
        cursor = orjson.loads(service.recommend(asked, cursor))["cursor"] or cursor
    return [None, cursor]


BODY = st.fixed_dictionaries(
    {"scene": st.sampled_from(sorted(SCENES)), "user_id": PERSON, "k": st.integers(1, 100)},
    optional={
        "kinds": st.sampled_from([["product"], ["video"], ["product", "video"]]),
        "exclude": st.lists(ITEM, max_size=1_000),
        "context": st.fixed_dictionaries(
            {"order_items": st.lists(ITEM, max_size=100), "cart": st.lists(ITEM, max_size=100)}
        ),
    },
)


@pytest.mark.nightly
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=BODY, is_far=st.booleans())
def test_the_dearest_list_costs_at_most_five_ordinary_ones(
    service, ordinary_s, pages, body, is_far
):
    cursor = pages[is_far]
    ratio = cost_s(service, body | ({"cursor": cursor} if cursor else {})) / ordinary_s
    target(ratio)
    assert ratio <= MOST


def test_without_the_bound_of_k_one_request_would_cost_many(service, ordinary_s, monkeypatch):
    monkeypatch.setattr(recommend, "MAX_K", N_ITEMS)
    body = {"scene": "home", "user_id": user_id(0), "k": N_ITEMS}
    assert cost_s(service, body) / ordinary_s > MOST
