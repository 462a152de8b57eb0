"""X-Deadline-Ms: what is left of a request's time, and lists made with less of it."""

import pytest
from fastapi import Request

from recsys.errors import InvalidInput
from serving.deadlines import deadline_of


def asking(said: str | None) -> Request:
    headers = [] if said is None else [(b"x-deadline-ms", said.encode())]
    return Request({"type": "http", "headers": headers})


def test_what_is_left_falls_with_the_clock_and_below_nothing():
    now_s = [100.0]
    left_ms = deadline_of(asking("20"), lambda: now_s[0])
    assert left_ms() == pytest.approx(20)
    now_s[0] += 0.025
    assert left_ms() == pytest.approx(-5)


def test_who_names_no_deadline_is_in_no_hurry():
    assert deadline_of(asking(None))() == float("inf")


@pytest.mark.parametrize("said", ["", "0", "-1", "1.5", "60001", "999999999", "١٢", "soon"])
def test_what_is_no_number_of_milliseconds_is_refused(said):
    with pytest.raises(InvalidInput, match="x-deadline-ms is .*; allowed: 1 to 60000"):
        deadline_of(
            Request({"type": "http", "headers": [(b"x-deadline-ms", said.encode("utf-8"))]})
        )
