"""A small world with known tastes, for every test that needs a catalogue or a bundle."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar, Self

import numpy as np

from recsys.bundle import Bundle
from recsys.catalog import Catalog, Idxs, Item, Kind
from recsys.events import Event, EventType
from recsys.histories import History
from recsys.interactions import Row, Rows, Taste, Weighting
from recsys.models.base import Because, Ranking, Scores
from recsys.pipeline import Pipeline, Source
from recsys.watching import WatchCurve

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)


def item(number: int, kind: Kind = Kind.PRODUCT, **more) -> Item:
    """Item `item-1000 + number`."""
    return Item(item_id=f"item-{1000 + number}", kind=kind, title=f"标题{number}", **more)


def event(item_id: str, type: EventType = EventType.VIEW, **more) -> Event:
    """An event of person user-5001 at NOW unless said otherwise."""
    said = {"event_id": f"event-{item_id}-{type.word}", "user_id": "user-5001", "at": NOW} | more
    return Event(item_id=item_id, type=type, **said)


@dataclass(kw_only=True)
class Fixed:
    """A model that always gives the same items, of those wanted."""

    items: tuple[int, ...]
    catalog_: Catalog = field(init=False, repr=False)
    is_personal: ClassVar[bool] = True

    def fit(self, _interactions: Rows, catalog: Catalog) -> Self:
        self.catalog_ = catalog
        return self

    def score(self, rows: Rows) -> Scores:
        return np.full((len(rows), rows.n_items), np.nan, dtype=np.float32)

    def candidates(self, row: Row, k: int, within: Kind | None) -> Ranking:
        if self.is_personal and len(row) == 0:
            return Ranking.none()
        kind = self.catalog_.kind
        items = [i for i in self.items if within is None or kind[i] == within][:k]
        return Ranking(
            np.array(items, dtype=np.int32), np.arange(len(items), 0, -1, dtype=np.float32)
        )

    def score_of(self, row: Row, items: Idxs) -> Scores:
        ranking = self.candidates(row, len(self.items), None)
        found = dict(zip(ranking.items.tolist(), ranking.scores.tolist(), strict=True))
        return np.array([found.get(i, np.nan) for i in items.tolist()], dtype=np.float32)

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        return [Because(item_idx=int(row.items[0])) if len(row) else None for _ in items]


@dataclass(kw_only=True)
class FixedForAll(Fixed):
    """The same for everybody."""

    is_personal: ClassVar[bool] = False


@dataclass(kw_only=True)
class Broken(Fixed):
    """A source that fails."""

    def candidates(self, row: Row, k: int, within: Kind | None) -> Ranking:
        raise RuntimeError("broken on purpose")


STAGES_ALL = ("on_sale", "excluded", "bought", "seen", "same_need")


def taste_of(catalog: Catalog) -> Taste:
    """The usual weights, and a watch curve that learned nothing."""
    return Taste(weighting=Weighting(watch=WatchCurve.prior()), video_s=catalog.duration_s)


def bundle_of(catalog: Catalog, models: dict, sources: tuple[Source, ...] | None = None) -> Bundle:
    """A bundle in which every model is a source of both scenes, asked with the scene's row."""
    for model in models.values():
        model.fit(Rows.of([], len(catalog)), catalog)
    taste = taste_of(catalog)
    rows = {"home": "history", "post_checkout": "basket"}
    pipelines = {
        scene: Pipeline(
            name=f"{scene}-test",
            sources=sources or tuple(Source(name=n, model=n, of=of) for n in models),
            stages=STAGES_ALL,
        )
        for scene, of in rows.items()
    }
    return Bundle(
        bundle_id="bundle-1",
        catalog=catalog,
        models=models,
        taste=taste,
        pipelines=pipelines,
        figures={},
        data_until_ms=0,
    )


def history_of(catalog: Catalog, *events: Event) -> History:
    """These events as a history."""
    return History.of([(catalog.ids.find(e.item_id), e) for e in events])
