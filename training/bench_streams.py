"""Sets of what people did one after the other: `sv_` watching and `session_` clicks."""

from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from recsys.catalog import Catalog, Kind
from recsys.events import EventType
from recsys.ids import Ints, Mask
from recsys.interactions import Rows
from training.bench_pairs import MOST_ASKED, videos_of, watched_pairs
from training.bench_tables import BrokenSet, coded, matching, read, tables
from training.bench_trial import (
    Log,
    Setting,
    Trial,
    chosen,
    keeping,
    last_of_each,
    log_of,
    plain_catalog,
    some,
    taste_of,
)

# Everything watched and everything liked is known to the person, whatever they thought of it.
MET = frozenset({EventType.PLAY, EventType.LIKE})
SHARE_LATEST = 0.1


def sv(folder: Path) -> list[Trial]:
    """`sv_`: sequences of watched videos, then a log of whose long views are to be found.

    All videos are ranked, those watched or liked before are left out and are no targets. A set
    without a log, with pairs to learn from and pairs to find, is asked like one of pairs.
    """
    if not has_log(folder):
        return watched_pairs(folder)
    users, items, told, later = _streams(folder)
    catalog = videos_of(folder, items)
    setting = Setting(
        name=folder.name,
        catalog=catalog,
        kind=Kind.VIDEO,
        metrics=("Recall@20", "NDCG@20"),
        hides=MET,
    )
    histories = watched(told, catalog).histories(len(users))
    train = taste_of(catalog).rows(histories, as_of_ms=0)
    persons, targets = (later[name].to_numpy() for name in ("person", "item"))
    unseen = _unseen(train, persons, targets)
    return [
        setting.trial(train, persons[unseen], targets[unseen], cut=partial(_cut, setting, train))
    ]


def has_log(folder: Path) -> bool:
    """Whether there is a table of what was shown and what came of it."""
    return any(f"{stem}_".startswith("log_") for stem in tables(folder))


def _streams(folder: Path) -> tuple[pl.Series, pl.Series, pl.DataFrame, pl.DataFrame]:
    """The persons of the histories, the videos, mentions in the histories, and later long views."""
    told = mentions(matching(folder, "history")[0])
    logs = [read(path, "person", "item", "long") for path in matching(folder, "log")]
    later = pl.concat(logs).filter(pl.col("long") > 0)
    # Who has no history cannot be asked what their history leads to.
    later = later.join(told.select("person").unique(), on="person", how="semi")
    videos = [read(path, "item")["item"] for path in matching(folder, "video")]
    users, persons = coded(told["person"], later["person"])
    items, places = coded(told["item"], later["item"], *videos)
    told = told.with_columns(person=pl.Series(persons[0]), item=pl.Series(places[0]))
    later = pl.DataFrame({"person": persons[1], "item": places[1]})
    return users, items, told, later


def mentions(path: Path) -> pl.DataFrame:
    """Each mention of a video in a list of a person: person, item, list, and place in the list.

    Raises
    ------
    BrokenSet
        There is no list of what was watched.
    """
    frame = pl.read_parquet(path)
    person = read(path, "person")["person"]
    lists = {_list_word(name): name for name in frame.columns if frame[name].dtype == pl.List}
    if "watch" not in lists:
        raise BrokenSet(
            f"{path.parent.name}/{path.name} has no list of watched videos, got "
            f"{', '.join(frame.columns)}; allowed: a column of lists like watch_seq"
        )
    parts = [
        pl.DataFrame({"person": person, "item": frame[name]})
        .with_columns(place=pl.int_ranges(pl.col("item").list.len()))
        .explode("item", "place")
        .drop_nulls()
        .with_columns(pl.col("item").cast(pl.Int64), list=pl.lit(word))
        for word, name in lists.items()
    ]
    return pl.concat(parts)


def _list_word(name: str) -> str:
    words = {"long": "long", "like": "like", "watch": "watch", "play": "watch", "view": "watch"}
    return next((word for part, word in words.items() if part in name.lower()), name)


def watched(told: pl.DataFrame, catalog: Catalog) -> Log:
    """Plays in their order, long ones as watched to the end, and likes after their play.

    The lists are cut to their last entries each, so a long view or a like that is not among the
    plays is older than all of those.
    """
    plays = told.filter(list="watch")
    firsts = plays.group_by("person", "item").agg(at=pl.col("place").max())
    others = told.filter(pl.col("list") != "watch").join(firsts, on=["person", "item"], how="left")
    long = others.filter(list="long")
    older = long.filter(pl.col("at").is_null()).with_columns(at=pl.col("place") - 1_000_000.0)
    likes = others.filter(list="like").with_columns(
        at=pl.coalesce(pl.col("at") + 0.5, pl.col("place") - 500_000.0)
    )
    is_long = plays.join(long.select("person", "item").unique(), on=["person", "item"], how="semi")
    plain = plays.join(is_long, on=["person", "item"], how="anti")
    parts = [
        (plain, "place", EventType.PLAY, False),
        (is_long, "place", EventType.PLAY, True),
        (older, "at", EventType.PLAY, True),
        (likes, "at", EventType.LIKE, False),
    ]
    acts = pl.concat(
        frame.select(
            "person",
            "item",
            at=pl.col(at).cast(pl.Float64),
            type=pl.lit(int(act)),
            is_long=pl.lit(long_one),
        )
        for frame, at, act, long_one in parts
    ).sort("person", "at", maintain_order=True)
    persons, items = acts["person"].to_numpy(), acts["item"].to_numpy()
    seconds = np.where(acts["is_long"].to_numpy(), _length(catalog)[items], np.nan)
    return Log.of(persons, items, acts["type"].to_numpy(), value=seconds)


def _length(catalog: Catalog) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    usual = 30.0
    return np.nan_to_num(catalog.duration_s, nan=usual)


def _unseen(train: Rows, persons: Ints, items: Ints) -> Mask:
    log = log_of(train)
    width = train.n_items
    met = log.persons * width + log.events.item
    return ~np.isin(persons * width + items, met)


def _cut(setting: Setting, train: Rows, seed: int) -> Trial:
    """The last tenth of the plays of each of some persons is taken out; its long ones are found."""
    log = log_of(train)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(log.persons, minlength=len(train)))])
    counts = np.diff(offsets)
    asked = np.isin(log.persons, some(np.flatnonzero(counts > 1), MOST_ASKED, seed))
    place = np.arange(len(log.persons)) - offsets[log.persons]
    later = asked & (place >= np.floor(counts * (1 - SHARE_LATEST))[log.persons])
    rest = keeping(train, ~later)
    is_long = later & (log.events.type == EventType.PLAY) & ~np.isnan(log.events.value)
    persons, items = log.persons[is_long], log.events.item[is_long].astype(np.int64)
    unseen = _unseen(rest, persons, items)
    return setting.trial(rest, persons[unseen], items[unseen])


def sessions(folder: Path) -> list[Trial]:
    """`session_`: whole sessions to learn from, beginnings of others to continue by one item.

    Nothing is left out of the ranking: people click again what they clicked.
    """
    train = _listed(matching(folder, "train")[0])
    path = matching(folder, "test")[0]
    begun, targets = _begun(path)
    ids, (heard, asked, wanted) = coded(train["items"], begun["items"], targets)
    catalog = plain_catalog(len(ids), Kind.PRODUCT)
    setting = Setting(
        name=folder.name, catalog=catalog, kind=Kind.PRODUCT, metrics=("Recall@20", "MRR@20")
    )
    rows = _clicked(catalog, train["session"].to_numpy(), heard)
    known = _clicked(catalog, begun["session"].to_numpy(), asked, n_sessions=len(targets))
    persons = np.arange(len(targets), dtype=np.int64)
    cut = partial(_cut_sessions, setting, rows)
    return [setting.trial(rows, persons, wanted, known=known, cut=cut)]


def _clicked(catalog: Catalog, persons: Ints, items: Ints, *, n_sessions: int = 0) -> Rows:
    n_sessions = n_sessions or 1 + int(persons.max(initial=-1))
    log = Log.of(persons.astype(np.int64), items, EventType.VIEW)
    return taste_of(catalog).rows(log.histories(n_sessions), as_of_ms=0)


def _listed(path: Path) -> pl.DataFrame:
    """Clicks in order: number of the session, item; from lists or from one row a click."""
    columns = pl.read_parquet_schema(path) if path.suffix == ".parquet" else {}
    if any(dtype == pl.List for dtype in columns.values()):
        frame = read(path, "items").with_row_index("session")
        return frame.explode("items").drop_nulls().cast(pl.Int64)
    frame = read(path, "session", "item", maybe=("at",))
    frame = frame.sort("at", maintain_order=True) if "at" in frame.columns else frame
    _, (numbers,) = coded(frame["session"])
    frame = pl.DataFrame({"session": numbers, "items": frame["item"]})
    return frame.sort("session", maintain_order=True)


def _begun(path: Path) -> tuple[pl.DataFrame, pl.Series]:
    """The clicks of the beginnings, numbered through, and the item that follows each."""
    if "prefix" in (pl.read_parquet_schema(path) if path.suffix == ".parquet" else {}):
        frame = read(path, "prefix", "target").with_row_index("session")
        clicks = frame.select("session", items="prefix").explode("items").drop_nulls()
        return clicks.cast(pl.Int64), frame["target"]
    clicks = _listed(path)
    is_last = last_of_each(clicks["session"].to_numpy())
    return clicks.filter(~is_last), clicks.filter(is_last)["items"]


def _cut_sessions(setting: Setting, train: Rows, seed: int) -> Trial:
    """The last tenth of the sessions is taken out; each of some is begun up to a random click."""
    log = log_of(train)
    offsets = train.acts.histories.offsets if train.acts is not None else np.zeros(1, np.int64)
    lengths = np.diff(offsets)
    late = np.arange(len(train)) >= int(len(train) * (1 - SHARE_LATEST))
    asked = some(np.flatnonzero(late & (lengths > 1)), MOST_ASKED, seed)
    ends = np.random.default_rng(seed).integers(1, lengths[asked])
    targets = log.events.item[offsets[asked] + ends].astype(np.int64)
    begun = chosen(train, asked)
    steps = np.arange(int(lengths[asked].sum())) - np.repeat(
        np.cumsum(lengths[asked]) - lengths[asked], lengths[asked]
    )
    known = keeping(begun, steps < np.repeat(ends, lengths[asked]))
    rest = keeping(train, ~late[log.persons])
    return setting.trial(rest, np.arange(len(asked)), targets, known=known)
