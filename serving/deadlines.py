"""How long a caller waits for a list: `X-Deadline-Ms`, counted from when its request came."""

from collections.abc import Callable
from time import perf_counter

from fastapi import Request

from recsys.errors import InvalidInput
from recsys.pipeline import RemainingMs, unhurried

HEADER = "x-deadline-ms"
MAX_MS = 60_000


def deadline_of(request: Request, clock: Callable[[], float] = perf_counter) -> RemainingMs:
    """What is left of the time of a request, in milliseconds, whenever it is asked.

    Raises
    ------
    InvalidInput
        The header is no whole number of milliseconds.
    """
    said = request.headers.get(HEADER)
    if said is None:
        return unhurried
    if not (said.isascii() and said.isdigit() and len(said) < 6 and 1 <= int(said) <= MAX_MS):
        raise InvalidInput(f"{HEADER} is {said!r:.20}; allowed: 1 to {MAX_MS}, a whole number")
    ends_s = clock() + int(said) / 1_000
    return lambda: 1_000 * (ends_s - clock())
