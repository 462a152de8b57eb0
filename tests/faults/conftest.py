"""A furnished shop, made once and copied for every test that breaks it."""

import shutil
from pathlib import Path

import pytest

from data.home import Home
from serving.bench_faults_shop import furnish
from tests.serving.conftest import Shop


@pytest.fixture(scope="session")
def furnished(tmp_path_factory) -> Path:
    return furnish(tmp_path_factory.mktemp("furnished") / "home").root


@pytest.fixture
def home(furnished, tmp_path) -> Home:
    """A shop with two bundles, the first in use, and people with histories."""
    shutil.copytree(furnished, tmp_path / "home", copy_function=shutil.copy)
    return Home(tmp_path / "home")


@pytest.fixture
def planted(tmp_path) -> Shop:
    """A small shop in this process, with nothing in it."""
    return Shop(Home(tmp_path / "home"))
