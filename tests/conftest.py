"""What tests of every room share."""

from pathlib import Path

import pytest

from tests.servers import postgresql, redis_server

__all__ = ["postgresql", "redis_server"]

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets beside the checkout; without it the test is skipped, aloud."""
    if not SHARED.is_dir():
        pytest.skip(f"NOT TESTED: there are no real data sets at {SHARED}")
    return SHARED
