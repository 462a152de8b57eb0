"""Sets of pairs, one half to learn from and one to find: `cf_`, `mb_` and `sv_` without a log."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from recsys.catalog import Catalog, Item, Kind
from recsys.events import EventType
from recsys.ids import Ints, Mask
from recsys.interactions import Rows
from training.bench_tables import BrokenSet, coded, matching, read, tables
from training.bench_trial import (
    Log,
    Setting,
    Trial,
    discovering,
    keeping,
    last_of_each,
    log_of,
    plain_catalog,
    some,
    taste_of,
)

# So many persons at most are asked in a validation, and everybody loses this share of their items,
# as in the sets' own halves: were nearly all left to learn from, models of what few people share
# would look better than they are there.
MOST_ASKED, SHARE_HIDDEN = 5_000, 0.2
METRICS = ("Recall@20", "NDCG@20")
LONGEST_USUAL_S = 1_200

# Behaviours from the shallowest to the deepest, by the words file names use.
BEHAVIOURS: dict[str, EventType] = {
    "impression": EventType.IMPRESSION,
    "view": EventType.VIEW,
    "click": EventType.VIEW,
    "pv": EventType.VIEW,
    "play": EventType.PLAY,
    "like": EventType.LIKE,
    "fav": EventType.FAVOURITE,
    "favor": EventType.FAVOURITE,
    "favorite": EventType.FAVOURITE,
    "favourite": EventType.FAVOURITE,
    "collect": EventType.FAVOURITE,
    "cart": EventType.CART,
    "buy": EventType.ORDER,
    "order": EventType.ORDER,
    "purchase": EventType.ORDER,
}
DEPTHS = list(dict.fromkeys(BEHAVIOURS.values()))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """Positions of persons and of items, both of shape (n,)."""

    persons: Ints
    items: Ints

    def within(self, persons: Ints, items: Ints) -> Mask:
        """Which of some other pairs are among these."""
        width = 1 + int(max(self.items.max(initial=0), items.max(initial=0)))
        return np.isin(persons * width + items, self.persons * width + self.items)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """The tables of a set with its persons and items numbered through.

    Attributes
    ----------
    item_ids
        The set's own ids by position.
    parts
        By the name of the table.
    """

    n_persons: int
    item_ids: pl.Series
    parts: dict[str, Pairs]

    @property
    def n_items(self) -> int:
        """How many items any table names."""
        return len(self.item_ids)


def split_of(paths: dict[str, Path]) -> Split:
    """Tables of pairs, by the names they shall have, read together."""
    frames = {name: read(path, "person", "item") for name, path in paths.items()}
    users, persons = coded(*(frame["person"] for frame in frames.values()))
    items, places = coded(*(frame["item"] for frame in frames.values()))
    parts = {
        name: Pairs(persons=who, items=what)
        for name, who, what in zip(frames, persons, places, strict=True)
    }
    return Split(n_persons=len(users), item_ids=items, parts=parts)


def cf(folder: Path) -> list[Trial]:
    """`cf_`: pairs of one behaviour; every item is ranked, those of train are left out."""
    split = split_of(_halves(folder))
    catalog = plain_catalog(split.n_items, Kind.PRODUCT)
    return [_of_halves(folder.name, split, catalog, EventType.VIEW)]


def watched_pairs(folder: Path) -> list[Trial]:
    """`sv_` without a log: pairs of who liked which video, with what is known of the videos."""
    split = split_of(_halves(folder))
    return [_of_halves(folder.name, split, videos_of(folder, split.item_ids), EventType.PLAY)]


def _halves(folder: Path) -> dict[str, Path]:
    """The tables to learn from, to find, and to tune on if there is one."""
    found = {name: matching(folder, name)[0] for name in ("train", "test")}
    tuned = [path for stem, path in tables(folder).items() if re.search(r"(^|_)valid", stem)]
    return found | ({"valid": tuned[0]} if tuned else {})


def _of_halves(name: str, split: Split, catalog: Catalog, act: EventType) -> Trial:
    setting = Setting(
        name=name,
        catalog=catalog,
        kind=Kind.VIDEO if act is EventType.PLAY else Kind.PRODUCT,
        metrics=METRICS,
        hides=frozenset({act}),
    )
    pairs, test = split.parts["train"], split.parts["test"]
    # A play of which nothing is said counts half, so 2 makes a pair of either act weigh 1.
    taste = taste_of(catalog, {act: 2.0 if act is EventType.PLAY else 1.0})
    log = Log.of(pairs.persons, pairs.items, act)
    train = taste.rows(log.histories(split.n_persons), as_of_ms=0)
    cut = cut_of(setting, train, split.parts.get("valid"), act, a_fifth)
    return setting.trial(train, test.persons, test.items, cut=cut)


def cut_of(
    setting: Setting,
    train: Rows,
    valid: Pairs | None,
    act: EventType,
    hidden_by: Callable[[Ints, int], Mask],
) -> Callable[[int], Trial]:
    """A validation made of train: of the set's own pairs for it, else of some acts of one type.

    Parameters
    ----------
    valid
        The set's own; those of them that train holds, too, are taken out of it.
    hidden_by
        From the persons of the acts that may be hidden, ascending, and a seed: which are.
    """

    def cut(seed: int) -> Trial:
        log = log_of(train)
        mine = np.flatnonzero(log.events.type == act)
        persons, items = log.persons[mine], log.events.item[mine].astype(np.int64)
        hidden = hidden_by(persons, seed) if valid is None else valid.within(persons, items)
        kept = np.ones(len(log.persons), dtype=np.bool_)
        kept[mine[hidden]] = False
        asked = valid or _some_asked(Pairs(persons=persons[hidden], items=items[hidden]), seed)
        return setting.trial(keeping(train, kept), asked.persons, asked.items)

    return cut


def _some_asked(hidden: Pairs, seed: int) -> Pairs:
    """The pairs of so many persons as may be asked."""
    asked = np.isin(hidden.persons, some(np.unique(hidden.persons), MOST_ASKED, seed))
    return Pairs(persons=hidden.persons[asked], items=hidden.items[asked])


def a_fifth(persons: Ints, seed: int) -> Mask:
    """A random fifth, one at the least, of the acts of each person with two or more."""
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(persons)), persons))
    _, starts, counts = np.unique(persons, return_index=True, return_counts=True)
    place = np.arange(len(persons)) - np.repeat(starts, counts)
    wanted = np.repeat(np.where(counts > 1, np.ceil(SHARE_HIDDEN * counts), 0), counts)
    hidden = np.zeros(len(persons), dtype=np.bool_)
    hidden[order] = place < wanted
    return hidden


def the_last(persons: Ints, _seed: int) -> Mask:
    """The last act of each person who has two or more."""
    _, counts = np.unique(persons, return_counts=True)
    return last_of_each(persons) & np.repeat(counts > 1, counts)


def mb(folder: Path) -> list[Trial]:
    """`mb_`: one act of the deepest behaviour is held out of each person; bought items are hidden.

    Of persons whose held-out item is in none of their other behaviours the figures are given apart,
    once in the same lists and once in lists of nothing that they met before.
    """
    words = _behaviours(folder)
    target = next(word for word in words if f"test_{word}" in tables(folder))
    names = {"test": f"test_{target}", **{word: f"train_{word}" for word in words}}
    tuned = [stem for stem in tables(folder) if re.match(rf"valid(ation)?_{target}(_|$)", stem)]
    names |= {"valid": tuned[0]} if tuned else {}
    split = split_of({name: tables(folder)[stem] for name, stem in names.items()})
    act, catalog = BEHAVIOURS[target], plain_catalog(split.n_items, Kind.PRODUCT)
    setting = Setting(
        name=folder.name,
        catalog=catalog,
        kind=Kind.PRODUCT,
        metrics=("HR@10", "NDCG@10"),
        hides=frozenset({act}),
        parts_new=True,
    )
    train = _acted(split, words).histories(split.n_persons)
    rows = taste_of(catalog).rows(train, as_of_ms=0)
    test = split.parts["test"]
    cut = cut_of(setting, rows, split.parts.get("valid"), act, the_last)
    trial = setting.trial(rows, test.persons, test.items, cut=cut)
    return [trial, discovering(trial)]


def has_halves(folder: Path) -> bool:
    """Whether some behaviour has a table to learn from and one to find."""
    stems = tables(folder)
    return any(stem.replace("train_", "test_", 1) in stems for stem in stems if "train_" in stem)


def _behaviours(folder: Path) -> list[str]:
    """The words of the behaviours there are, the deepest first; one of them has a test."""
    stems = tables(folder)
    words = [stem.removeprefix("train_") for stem in stems if stem.startswith("train_")]
    unknown = [word for word in words if word not in BEHAVIOURS]
    if unknown:
        raise BrokenSet(
            f"{folder.name} has a behaviour nobody knows, got train_{unknown[0]}; "
            f"allowed: {', '.join(BEHAVIOURS)}"
        )
    return sorted(words, key=lambda word: -DEPTHS.index(BEHAVIOURS[word]))


def _acted(split: Split, words: list[str]) -> Log:
    """All behaviours, the shallowest first: the sets do not say when, a shop's funnel does."""
    parts = [(split.parts[word], BEHAVIOURS[word]) for word in reversed(words)]
    return Log.of(
        np.concatenate([pairs.persons for pairs, _ in parts]),
        np.concatenate([pairs.items for pairs, _ in parts]),
        np.concatenate([np.full(len(pairs.items), act) for pairs, act in parts]),
    )


def videos_of(folder: Path, item_ids: pl.Series) -> Catalog:
    """The videos of some ids, with lengths, tags and creators where a table `videos` has them."""
    about: dict[object, tuple[tuple[str, ...], str | None, float | None]] = {}
    for path in (path for stem, path in tables(folder).items() if stem.startswith("videos")):
        frame = read(path, "item", maybe=("tags", "creator", "duration"))
        about |= dict(zip(frame["item"], _known(frame), strict=True))
    items = []
    for number, item_id in enumerate(item_ids):
        tags, creator, seconds = about.get(item_id, ((), None, None))
        items.append(
            Item(
                item_id=f"video-{number}",
                kind=Kind.VIDEO,
                tags=tags,
                creator_id=creator,
                duration_s=seconds,
            )
        )
    return Catalog.of(items)


def _known(frame: pl.DataFrame) -> list[tuple[tuple[str, ...], str | None, float | None]]:
    empty = pl.Series([None] * len(frame))
    tags = frame["tags"] if "tags" in frame.columns else empty
    if tags.dtype == pl.String:
        tags = tags.str.split(",")
    creators = frame["creator"] if "creator" in frame.columns else empty
    seconds = frame["duration"].cast(pl.Float64) if "duration" in frame.columns else empty
    # No video of a feed is twenty minutes long on average, so larger numbers are milliseconds.
    if seconds.dtype == pl.Float64 and np.nanmedian(seconds.to_numpy()) > LONGEST_USUAL_S:
        seconds = seconds / 1_000
    return [
        (
            tuple(tag.strip()[:64] for tag in mine or () if tag and tag.strip())[:64],
            None if creator is None else str(creator),
            None if length is None or length != length else float(length),
        )
        for mine, creator, length in zip(tags.to_list(), creators, seconds, strict=True)
    ]
