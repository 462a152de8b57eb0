"""Sets of purchases: `nbr_` baskets in order, and `retail_` invoices with times."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from recsys.catalog import Catalog, Idxs, Item, Kind
from recsys.events import EventType
from recsys.histories import Histories
from recsys.ids import Ints
from recsys.interactions import Rows
from training.bench_pairs import Pairs
from training.bench_tables import (
    BrokenSet,
    NothingToAsk,
    coded,
    millis_of,
    read,
    tables,
    with_columns,
)
from training.bench_trial import (
    Log,
    Setting,
    Trial,
    grouped,
    keeping,
    last_of_each,
    log_of,
    plain_catalog,
    taste_of,
)

# The last fifth of the time is what an invoice set is asked about.
SHARE_LEARNED = 0.8
OWN_K = 10


def nbr(folder: Path) -> list[Trial]:
    """`nbr_`: baskets in order; the last one of each person is to be found, nothing is left out."""
    found = with_columns(folder, "person", "item", "basket")
    if not found:
        raise BrokenSet(
            f"{folder.name} has no baskets, got {', '.join(tables(folder)) or 'no table'}; "
            "allowed: a table with columns for person, basket and item"
        )
    frame = read(found[0], "person", "item", "basket", maybe=("is_future",))
    frame = frame.sort("person", "basket", maintain_order=True)
    _, (persons,) = coded(frame["person"])
    ids, (items,) = coded(frame["item"])
    baskets = frame.select(pl.struct("person", "basket").rle_id()).to_series().to_numpy()
    is_last = _last_baskets(persons, baskets)
    future = frame["is_future"].cast(pl.Boolean) if "is_future" in frame.columns else None
    is_future = is_last if future is None else future.to_numpy()
    catalog = plain_catalog(len(ids), Kind.PRODUCT)
    setting = Setting(
        name=folder.name,
        catalog=catalog,
        kind=Kind.PRODUCT,
        metrics=("Recall@10", "NDCG@10", "PHR@10"),
    )
    past = ~is_future
    log = Log.of(persons[past], items[past], EventType.ORDER, order=baskets[past] + 1)
    train = taste_of(catalog).rows(log.histories(1 + int(persons.max(initial=-1))), as_of_ms=0)
    cut = partial(_cut_basket, setting, train)
    return [setting.trial(train, persons[is_future], items[is_future], cut=cut)]


def _last_baskets(persons: Ints, baskets: Ints) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Which rows are of each person's last basket; both in ascending order."""
    return np.isin(baskets, baskets[last_of_each(persons)])


def _cut_basket(setting: Setting, train: Rows, _seed: int) -> Trial:
    """The last known basket of each person with two or more is to be found."""
    log = log_of(train)
    orders = log.events.order
    is_last = _last_baskets(log.persons, orders)
    has_more = np.isin(log.persons, log.persons[~is_last])
    held = is_last & has_more
    return setting.trial(keeping(train, ~held), log.persons[held], log.events.item[held])


def retail(folder: Path) -> list[Trial]:
    """`retail_`: invoices with times; the last fifth of the time is what is asked about.

    Two questions: the first basket after that moment, every item ranked and nothing left out; and
    which of the items bought before are bought again, only those ranked, of persons who have more
    of them than a list holds.
    """
    frames = [
        read(path, "person", "item", "at", "basket", maybe=("quantity", "title"))
        for path in _with_items(folder)
    ]
    frame = pl.concat(frames, how="diagonal_relaxed").unique(maintain_order=True)
    _, (persons,) = coded(frame["person"])
    ids, (items,) = coded(frame["item"])
    catalog = _named(ids, frame)
    log = _invoices(frame, persons, items)
    at_ms = log.events.at_ms
    cut_ms = _moment(int(at_ms.min()), int(at_ms.max()))
    histories = log.histories(1 + int(persons.max()))
    return _questions(folder.name, catalog, histories, int(at_ms.min()), cut_ms)


def _with_items(folder: Path) -> list[Path]:
    """The tables that say what was bought.

    Raises
    ------
    NothingToAsk
        None does.
    """
    found = with_columns(folder, "item")
    if not found:
        there = ", ".join(tables(folder)) or "any table"
        raise NothingToAsk(
            f"{folder.name} has no items in {there}: what will be bought cannot be asked there"
        )
    return found


def _named(ids: pl.Series, frame: pl.DataFrame) -> Catalog:
    titles: dict[object, str] = {}
    if "title" in frame.columns:
        named = frame.drop_nulls("title").unique("item", keep="first", maintain_order=True)
        titles = dict(zip(named["item"], named["title"].cast(pl.String), strict=True))
    return Catalog.of(
        [
            Item(item_id=f"product-{place}", kind=Kind.PRODUCT, title=titles.get(one, "")[:300])
            for place, one in enumerate(ids)
        ]
    )


def _invoices(frame: pl.DataFrame, persons: Ints, items: Ints) -> Log:
    """Orders with their pieces, and what was given back as refunds."""
    _, (baskets,) = coded(frame["basket"])
    has_pieces = "quantity" in frame.columns
    pieces = frame["quantity"].to_numpy().astype(np.float64) if has_pieces else np.ones(len(frame))
    is_back = pieces < 0
    return Log.of(
        persons,
        items,
        np.where(is_back, EventType.REFUND, EventType.ORDER),
        value=np.abs(pieces),
        # A refund has its own invoice number and so names no order.
        order=np.where(is_back, 0, baskets + 1),
        at_ms=millis_of(frame["at"]),
    )


def _moment(first_ms: int, last_ms: int) -> int:
    return first_ms + int(SHARE_LEARNED * (last_ms - first_ms))


def _questions(
    name: str, catalog: Catalog, histories: Histories, first_ms: int, cut_ms: int
) -> list[Trial]:
    """The next basket and what is bought again, as of a moment; each with its own validation."""
    events = histories.events
    train = taste_of(catalog).rows(histories.keeping(events.at_ms < cut_ms), as_of_ms=cut_ms)
    is_later = (events.at_ms >= cut_ms) & (events.type == EventType.ORDER)
    later = histories.keeping(is_later)
    past = log_of(train)
    is_known = np.isin(later.persons(), past.persons[past.events.type == EventType.ORDER])
    later = later.keeping(is_known)

    def cut(place: int, _seed: int) -> Trial:
        before = histories.keeping(events.at_ms < cut_ms)
        return _questions(name, catalog, before, first_ms, _moment(first_ms, cut_ms))[place]

    made = [_next_basket(name, catalog, train, later), _again(name, catalog, train, later)]
    return [replace(trial, cut=partial(cut, place)) for place, trial in enumerate(made)]


def _next_basket(name: str, catalog: Catalog, train: Rows, later: Histories) -> Trial:
    """Each person's first basket after the moment."""
    persons, orders = later.persons(), later.events.order
    firsts = orders[later.offsets[persons]]
    is_first = orders == firsts
    setting = Setting(
        name=name, catalog=catalog, kind=Kind.PRODUCT, metrics=("Recall@10", "NDCG@10")
    )
    return setting.trial(train, persons[is_first], later.events.item[is_first])


def _again(name: str, catalog: Catalog, train: Rows, later: Histories) -> Trial:
    """Which of the items bought before are bought again; only these are ranked."""
    past = log_of(train)
    is_bought = past.events.type == EventType.ORDER
    who, own = grouped(past.persons[is_bought], past.events.item[is_bought])
    shelf: dict[int, Idxs] = {
        int(person): items for person, items in zip(who, own, strict=True) if len(items) > OWN_K
    }
    persons, items = later.persons(), later.events.item
    bought = Pairs(persons=past.persons[is_bought], items=past.events.item[is_bought])
    is_again = bought.within(persons, items.astype(np.int64)) & np.isin(persons, list(shelf))
    setting = Setting(
        name=name,
        part="bought again",
        catalog=catalog,
        kind=Kind.PRODUCT,
        metrics=(f"Recall@{OWN_K}",),
    )
    asked = np.unique(persons[is_again])
    among = [shelf[int(person)] for person in asked]
    return setting.trial(train, persons[is_again], items[is_again], among=among)
