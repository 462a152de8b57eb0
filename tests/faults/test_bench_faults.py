"""The table of `dapei bench faults`, and the load it counts with."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from serving.bench_faults_load import Asked, Load, is_list
from serving.bench_faults_table import SCENARIOS, page, shown

ROW = {
    "test": "R35",
    "says": "restarts",
    "requests": 1_000,
    "p50_ms": 1.5,
    "p99_ms": 2.5,
    "max_ms": 3.5,
    "valid_%": 100.0,
    "lost": 0,
    "more": {"exit_s": 0.5},
}


def test_the_page_says_test_figures_and_command():
    last = page([ROW]).splitlines()[-1]
    assert last == (
        "| R35 | restarts | 1,000 | 1.5 | 2.5 | 3.5 | 100.0 | 0 | exit_s 0.5 | "
        "`dapei bench faults --only R35` |"
    )


def test_every_scenario_is_of_a_test_of_trust():
    assert all(name.startswith("R") and name[1:].isdigit() for name in SCENARIOS)


def test_what_was_not_asked_is_a_dash():
    assert (shown(float("nan")), shown(1_234.5)) == ("–", "1,234.5")


@pytest.mark.parametrize(
    ("status", "body", "good"),
    [
        (200, b'{"items":[{"item_id":"a"},{"item_id":"b"}]}', True),
        (200, b'{"items":[{"item_id":"a"},{"item_id":"a"}]}', False),
        (200, b'{"items":[]}', False),
        (503, b'{"items":[{"item_id":"a"}]}', False),
    ],
)
def test_a_list_is_valid_with_items_each_once(status, body, good):
    assert is_list(status, body) is good


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def pressed(talk: Talk, **more):
    """The outcome of some requests at a server that talks like this."""

    async def both():
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        load = Load(
            port=port,
            of=lambda n: Asked(b"GET / HTTP/1.1\r\n\r\n", lambda status, _: status == 200, n),
            connections=2,
            per_second=50,
            **more,
        )
        outcome = await load.run(0.3)
        server.close()
        return outcome

    return asyncio.run(both())


async def answers(reader, writer):
    while await reader.read(100):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    writer.close()


async def hangs_up(reader, writer):
    await reader.read(100)
    writer.close()


async def closes_politely(reader, writer):
    await reader.read(100)
    writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")
    writer.close()


def test_answers_are_counted():
    outcome = pressed(answers)
    assert len(outcome.good) == outcome.sent == outcome.answered > 0
    assert outcome.dropped == 0


def test_a_connection_that_ends_without_an_answer_is_a_drop():
    outcome = pressed(hangs_up)
    assert outcome.dropped == outcome.sent > 0
    assert outcome.share_good == 0


def test_a_second_try_is_a_second_drop():
    outcome = pressed(hangs_up, tries=2)
    assert outcome.dropped == 2 * outcome.sent


def test_a_close_that_was_said_is_no_drop():
    outcome = pressed(closes_politely)
    assert len(outcome.good) == outcome.sent > 0
    assert outcome.dropped == 0
