"""Records of older schemas, brought to this one in the transaction that opens them."""

from sqlalchemy import Connection

from data.record_statements import counter, set_counter
from data.record_tables import SCHEMA_VERSION
from recsys.errors import ConfigError

# Before the second version the record was in files only, and knew no guests.
_TO_2 = (
    "ALTER TABLE users ADD COLUMN person_idx BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE users ADD COLUMN joins INTEGER NOT NULL DEFAULT 0",
    "UPDATE users SET person_idx = user_idx",
    "ALTER TABLE events ADD COLUMN person_idx BIGINT NOT NULL DEFAULT 0",
    "UPDATE events SET person_idx = user_idx",
    "DROP INDEX events_by_user",
    "CREATE INDEX events_by_person ON events (person_idx)",
    "CREATE INDEX served_to_user ON served (user_id, served_idx)",
    "INSERT INTO state (name, value) VALUES ('audit', 0), ('fence', 0)",
)
# By the version they start from. Later versions only have more tables: those are made before, and
# the number keeps programs out that would not know of them.
_TO_6 = (
    "INSERT INTO state (name, value) VALUES ('controls', 0), ('erasure', 0), ('privacy_key', 0)"
    " ON CONFLICT DO NOTHING",
)
_STEPS: dict[int, tuple[str, ...]] = {1: _TO_2, 2: (), 3: (), 4: (), 5: _TO_6}


def upgrade(connection: Connection) -> None:
    """Bring the tables to this program's schema; what is missing has been made before.

    Raises
    ------
    ConfigError
        They are of a version this program does not know.
    """
    known = counter(connection, "schema")
    if known == SCHEMA_VERSION:
        return
    if known not in _STEPS:
        raise ConfigError(
            f"the record has another schema, got version {known}; "
            f"this program reads 1 to {SCHEMA_VERSION}"
        )
    for version in range(known, SCHEMA_VERSION):
        for statement in _STEPS[version]:
            connection.exec_driver_sql(statement)
    set_counter(connection, "schema", SCHEMA_VERSION)
