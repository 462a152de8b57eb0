"""Sets of dated acts of several behaviours, `mb_` in one table: what each person bought last."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.catalog import Kind
from recsys.events import EventType
from recsys.interactions import DAY_MS, Rows
from training.bench_pairs import BEHAVIOURS
from training.bench_tables import BrokenSet, coded, millis_of, read, said, tables
from training.bench_trial import (
    Log,
    Setting,
    Trial,
    keeping,
    last_of_each,
    log_of,
    plain_catalog,
    taste_of,
)


def acts(folder: Path) -> list[Trial]:
    """Each person's last purchase is held out, with all they did from that day on.

    What they bought before is not ranked, and of persons who had nothing to do with the item before
    the figures are given apart.
    """
    if "events" not in tables(folder):
        raise BrokenSet(
            f"{folder.name} has no train_X with a test_X and no events, got "
            f"{', '.join(tables(folder)) or 'no table'}; allowed: either"
        )
    frame = read(tables(folder)["events"], "person", "item", "behaviour", "at")
    _, (persons,) = coded(frame["person"])
    ids, (items,) = coded(frame["item"])
    catalog = plain_catalog(len(ids), Kind.PRODUCT)
    at_ms = millis_of(frame["at"])
    log = Log.of(persons, items, _types(frame["behaviour"], folder), at_ms=at_ms)
    until_ms = int(at_ms.max(initial=0))
    rows = taste_of(catalog).rows(log.histories(1 + int(persons.max(initial=-1))), until_ms)
    setting = Setting(
        name=folder.name,
        catalog=catalog,
        kind=Kind.PRODUCT,
        metrics=("HR@10", "NDCG@10"),
        hides=frozenset({EventType.ORDER}),
        parts_new=True,
    )
    trial = _last_bought(setting, rows)
    return [_last_bought(setting, rows, cut=partial(_cut, setting, trial.train))]


def _cut(setting: Setting, train: Rows, _seed: int) -> Trial:
    return _last_bought(setting, train)


def _last_bought(setting: Setting, rows: Rows, **more: Any) -> Trial:
    """Whether everybody's last new purchase is found from what they did before its day."""
    log = log_of(rows)
    bought = np.flatnonzero(log.events.type == EventType.ORDER)
    last = bought[last_of_each(log.persons[bought])]
    from_ms = np.full(len(rows), np.iinfo(np.int64).max)
    from_ms[log.persons[last]] = log.events.at_ms[last] // DAY_MS * DAY_MS
    rest = keeping(rows, log.events.at_ms < from_ms[log.persons])
    # A second purchase of the same item cannot be found: what was bought is not ranked.
    earlier = log_of(rest)
    had = earlier.persons * rest.n_items + earlier.events.item
    had = had[earlier.events.type == EventType.ORDER]
    new = ~np.isin(log.persons[last] * rest.n_items + log.events.item[last], had)
    return setting.trial(rest, log.persons[last][new], log.events.item[last][new], **more)


def _types(words: pl.Series, folder: Path) -> NDArray[np.int8]:
    """Event types of words, or of numbers that the ABOUT.md names, like '1 click, 2 collect'."""
    distinct = words.unique().sort().cast(pl.String)
    text = said(folder)
    numbered = {
        number: word
        for number, word in re.findall(r"\b(\d{1,2})\s*[:=]?\s+([a-z]+)\b", text.lower())
        if word in BEHAVIOURS
    }
    known = {one: BEHAVIOURS.get(numbered.get(one, one).lower()) for one in distinct}
    unknown = [one for one, act in known.items() if act is None]
    if unknown:
        raise BrokenSet(
            f"{folder.name} has a behaviour nobody knows, got {unknown[0]}; allowed: "
            f"{', '.join(BEHAVIOURS)}, or numbers that its ABOUT.md names so"
        )
    types = [int(act) for act in known.values() if act is not None]
    places = distinct.search_sorted(words.cast(pl.String))
    return np.take(np.array(types, dtype=np.int8), np.asarray(places))
