"""A record in a file and one on a real server: what holds for one holds for the other."""

from collections.abc import Iterator

import pytest
from sqlalchemy import URL, create_engine, make_url

from data.record import Record
from data.record_store import file_url


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path) -> URL:
    """Where a record can be made."""
    if request.param == "sqlite":
        return file_url(tmp_path / "record.db")
    return make_url(request.getfixturevalue("postgresql").emptied())


@pytest.fixture
def record(place) -> Iterator[Record]:
    """An empty record."""
    record = Record.at(place)
    yield record
    record.close()


@pytest.fixture
def outside(place):
    """Changes the database behind the record's back."""

    def change(statement: str) -> None:
        engine = create_engine(place)
        with engine.begin() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()

    return change
