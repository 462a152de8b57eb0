"""What tests of every room share."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from recsys import kernels
from tests.servers import postgresql, redis_server

# A busy machine is no mistake of what is tested.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

__all__ = ["postgresql", "redis_server"]

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def compiled() -> None:
    """Kernels are ready before the first test, so that none is called slow for compiling them."""
    kernels.warm()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets beside the checkout; without it the test is skipped, aloud."""
    if not SHARED.is_dir():
        pytest.skip(f"NOT TESTED: there are no real data sets at {SHARED}")
    return SHARED
