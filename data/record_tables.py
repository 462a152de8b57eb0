"""The tables of the record; nothing reads or writes here."""

from sqlalchemy import (
    BLOB,
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)

SCHEMA_VERSION = 6

# What is counted from 0 on; `privacy_key` is the mark of the key that persons are named under.
COUNTERS = ("seq", "user", "item_version", "audit", "fence", "controls", "erasure", "privacy_key")

RowId = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()

# Counters and the version of the schema; numbers given out are never given out again.
state = Table(
    "state",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

# `person_idx` is whose history an id's events belong to: its own until the id, a guest's, is joined
# to a person. `joins` grows with every id that is joined to that person: what was remembered of
# them lacks the events of before.
users = Table(
    "users",
    metadata,
    Column("user_idx", RowId, primary_key=True, autoincrement=False),
    Column("user_id", Text, nullable=False, unique=True),
    Column("person_idx", BigInteger, nullable=False),
    Column("joins", Integer, nullable=False, server_default="0"),
)

# `seq` grows in the order of commits, so whoever has seen seq n has seen everything below it.
events = Table(
    "events",
    metadata,
    Column("seq", RowId, primary_key=True, autoincrement=False),
    Column("event_key", BigInteger, nullable=False),
    Column("user_idx", BigInteger, nullable=False),
    Column("person_idx", BigInteger, nullable=False),
    Column("type", SmallInteger, nullable=False),
    Column("at_ms", BigInteger),
    Column("received_ms", BigInteger, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("more", BLOB().with_variant(LargeBinary, "postgresql")),
    Column("body_hash", LargeBinary, nullable=False),
    Index("events_by_key", "event_key", unique=True),
    # SQLite keeps the row's number behind every key of an index, so this is ordered by seq too.
    Index("events_by_person", "person_idx").ddl_if(dialect="sqlite"),
    Index("events_of_person", "person_idx", "seq").ddl_if(dialect="postgresql"),
)

# Which id was joined to which person, and when. Nothing here is ever changed.
aliases = Table(
    "aliases",
    metadata,
    Column("guest_idx", RowId, primary_key=True, autoincrement=False),
    Column("user_idx", BigInteger, nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
)

# Who did what to whom, when and why. Each row's hash covers the hash of the row before.
audit = Table(
    "audit",
    metadata,
    Column("audit_idx", RowId, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("chain_hash", LargeBinary, nullable=False),
)

# Keys of other servers. A revoked one stays, so that a record which had keys is never one without.
server_keys = Table(
    "server_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger),
)

# What an operator wants of lists. Every change is a row more; a body of nothing drops the rule.
rules = Table(
    "rules",
    metadata,
    Column("version", RowId, primary_key=True, autoincrement=False),
    Column("rule_id", Text, nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("body", LargeBinary),
)

items = Table(
    "items",
    metadata,
    Column("item_id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False, index=True),
    Column("changed_ms", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

served = Table(
    "served",
    metadata,
    Column("served_idx", RowId, primary_key=True),
    Column("list_key", BigInteger, nullable=False, unique=True),
    Column("user_id", Text),
    Column("at_ms", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("served_to_user", "user_id", "served_idx"),
)

quarantined = Table(
    "quarantined",
    metadata,
    Column("row_idx", RowId, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("error", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

# What persons chose. `person` is their id under the shop's key, so that what is left of an erased
# person, that they are, names nobody; `renewed_ms` is when one of them began again.
controls = Table(
    "controls",
    metadata,
    Column("person", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
    Column("body", LargeBinary),
    Column("erased_ms", BigInteger),
    Column("renewed_ms", BigInteger),
)

# Events that were not kept because their persons do not want it: how many, of nobody.
anonymous = Table(
    "anonymous",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("type", SmallInteger, primary_key=True, autoincrement=False),
    Column("n", BigInteger, nullable=False),
)

# Numbers of events that were erased: a gap that is not one of these is damage.
erased_seqs = Table(
    "erased_seqs",
    metadata,
    Column("first_seq", RowId, primary_key=True, autoincrement=False),
    Column("last_seq", BigInteger, nullable=False),
)

# Persons to be erased and how far that is; `ids` is there only until it is done.
erasures = Table(
    "erasures",
    metadata,
    Column("erasure_idx", RowId, primary_key=True, autoincrement=False),
    Column("person", Text, nullable=False, index=True),
    Column("asked_ms", BigInteger, nullable=False),
    Column("done_ms", BigInteger),
    Column("steps", Text, nullable=False),
    Column("ids", LargeBinary),
)
