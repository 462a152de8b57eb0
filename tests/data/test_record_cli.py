import shutil

import pytest
from sqlalchemy import create_engine
from typer.testing import CliRunner

from data.home import Home
from data.privacy import KEY_NAME
from data.record import Record
from data.record_cli import app
from data.record_store import file_url
from recsys.errors import ConfigError
from tests.data.samples import NOW, event, put


@pytest.fixture
def home(tmp_path) -> Home:
    """A home with a record of nine events."""
    home = Home(tmp_path / "home")
    record = Record.of(home)
    put(record, *(event(n) for n in range(9)))
    record.aliases.join("guest-7001", "user-5001", at=NOW)
    record.close()
    return home


def run(*words: object) -> str:
    said = ["record", *(str(word) for word in words)]
    done = CliRunner().invoke(app, said, catch_exceptions=False)
    return f"{done.exit_code} {' '.join(done.output.split())}"


def test_a_copy_put_into_a_blank_home_is_the_same_record(home, tmp_path):
    copy, blank = tmp_path / "copy.db", tmp_path / "blank"
    assert run("backup", copy, "--home", home.root).startswith("0 the record is copied")
    told = run("restore", copy, "--home", blank)
    assert "has a record of 9 events; copy privacy.key of the home it came from" in told
    with pytest.raises(ConfigError, match="under another key than keys/privacy.key"):
        run("check", "--home", blank)
    shutil.copy(home.keys / KEY_NAME, Home(blank).keys / KEY_NAME)
    whole = "0 9 events are whole, 0 damaged the audit is whole"
    assert run("check", "--home", blank) == run("check", "--home", home.root) == whole


def test_no_record_is_replaced(home, tmp_path):
    run("backup", tmp_path / "copy.db", "--home", home.root)
    with pytest.raises(ConfigError, match="has a record already"):
        run("restore", tmp_path / "copy.db", "--home", home.root)


def test_a_copy_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match="there is no copy"):
        run("restore", tmp_path / "none.db", "--home", tmp_path / "blank")


def test_damage_is_found_and_told(home):
    engine = create_engine(file_url(home.record_path))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE events SET item_id = 'item-1' WHERE seq = 4")
        connection.exec_driver_sql("UPDATE audit SET who = 'nobody'")
    engine.dispose()
    said = "3 8 events are whole, 1 damaged the audit is broken at row 1"
    assert run("check", "--home", home.root) == said
