"""What is known of a person ↔ the bytes of a copy; never pickle.

Items go by their ids and not by positions, which may differ from worker to worker while new items
come.
"""

from dataclasses import fields, replace

import numpy as np
import orjson

from data.record_controls import controls_body, controls_of
from recsys.controls import FREE, Controls
from recsys.histories import History
from serving.current import Current
from serving.remembered import Known

# Every column but the items, as it lies one behind the other.
_COLUMNS = {
    field.name: getattr(History.empty(), field.name).dtype
    for field in fields(History)
    if field.name != "item"
}


def written_copy(known: Known, current: Current) -> bytes:
    """What another worker needs to know the person as well."""
    history, ids = known.history, current.bundle.catalog.ids
    about = {
        "of": _version(current),
        "upto_seq": known.upto_seq,
        "joins": known.joins,
        "controls": controls_body(known.controls).decode(),
        "is_erased": known.controls.is_erased,
        "items": [ids[item_idx] for item_idx in history.item.tolist()],
    }
    columns = b"".join(getattr(history, name).tobytes() for name in _COLUMNS)
    return orjson.dumps(about) + b"\n" + columns


def read_copy(body: bytes, current: Current, base: Controls = FREE) -> Known | None:
    """What is known of the person; None if the copy is of another bundle or past, or damaged.

    Parameters
    ----------
    base
        What holds for a person who chose nothing.
    """
    head, _, columns = body.partition(b"\n")
    try:
        about = orjson.loads(head)
        if about["of"] != _version(current):
            return None
        history = _history(about["items"], columns, current)
        said = controls_of(about["controls"].encode(), base)
        controls = replace(said, is_erased=about["is_erased"])
        return Known(history, int(about["upto_seq"]), int(about["joins"]), controls=controls)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _history(item_ids: list[str], columns: bytes, current: Current) -> History:
    arrays, at = {}, 0
    for name, dtype in _COLUMNS.items():
        arrays[name] = np.frombuffer(columns, dtype, len(item_ids), at)
        at += arrays[name].nbytes
    if at != len(columns):
        raise ValueError("the columns have other lengths than the items")
    positions, known = current.bundle.catalog.ids.look_up(item_ids)
    return History(item=positions.astype(np.int32), **arrays).take(known)


def _version(current: Current) -> list[object]:
    past = None if current.past is None else [current.past.lake_version, current.past.record_seq]
    return [current.bundle.bundle_id, len(current.bundle.catalog), past, current.shown_limit]
