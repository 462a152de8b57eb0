"""Negative controls: tests of faults, each with the defect put back that it is there to see.

Where the service runs in processes of its own the control is beside the test, and the defect in
`tests.faults.defects`.
"""

import gc
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import pytest
from redis.exceptions import RedisError

from data.quarantine import Quarantine
from serving.persons import Persons
from tests.data import test_importing as importing
from tests.faults import test_record_twice as twice
from tests.faults import test_redis_faults as redis_faults

keep_lines, held = Quarantine.add, Persons._held


async def trusting(hot, lines, _budget_s, talk):
    hot.calls += 1
    return await lines.talked(talk)


async def greeting_anybody(connection):
    await connection.on_connect()
    connection.run_id = "whichever"


async def alone(persons, user_id, current):
    return await persons._far(user_id, current)


@dataclass(frozen=True)
class Control:
    """A test, and what stands in the place of sound code.

    Parameters
    ----------
    where
        The dotted name of what is replaced.
    sees
        How the test fails.
    given
        What the test takes beside fixtures.
    """

    test: Callable[..., None]
    where: str
    what: Any
    sees: Any = AssertionError
    given: dict[str, Any] = field(default_factory=dict)


CONTROLS = {
    "R06: ids are not known again": Control(
        twice.test_r06_a_batch_sent_ten_times_by_eight_with_a_restart_between_is_stored_once,
        "data.record_rows.signed_key",
        lambda _text: secrets.randbits(62),
    ),
    "R06: bodies are not compared": Control(
        twice.test_r06_a_batch_sent_ten_times_by_eight_with_a_restart_between_is_stored_once,
        "data.record_rows._body_hash",
        lambda _plain, _more: b"always the same",
    ),
    "R07: each way counts": Control(
        twice.test_r07_the_same_events_imported_and_sent_are_there_once,
        "data.histories_build._once",
        lambda events: events,
    ),
    "R09: any time is believed": Control(
        twice.test_r09_wrong_clocks_are_set_aside_with_their_reason_and_teach_nothing,
        "serving.intake._check_fresh",
        lambda _at, _received_at: None,
    ),
    "R11: a bad line is dropped without a word": Control(
        importing.test_one_bad_line_in_twenty_and_only_it_is_quarantined,
        "data.quarantine.Quarantine.add",
        lambda file, bad: keep_lines(file, bad.head(bad.height - 1)),
        given={"n": 20_000},
    ),
    "R17: that Redis is gone is an error": Control(
        redis_faults.test_r17_redis_killed_under_load,
        "serving.hot_redis.RedisHot._asked",
        trusting,
        sees=(RedisError, OSError),
        given={"n": 20},
    ),
    "R18: whatever Redis takes is waited for": Control(
        redis_faults.test_r18_redis_frozen,
        "serving.hot_redis.RedisHot._asked",
        trusting,
        sees=(RedisError, OSError),
    ),
    "R20: whatever Redis says is believed": Control(
        redis_faults.test_r20_a_server_that_answers_errors,
        "serving.hot_redis.RedisHot._asked",
        trusting,
        sees=RedisError,
        given={"error": redis_faults.ERRORS[0]},
    ),
    "R23: what is at hand holds": Control(
        redis_faults.test_r23_redis_emptied,
        "serving.persons.Persons._held",
        lambda *said: said[2] if said[2].mark else held(*said),
    ),
    "R26: failures are not counted": Control(
        redis_faults.test_r26_the_breaker_opens_probes_and_closes,
        "serving.breaker.Breaker.failed",
        lambda _breaker: None,
    ),
    "R27: failures are not counted": Control(
        redis_faults.test_r27_what_is_dead_is_not_asked_again_and_again,
        "serving.breaker.Breaker.failed",
        lambda _breaker: None,
        given={"toxics": {"reset_peer": True}},
    ),
}
SLOW = {
    "R22: one server is like another": Control(
        redis_faults.test_r22_a_replica_in_the_masters_place,
        "serving.hot_redis._greet",
        greeting_anybody,
    ),
    "R25: everybody looks for themselves": Control(
        redis_faults.test_r25_a_person_whom_everybody_asks_for_costs_redis_no_more,
        "serving.persons.Persons.meet",
        alone,
    ),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "control",
    [*CONTROLS.values(), *(pytest.param(one, marks=pytest.mark.nightly) for one in SLOW.values())],
    ids=[*CONTROLS, *SLOW],
)
def test_the_defect_would_be_seen(control, request, monkeypatch):
    monkeypatch.setattr(control.where, control.what)
    # An empty shop goes by another name in this folder.
    asked = {
        name: "planted" if name == "shop" else name for name in signature(control.test).parameters
    }
    fixtures = {
        name: request.getfixturevalue(fixture)
        for name, fixture in asked.items()
        if name not in control.given
    }
    with pytest.raises(control.sees):
        control.test(**control.given, **fixtures)
    # What a failed test left open ends here and not in the next one.
    gc.collect()
