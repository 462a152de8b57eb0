"""What only a record on a server does, and how dapei.toml says where the record is."""

import shutil

import pytest
from sqlalchemy import make_url

from data.home import Home
from data.record import Outcome, Record
from recsys.errors import ConfigError, StoreUnavailable
from tests.data.samples import event, put
from tests.servers import free_port


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)


def say(home: Home, text: str) -> None:
    home.config_path.write_text(f"[record]\n{text}\n")


def test_two_homes_with_one_url_share_one_record(tmp_path, postgresql):
    url = postgresql.new_database()
    records = []
    for name in ("a", "b"):
        home = Home(tmp_path / name)
        home.root.mkdir()
        if records:
            # Persons have the same names everywhere, or who was erased would come back.
            shutil.copytree(tmp_path / "a" / "keys", home.keys)
        say(home, f'url = "{url}"')
        assert home.has_record
        records.append(Record.of(home))
    assert put(records[0], event(1)) == [Outcome.ACCEPTED]
    assert put(records[1], event(1), event(2)) == [Outcome.DUPLICATE, Outcome.ACCEPTED]
    assert records[0].last_seq() == 2
    for record in records:
        record.close()
    assert not home.record_path.exists()


def test_a_home_that_says_nothing_has_a_file(home):
    Record.of(home).close()
    assert home.record_path.exists()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ('url = "no address"', "the record's url is none"),
        ('url = "mysql://root:secret@host/shop"', "names another driver, got 'mysql'"),
        ('url = "postgresql+asyncpg://host/shop"', "got 'postgresql.asyncpg'"),
        ('adress = "x"', "unknown keys; allowed: url"),
    ],
)
def test_what_is_no_address_of_a_record_is_refused_without_telling_its_password(home, said, why):
    say(home, said)
    with pytest.raises(ConfigError, match=why) as caught:
        Record.of(home)
    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there_is_told(home):
    say(home, f'url = "postgresql+psycopg://tester@127.0.0.1:{free_port()}/shop"')
    with pytest.raises(StoreUnavailable, match="cannot be written now"):
        Record.of(home)


def test_a_lock_held_too_long_makes_writing_fail_and_nothing_is_stored(postgresql):
    url = make_url(postgresql.new_database())
    first, second = Record.at(url), Record.at(url, busy_s=0.05)
    with (
        first._writing(),
        pytest.raises(StoreUnavailable, match="lock timeout"),
    ):
        put(second, event(1))
    assert put(second, event(1)) == [Outcome.ACCEPTED]
    first.close()
    second.close()


def test_a_record_on_a_server_is_not_copied_as_a_file(tmp_path, postgresql):
    record = Record.at(make_url(postgresql.new_database()))
    with pytest.raises(ConfigError, match="allowed: pg_dump"):
        record.backup(tmp_path / "copy.db")
    record.close()


def test_an_acknowledgement_waits_for_the_servers_disk(postgresql):
    url = make_url(postgresql.new_database())
    with postgresql.connected("postgres") as connection:
        connection.execute(f"ALTER DATABASE {url.database} SET synchronous_commit = off")
    record = Record.at(url)
    with record._writing() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
    record.close()


def test_a_server_keeps_its_log_itself(postgresql):
    record = Record.at(make_url(postgresql.emptied()))
    beside = record.checkpoints()
    beside.wrote(1_000_000)
    beside.close()
    assert record._store.checkpoint(is_last=True) == 0
    record.close()
