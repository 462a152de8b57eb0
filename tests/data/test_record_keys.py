import sqlite3
from datetime import timedelta

import pytest
from sqlalchemy import select

from data.record import Record
from data.record_audit import Deed
from data.record_keys import FORM, digest_of
from data.record_tables import SCHEMA_VERSION, metadata
from recsys.errors import InvalidInput
from tests.data.samples import NOW

LATER = NOW + timedelta(days=1)


def made(record: Record, name: str = "backend", scopes=("lists", "events")) -> str:
    return record.server_keys.new(name, scopes, at=NOW, who="operator")


def test_a_key_has_256_random_bits_and_its_own_id(record):
    keys = [made(record) for _ in range(50)]
    assert all(FORM.fullmatch(key) for key in keys)
    # 43 characters of 6 bits carry 32 bytes.
    assert len({key.split("_", 2)[2] for key in keys}) == len({key[4:12] for key in keys}) == 50


def test_nothing_that_is_kept_opens_anything(record):
    key = made(record)
    secret = key.split("_", 2)[2]
    with record._store.reading() as connection:
        kept = [
            tuple(row)
            for table in metadata.tables.values()
            for row in connection.execute(select(table))
        ]
    assert secret not in repr(kept)
    assert any(digest_of(key) in row for row in kept)
    assert key not in repr(kept)


def test_what_is_kept_says_whose_it_is_and_what_it_is_for(record):
    key = made(record)
    (kept,) = record.server_keys.all()
    assert kept == (key[4:12], "backend", digest_of(key), {"lists", "events"}, NOW, None)


def test_two_keys_of_one_name_live_at_once(record):
    made(record), made(record)
    assert [one.revoked_at for one in record.server_keys.all()] == [None, None]


def test_a_revoked_key_stays_and_says_since_when(record):
    first, second = made(record), made(record, "other")
    assert record.server_keys.revoke(first[4:12], at=LATER, who="operator", why="lost")
    assert not record.server_keys.revoke(first[4:12], at=LATER, who="operator")
    revoked = {one.key_id: one.revoked_at for one in record.server_keys.all()}
    assert revoked == {first[4:12]: LATER, second[4:12]: None}


def test_making_and_revoking_are_told(record):
    key = made(record)
    record.server_keys.revoke(key[4:12], at=LATER, who="operator", why="lost")
    told = [row.deed for row in record.audit.after(0, limit=9)]
    assert told == [
        Deed("operator", "key_new", key[4:12], "backend: events lists"),
        Deed("operator", "key_revoke", key[4:12], "lost"),
    ]
    assert record.audit.broken_at() is None


@pytest.mark.parametrize(
    ("name", "scopes", "said"),
    [
        ("", ("lists",), "name is missing"),
        ("x" * 65, ("lists",), "name is too long"),
        ("a\nb", ("lists",), "unprintable"),
        ("backend", (), "without a scope opens nothing"),
    ],
)
def test_a_key_that_says_too_little_is_not_made(record, name, scopes, said):
    with pytest.raises(InvalidInput, match=said):
        made(record, name, scopes)
    assert record.server_keys.all() == []


def test_a_key_that_is_not_there_cannot_be_revoked(record):
    with pytest.raises(InvalidInput, match="there is no key 'deadbeef'"):
        record.server_keys.revoke("deadbeef", at=NOW, who="operator")


def test_a_record_of_the_second_schema_is_brought_to_this_one(tmp_path):
    path = tmp_path / "record.db"
    Record.open(path).close()
    with sqlite3.connect(path) as old:
        old.execute("DROP TABLE server_keys")
        old.execute("UPDATE state SET value = 2 WHERE name = 'schema'")
    old.close()
    record = Record.open(path)
    assert made(record)
    record.close()
    with sqlite3.connect(path) as now:
        (version,) = now.execute("SELECT value FROM state WHERE name = 'schema'").fetchone()
    now.close()
    assert version == SCHEMA_VERSION
