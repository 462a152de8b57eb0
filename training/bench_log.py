"""What `sv_` sets say of impressions: who was shown what, when, where, and what came of it."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.catalog import Catalog
from recsys.events import EventType
from recsys.histories import Histories, History
from recsys.ids import Ints, Mask
from training.bench_pairs import videos_of
from training.bench_streams import mentions, watched
from training.bench_tables import coded, matching, millis_of, read
from training.bench_trial import Log

Floats = NDArray[np.float64]
OUTCOMES = ("long", "like")
# What an event is made of, in `History`.
_COLUMNS = tuple(column.name for column in fields(History))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shown:
    """Impressions in the order they happened; all of shape (n,).

    Attributes
    ----------
    persons, items
        Positions.
    tab
        Where it was shown; NaN where not known.
    outcomes
        By name whether it came to that.
    """

    persons: Ints
    items: Ints
    at_ms: Ints
    tab: Floats
    outcomes: dict[str, Mask]
    is_clicked: Mask

    def __len__(self) -> int:
        """How many there are."""
        return len(self.items)

    def take(self, chosen: NDArray[Any]) -> "Shown":
        """Some of them."""
        return Shown(
            persons=self.persons[chosen],
            items=self.items[chosen],
            at_ms=self.at_ms[chosen],
            tab=self.tab[chosen],
            outcomes={name: one[chosen] for name, one in self.outcomes.items()},
            is_clicked=self.is_clicked[chosen],
        )

    def log(self, catalog: Catalog) -> Log:
        """The impressions, plays and likes that they were, as events."""
        seconds = np.where(self.outcomes["long"], catalog.duration_s[self.items], np.nan)
        parts = [
            (np.full(len(self), True), EventType.IMPRESSION),
            (self.is_clicked | self.outcomes["long"], EventType.PLAY),
            (self.outcomes["like"], EventType.LIKE),
        ]
        at = np.concatenate([np.flatnonzero(which) for which, _ in parts])
        kind = np.concatenate([np.full(int(which.sum()), int(one)) for which, one in parts])
        return Log.of(
            self.persons[at],
            self.items[at],
            kind,
            at_ms=self.at_ms[at],
            value=np.where(kind == EventType.PLAY, seconds[at], np.nan),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stream:
    """A set: what people did before the log, undated, and what they were then shown."""

    catalog: Catalog
    n_persons: int
    told: Log
    shown: Shown

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The tables of a folder.

        Raises
        ------
        BrokenSet
            A table or a column is missing.
        """
        told = mentions(matching(folder, "history")[0])
        log = pl.concat([_log(path) for path in matching(folder, "log")])
        log = log.sort("at", maintain_order=True)
        videos = [read(path, "item")["item"] for path in matching(folder, "video")]
        users, persons = coded(told["person"], log["person"])
        items, places = coded(told["item"], log["item"], *videos)
        told = told.with_columns(person=pl.Series(persons[0]), item=pl.Series(places[0]))
        catalog = replace(videos_of(folder, items), published_ms=_published(folder, items))
        shown = Shown(
            persons=persons[1],
            items=places[1],
            at_ms=log["at"].to_numpy(),
            tab=log["tab"].to_numpy(),
            outcomes={name: log[name].to_numpy() > 0 for name in OUTCOMES},
            is_clicked=log["click"].to_numpy() > 0,
        )
        return cls(catalog=catalog, n_persons=len(users), told=watched(told, catalog), shown=shown)

    def until(self, first: Shown | None) -> Histories:
        """What everybody had done before the log, and in the part of it that was over."""
        if first is None:
            return self.told.histories(self.n_persons)
        later = first.log(self.catalog)
        both = [[getattr(one.events, name) for one in (self.told, later)] for name in _COLUMNS]
        columns = dict(zip(_COLUMNS, map(np.concatenate, both), strict=True))
        persons = np.concatenate([self.told.persons, later.persons])
        return Log(persons=persons, events=History(**columns)).histories(self.n_persons)


def _published(folder: Path, items: pl.Series) -> Ints:
    """When each video was published, as far as a table of videos says; 0 where not known."""
    known = pl.DataFrame({"item": items})
    for path in matching(folder, "video"):
        about = read(path, "item", maybe=("published",))
        if "published" in about.columns:
            about = about.drop_nulls().unique("item")
            about = about.with_columns(published=pl.Series(millis_of(about["published"])))
            known = known.join(about, on="item", how="left", maintain_order="left")
            return known["published"].fill_null(0).to_numpy()
    return np.zeros(len(items), dtype=np.int64)


def _log(path: Path) -> pl.DataFrame:
    """A log's impressions; outcomes it does not know did not happen."""
    frame = read(path, "person", "item", "at", "long", maybe=("like", "click", "tab"))
    for name, missing in (("like", 0), ("click", 0), ("tab", None)):
        if name not in frame.columns:
            frame = frame.with_columns(pl.lit(missing).alias(name))
    return frame.select(
        "person",
        "item",
        *(pl.col(name).cast(pl.Int64) for name in ("at", "long", "like", "click")),
        pl.col("tab").cast(pl.Float64),
    )
