"""What a home holds, in one item space: the catalogue and everybody's histories."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from data.histories_build import are_fresh, build_histories
from data.histories_file import Past
from data.home import Home
from data.lake import Lake
from data.record import Record
from recsys.catalog import Catalog, Item
from recsys.errors import ConfigError
from recsys.events import EARLIEST_AT, millis
from recsys.histories import UNDATED, Histories, History
from recsys.ids import IdMap, Mask
from recsys.interactions import DAY_MS
from training.exposures import Exposure, exposures
from training.risk import read_risk

# Where no days are named, the last events are held out, this share of the dated ones.
HELD_OUT_SHARE = 0.1
# So many of the lists that were served last are looked at.
MAX_LISTS = 50_000


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Shop:
    """A catalogue, and what its people did; items are positions in the catalogue.

    Attributes
    ----------
    n_left_out
        Events of items that the catalogue does not hold.
    exposures
        What people saw of lists that were served here.
    risk
        Shape (n_persons,). What the shop thinks of each account, 0 to 4; None if it does not say.
    """

    catalog: Catalog
    user_ids: IdMap
    histories: Histories
    n_left_out: int = 0
    exposures: tuple[Exposure, ...] = ()
    risk: NDArray[np.int8] | None = None

    @classmethod
    def of(cls, items: list[Item], past: Past) -> Self:
        """The histories with their items as positions in the catalogue of these items."""
        catalog = Catalog.of(items)
        positions, is_known = catalog.ids.translate(past.item_ids)
        histories = past.histories
        kept = is_known[histories.events.item]
        if not kept.all():
            histories = histories.keeping(kept)
        item = positions[histories.events.item].astype(np.int32)
        return cls(
            catalog=catalog,
            user_ids=past.user_ids,
            histories=Histories(replace(histories.events, item=item), histories.offsets),
            n_left_out=int((~kept).sum()),
        )

    def of_user(self, user_id: str) -> History:
        """One person's events; empty for a stranger."""
        user_idx = self.user_ids.find(user_id)
        return History.empty() if user_idx is None else self.histories.of_person(user_idx)

    def dated_ms(self) -> tuple[int, int] | None:
        """The times of the first and the last event; None where none has a time."""
        at_ms = self.histories.events.at_ms
        dated = at_ms[at_ms != UNDATED]
        return (int(dated.min()), int(dated.max())) if len(dated) else None

    @property
    def until_ms(self) -> int:
        """The time of the last event; where none has one, of the item that came out last."""
        dated = self.dated_ms()
        if dated:
            return dated[1]
        return int(self.catalog.published_ms.max(initial=millis(EARLIEST_AT)))

    def split_ms(self, holdout_days: float | None) -> int:
        """From when on events are held out: the last days, or the last tenth of the events.

        Raises
        ------
        ConfigError
            There is nothing on one side of it.
        """
        at_ms = self.histories.events.at_ms
        dated = at_ms[at_ms != UNDATED]
        if len(dated) == 0:
            raise ConfigError("nothing can be held out by time: no event has a time; use --test")
        if holdout_days is None:
            split_ms = int(np.quantile(dated, 1 - HELD_OUT_SHARE, method="higher"))
        else:
            split_ms = int(dated.max()) - round(holdout_days * DAY_MS) + 1
        if not (at_ms < split_ms).any() or split_ms > dated.max():
            raise ConfigError(
                f"holdout_days leaves nothing to learn from or to test on, got {holdout_days}; "
                f"allowed: less than {(int(dated.max()) - int(dated.min())) / DAY_MS:.1f}"
            )
        return split_ms

    def of_persons(self, chosen: Mask) -> "Shop":
        """The shop as if there were only the chosen persons, one value a person."""
        counts = np.diff(self.histories.offsets)
        events = self.histories.events.take(np.repeat(chosen, counts))
        offsets = np.concatenate([[0], np.cumsum(counts[chosen])]).astype(np.int64)
        ids = self.user_ids.texts.all()
        return replace(
            self,
            user_ids=IdMap.of([ids[place] for place in np.flatnonzero(chosen).tolist()]),
            histories=Histories(events, offsets),
        )

    def before(self, split_ms: int) -> "Shop":
        """The shop as if nothing had happened from a moment on; undated events stay."""
        at_ms = self.histories.events.at_ms
        return replace(
            self,
            histories=self.histories.keeping(at_ms < split_ms),
            exposures=tuple(one for one in self.exposures if one.at_ms < split_ms),
        )

    def since(self, split_ms: int) -> "Shop":
        """Only what happened from a moment on."""
        at_ms = self.histories.events.at_ms
        return replace(
            self,
            histories=self.histories.keeping(at_ms >= split_ms),
            exposures=tuple(one for one in self.exposures if one.at_ms >= split_ms),
        )

    def sampled(self, max_events: int, seed: int) -> "Shop":
        """The shop with the whole histories of any persons, of so many events in all."""
        counts = np.diff(self.histories.offsets)
        if counts.sum() <= max_events:
            return self
        order = np.random.default_rng(seed).permutation(len(counts))
        is_kept = np.zeros(len(counts), dtype=np.bool_)
        is_kept[order[np.cumsum(counts[order]) <= max_events]] = True
        return replace(self, histories=self.histories.keeping(np.repeat(is_kept, counts)))


def load(home: Home) -> Shop:
    """What the lake of a home holds; its histories are built anew if they are older than it.

    Raises
    ------
    ConfigError
        There are no items or no events yet.
    """
    items = Lake(home.lake).read_items()
    past = Past.open(home.histories) if are_fresh(home) else build_histories(home)
    if not items or past is None or len(past.histories.events) == 0:
        raise ConfigError(f"{home.root} holds no items or no events; allowed: `dapei import` first")
    shop = _heard(home, Shop.of(items, past))
    risk = read_risk(home.risk_path, shop.user_ids)
    return replace(shop, exposures=tuple(_seen(home, shop)), risk=risk)


def _heard(home: Home, shop: Shop) -> Shop:
    """The shop without what persons did from whom models may not learn."""
    if not home.has_record:
        return shop
    record = Record.of(home)
    try:
        silent = np.array(record.choices.silent(shop.user_ids.texts.all()), dtype=np.bool_)
    finally:
        record.close()
    return shop.of_persons(~silent) if silent.any() else shop


def _seen(home: Home, shop: Shop) -> list[Exposure]:
    """What people saw of the lists that were served last; none where nothing was ever served."""
    if not home.has_record:
        return []
    record = Record.of(home)
    try:
        lists = record.newest_served(MAX_LISTS)
    finally:
        record.close()
    return exposures(lists, shop.catalog.ids, shop.of_user)
