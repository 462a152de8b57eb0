"""The benchmark's shop and load generator, and one small run of it all."""

import asyncio
import json
import math
import shutil
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from dapei import command_line
from data.home import Home
from recsys.bundle import check
from recsys.histories import History
from recsys.recommend import Request, recommend
from serving import bench_cli
from serving.bench import REDIS_FIGURES, redis_too
from serving.bench_world import histories, synthetic_bundle
from serving.load import Measured, hammer, percentile, request

NOW = datetime(2026, 5, 20, tzinfo=UTC)
KEYS = {"items", "bare_rps", "lists_rps", "ratio", "p50_ms", "p99_ms", "events_per_s_100"}
CHANGES = ("swap_ms", "fresh_ms", "off_ms")


@pytest.fixture(scope="module")
def bundle():
    return synthetic_bundle(2_000, "bench-1")


def test_the_shop_of_the_benchmark_is_sound(bundle):
    check(bundle)


def test_its_people_get_whole_personal_lists_from_several_sources(bundle):
    events = list(histories(2_000, 1, 60, NOW))
    ids = bundle.catalog.ids
    own = History.of([(ids.find(event.item_id), event) for event in events])
    request = Request(scene="home", user_id="user-0", k=20)
    served = recommend(request, own, bundle, at=NOW, list_id="list-1").served
    assert (len(served.items), served.personalised, served.degraded) == (20, True, ())
    assert len({one.source for one in served.items}) > 1


def test_the_same_seed_draws_the_same_shop(bundle):
    again = synthetic_bundle(2_000, "bench-1")
    theirs = again.models["als"].item_factors_
    assert (bundle.models["als"].item_factors_ == theirs).all()


async def answering(answer: bytes, **load) -> tuple[Measured, list[bytes]]:
    """A load on a server that always gives one answer, and what it was sent."""
    seen = []

    async def answer_all(reader, writer):
        while head := await reader.readuntil(b"\r\n\r\n"):
            seen.append(head + await reader.readexactly(int(head.split(b"length: ")[1])))
            writer.write(answer)

    def closed(loop, context):
        assert isinstance(context["exception"], asyncio.IncompleteReadError)

    asyncio.get_running_loop().set_exception_handler(closed)
    server = await asyncio.start_server(answer_all, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    measured = await hammer(port, lambda n: request("/v1/lists", {"k": n}), **load)
    server.close()
    return measured, seen


def test_a_load_counts_answers_and_reads_the_server_s_own_time():
    answer = b"HTTP/1.1 200 OK\r\nserver-timing: list;dur=1.5\r\ncontent-length: 2\r\n\r\n{}"
    measured, seen = asyncio.run(answering(answer, seconds=0.1, connections=2))
    assert len(measured.latency_ms) == len(seen) == len(measured.server_ms) > 2
    assert set(measured.server_ms) == {1.5}
    assert (measured.failed, measured.per_second > 0) == (0, True)
    assert seen[0].endswith(b'{"k":0}')


def test_a_load_of_a_given_rate_keeps_it_and_counts_failures():
    answer = b"HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n"
    measured, seen = asyncio.run(answering(answer, seconds=0.2, connections=2, per_second=50))
    assert measured.failed == len(seen) <= 12


def test_a_percentile_of_nothing_is_no_number():
    assert math.isnan(percentile([], 50))
    assert percentile([1.0, 2.0, 3.0], 50) == 2.0


def test_the_command_measures_and_writes_its_figures(tmp_path):
    path = tmp_path / "figures.json"
    words = ["bench", "serving", "--items", "2000", "--seconds", "0.5", "--json", str(path)]
    done = CliRunner().invoke(command_line("bench", "serving"), words)
    assert done.exit_code == 0, done.output
    figures = json.loads(path.read_text())
    assert KEYS | {"ready_ms", "start_to_list_ms", "server_p50_ms", *CHANGES} <= set(figures)
    # From a look of a worker at what changed, which is every half second, to a few of them.
    # Where the answer to switching it off comes late, every worker has looked meanwhile: 0.
    assert all(0 <= figures[name] < 60_000 for name in CHANGES)
    assert min(figures["swap_ms"], figures["fresh_ms"]) > 0
    has_redis = shutil.which("redis-server") is not None
    assert [figures[name] is not None for name in REDIS_FIGURES] == [has_redis] * len(REDIS_FIGURES)
    assert ("NOT MEASURED" in done.output) != has_redis
    assert (figures["items"], figures["list_items"]) == (2_000, 20)
    assert "lists_rps" in done.output


def test_without_redis_its_figures_are_left_out_aloud(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with redis_too(Home(tmp_path)) as redis:
        assert redis is None
    nothing = dict.fromkeys(REDIS_FIGURES)
    monkeypatch.setattr(bench_cli, "bench_serving", lambda *_: nothing)
    done = CliRunner().invoke(command_line("bench", "serving"), ["bench", "serving"])
    assert "NOT MEASURED" in done.output
