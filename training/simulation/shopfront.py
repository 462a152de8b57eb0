"""The shop that simulated people walk into: a home folder, its record and its bundle in use."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from data.home import Home
from data.record import Record
from data.record_rows import served_row
from recsys.bundle import Bundle
from recsys.bundle_files import read
from recsys.catalog import Item
from recsys.errors import ConfigError
from recsys.events import Event, EventType, ServedList, moment
from recsys.histories import History
from recsys.overlay import Overlay
from recsys.pointer import pointed
from recsys.recommend import Request, recommend
from recsys.rules import with_defaults
from recsys.signing import VerifyKey
from training.config import TrainConfig
from training.cycle import collect, train
from training.simulation.market import NOTHING

# Events of one transaction.
BATCH = 20_000
# Of what people did besides buying, lists see so many of the newest acts, and so many of the newest
# impressions, as those of the service do.
ACTS_KEPT, SHOWN_KEPT = 300, 200
BOUGHT = (int(EventType.ORDER), int(EventType.REFUND))


class Asked(NamedTuple):
    """A request for a list."""

    request: Request
    person: int
    at_ms: int


class Shown(NamedTuple):
    """A list as a person sees it.

    Attributes
    ----------
    items
        Ids, the first place first.
    """

    list_id: str
    items: tuple[str, ...]


class Shopfront(Protocol):
    """Where simulated people get lists from and their acts go to."""

    @property
    def is_open(self) -> bool:
        """Whether there are lists to look at."""

    def put_items(self, items: Sequence[Item], at: datetime) -> None:
        """The shop has these from now on."""

    def take(self, events: Sequence[Event], acts: dict[int, History], at: datetime) -> None:
        """People did this; `acts` are the same events, by person in positions of the market."""

    def lists(self, asked: Sequence[Asked]) -> list[Shown]:
        """One list a request."""

    def learn(self, at: datetime) -> None:
        """Learn from all there is so far; later lists use what was learned, if it is used."""

    def close(self) -> None:
        """Let go of it."""


@dataclass(slots=True, eq=False)
class Near:
    """The shop in this process: the pipeline is called, nothing goes over a wire.

    Parameters
    ----------
    item_ids
        The market's, by position.
    config
        How its bundles are learned.

    Attributes
    ----------
    histories
        By person what they did, in positions of the market.
    bundle
        The bundle in use with items as they are now; None before one was learned.
    """

    home: Home
    item_ids: tuple[str, ...]
    config: TrainConfig
    histories: dict[int, History] = field(default_factory=dict)
    bundle: Bundle | None = None
    _record: Record = field(init=False)
    _overlay: Overlay | None = None
    _learned: Bundle | None = None
    _positions: NDArray[np.int32] = field(init=False)
    _n_lists: int = 0

    def __post_init__(self) -> None:
        """Open the record."""
        self._record = Record.of(self.home)
        self._positions = np.full(len(self.item_ids), NOTHING, dtype=np.int32)

    @property
    def is_open(self) -> bool:
        """Whether a bundle is in use."""
        return self.bundle is not None

    def put_items(self, items: Sequence[Item], at: datetime) -> None:
        """The shop has these from now on."""
        self._record.put_items(items, at=at)
        if self._overlay is not None:
            self._look(self._overlay.with_items(items))

    def take(self, events: Sequence[Event], acts: dict[int, History], at: datetime) -> None:
        """Into the record, in transactions, and to what lists see of each person."""
        for start in range(0, len(events), BATCH):
            self._record.append(events[start : start + BATCH], received_at=at)
        for person, history in acts.items():
            before = self.histories.get(person, History.empty())
            self.histories[person] = _newest(before.merged(history))

    def lists(self, asked: Sequence[Asked]) -> list[Shown]:
        """Lists of the bundle in use; empty ones before there is one."""
        served = [self._list(one) for one in asked]
        if self.bundle is not None:
            self._record.write([], [served_row(one) for one in served])
        return [Shown(one.list_id, tuple(item.item_id for item in one.items)) for one in served]

    def learn(self, at: datetime) -> None:
        """Learn, and use what was learned."""
        learned(self.home, self.config, at)
        self.open()

    def open(self) -> None:
        """Use the bundle that the pointer names."""
        public = VerifyKey.load(self.home.keys)
        name = pointed(self.home.bundles, public)
        if name is None:
            raise ConfigError(f"{self.home.root} has no bundle in use; allowed: one learned before")
        held = self._record.rules.held()
        rules = with_defaults(held.rules, held.dropped)
        self._learned = read(self.home.bundles / name, public).ruled(rules)
        version = int(self._learned.origin.get("item_version", 0))
        overlay = Overlay.of(self._learned.catalog)
        self._look(overlay.with_items(self._record.changed_items(version)))

    def close(self) -> None:
        """Let go of the record."""
        self._record.close()

    def history(self, person: int) -> History:
        """What lists see of a person, in positions of the market."""
        return self.histories.get(person, History.empty())

    def placed(self, history: History) -> History:
        """A history of positions of the market in those of the bundle in use."""
        item = self._positions[history.item]
        known = item != NOTHING
        return (
            replace(history, item=item)
            if known.all()
            else replace(history.take(known), item=item[known])
        )

    def _look(self, overlay: Overlay) -> None:
        assert self._learned is not None
        self._overlay = overlay
        self.bundle = self._learned.now_with(overlay)
        found, known = self.bundle.catalog.ids.look_up(list(self.item_ids))
        self._positions = np.where(known, found, NOTHING).astype(np.int32)

    def _list(self, asked: Asked) -> ServedList:
        self._n_lists += 1
        list_id = f"list-{asked.at_ms}-{self._n_lists}"
        at = moment(asked.at_ms)
        if self.bundle is None:
            return _nothing(asked.request, list_id, at)
        history = self.placed(self.history(asked.person))
        return recommend(asked.request, history, self.bundle, at=at, list_id=list_id).served


def learned(home: Home, config: TrainConfig, at: datetime) -> str:
    """One turn of `dapei cycle`; the bundle's id, in use unless the gate refused it.

    Unmeasured: the world knows more than a split by time could say.
    """
    collect(home)
    made = train(home, config, now=at, wants_publish=True, is_evaluated=False)
    return made.release.bundle.bundle_id if made.is_published else ""


def _newest(history: History) -> History:
    """The newest acts and impressions, and every order and refund however old."""
    kept = np.isin(history.type, BOUGHT)
    is_shown = history.type == EventType.IMPRESSION
    kept[np.flatnonzero(~kept & ~is_shown)[-ACTS_KEPT:]] = True
    kept[np.flatnonzero(is_shown)[-SHOWN_KEPT:]] = True
    return history if kept.all() else history.take(kept)


def _nothing(request: Request, list_id: str, at: datetime) -> ServedList:
    return ServedList(
        list_id=list_id,
        user_id=request.user_id,
        scene=request.scene,
        at=at,
        bundle="none",
        pipeline="none",
        personalised=False,
        degraded=("no_bundle",),
        items=(),
    )
