"""Everything that is kept of one person, as JSON lines: what a person may ask a copy of."""

from collections.abc import Iterator
from dataclasses import asdict
from hashlib import sha256
from typing import Any

import orjson
import polars as pl

from data.erasures import Erasures
from data.home import Home
from data.lake import Lake
from data.record import Record
from recsys.controls import Purpose
from recsys.events import EventType, moment

# More than anybody did or was shown.
EVERYTHING = 1_000_000_000
ROWS_A_READ = 20_000
_OF_US = {"person", "key"}


def exported(home: Home, record: Record, user_id: str) -> Iterator[bytes]:
    """One line each: the ids, the choices, events, served lists; the last counts and seals them."""
    told, seal = dict.fromkeys(("events", "lists"), 0), sha256()
    for what, said in _parts(home, record, user_id):
        line = orjson.dumps({"what": what, **said}) + b"\n"
        seal.update(line)
        if f"{what}s" in told:
            told[f"{what}s"] += 1
        yield line
    yield orjson.dumps({"what": "end", **told, "sha256": seal.hexdigest()}) + b"\n"


def _parts(home: Home, record: Record, user_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
    ids = record.aliases.ids_of(user_id)
    yield "person", {"ids": ids}
    yield "choices", _choices(home, record, user_id)
    known = set()
    for event in record.events_of(user_id, after_seq=0, limit=EVERYTHING):
        known.add(event.event_id)
        yield "event", event.body()
    for said in _of_lake(home, ids):
        if said.get("event_id") not in known:
            yield "event", said
    for one in ids:
        for served in record.served_to(one, EVERYTHING):
            yield "list", asdict(served)


def _choices(home: Home, record: Record, user_id: str) -> dict[str, Any]:
    said = record.choices.of(user_id)
    return {
        "on": said.is_on,
        "consents": {one.value: said.consents.get(one) for one in Purpose},
        "removed_tags": sorted(said.removed),
        "not_interested": dict(said.refused),
        "age": said.age,
        "guardian": said.has_guardian,
        "erasure": Erasures(home, record).status(user_id),
    }


def _of_lake(home: Home, ids: list[str]) -> Iterator[dict[str, Any]]:
    """What was imported, and what the record brought: in the order of days."""
    manifest = Lake(home.lake).manifest()
    if not manifest.parts:
        return
    theirs = Lake(home.lake).scan(manifest).filter(pl.col("user_id").is_in(ids)).collect()
    for row in theirs.iter_rows(named=True, buffer_size=ROWS_A_READ):
        said = {name: value for name, value in row.items() if value is not None}
        said = {name: value for name, value in said.items() if name not in _OF_US}
        at_ms = said.pop("at_ms", None)
        if "props" in said:
            said["props"] = orjson.loads(said["props"])
        at = None if at_ms is None else moment(at_ms).isoformat()
        yield said | {"type": EventType(said["type"]).word, "at": at}
