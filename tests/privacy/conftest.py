"""A shop with persons who hold tokens, for tests of what is in their hands."""

import time

import pytest

from tests.security.conftest import keyed

__all__ = ["keyed"]


@pytest.fixture
def wait_for():
    """Waits until something holds; fails after so many seconds."""

    def wait(holds, seconds: float = 10) -> None:
        until = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < until, "it never came"
            time.sleep(0.1)

    return wait
