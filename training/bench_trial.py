"""One question to models: whom to rank what for, and what they then did."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recsys.catalog import Catalog, Idxs, Item, Kind
from recsys.events import EventType
from recsys.histories import UNDATED, Histories, History
from recsys.ids import Ints, Mask
from recsys.interactions import EVENT_WEIGHTS, Acts, Rows, Taste, Weighting
from recsys.links import spans
from recsys.watching import WatchCurve

NEW = "new to the person"
# What follows the name of a metric where nothing is ranked that the person met before.
DISCOVERY = "among what is new"
# What follows the name of a part whose people are asked in folds.
FOLDED = "cv"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """One question: train on these rows, rank for those people, compare with what they did.

    Parameters
    ----------
    name
        The set's.
    part
        What sets this question apart from others of the set; it follows the metric's name.
    train, known
        What is learned from, and one row a person to rank for; both know the acts.
    excluded, targets
        Shape (n asked,): items that are not ranked, and the distinct items to find.
    kind
        What is ranked.
    metrics
        Names with their length of list, like Recall@20; the first is the one to choose by.
    is_per_pair
        Whether each target weighs alike instead of each person.
    among
        The items that are ranked for each person, where that is not the whole catalogue.
    groups
        By name, shape (n asked,): some of the people, whose figures are given apart as well.
    cut
        From a seed to the same kind of question made of `train` alone.
    folds
        From a seed to further questions that are answered together, as one estimate.
    """

    name: str
    part: str = ""
    catalog: Catalog
    train: Rows
    known: Rows
    excluded: list[Idxs]
    targets: list[Idxs]
    kind: Kind
    metrics: tuple[str, ...]
    is_per_pair: bool = False
    among: list[Idxs] | None = None
    groups: Mapping[str, Mask] = field(default_factory=dict)
    cut: Callable[[int], "Trial"] | None = None
    folds: Callable[[int], Iterator["Trial"]] | None = None

    @property
    def k(self) -> int:
        """The longest list that the metrics need."""
        return max(int(metric.partition("@")[2]) for metric in self.metrics)

    def validation(self, seed: int) -> "Trial":
        """The same kind of question, made of what there is to learn from; it has none itself."""
        if self.cut is None:
            raise ValueError(f"{self.name} {self.part} is itself cut from a trial; ask that one")
        return self.cut(seed)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setting:
    """What the questions of one set share.

    Parameters
    ----------
    hides
        A person's items of these event types are not ranked for them.
    parts_new
        Whether people whose targets they had nothing to do with are given apart as well.
    """

    name: str
    part: str = ""
    catalog: Catalog
    kind: Kind
    metrics: tuple[str, ...]
    hides: frozenset[EventType] = frozenset()
    is_per_pair: bool = False
    parts_new: bool = False

    def trial(
        self,
        train: Rows,
        persons: Ints,
        items: NDArray[Any],
        *,
        known: Rows | None = None,
        **more: Any,
    ) -> Trial:
        """The question whether each person, a row of `known` or `train`, gets their item."""
        who, targets = grouped(persons, items)
        asked = chosen(train if known is None else known, who)
        met = [np.isin(own, _items(asked, place)) for place, own in enumerate(targets)]
        is_new = np.array([not one.any() for one in met], dtype=np.bool_)
        return Trial(
            name=self.name,
            part=self.part,
            catalog=self.catalog,
            train=train,
            known=asked,
            excluded=_hidden(asked, self.hides),
            targets=targets,
            kind=self.kind,
            metrics=self.metrics,
            is_per_pair=self.is_per_pair,
            groups={NEW: is_new} if self.parts_new else {},
            **more,
        )


def discovering(trial: Trial) -> Trial:
    """The question to those whose targets are new to them, with nothing ranked that they met.

    Where an item they met takes most first places, what a model knows of new ones is hidden.
    """
    places, cut = np.flatnonzero(trial.groups[NEW]), trial.cut
    known = chosen(trial.known, places)
    return replace(
        trial,
        part=DISCOVERY,
        known=known,
        excluded=_hidden(known, frozenset(EventType)),
        targets=[trial.targets[place] for place in places],
        groups={},
        cut=None if cut is None else lambda seed: discovering(cut(seed)),
    )


def _items(rows: Rows, place: int) -> Idxs:
    return rows.items[rows.offsets[place] : rows.offsets[place + 1]]


def _hidden(rows: Rows, types: frozenset[EventType]) -> list[Idxs]:
    """Each person's distinct items of some event types."""
    if not types:
        return [np.empty(0, dtype=np.int32)] * len(rows)
    acts = _acts(rows).only(types)
    cells = np.unique(acts.histories.persons() * rows.n_items + acts.events.item)
    persons, items = np.divmod(cells, rows.n_items)
    ends = np.cumsum(np.bincount(persons, minlength=len(rows)))
    return np.split(items.astype(np.int32), ends[:-1])


def grouped(persons: Ints, items: NDArray[Any]) -> tuple[Ints, list[Idxs]]:
    """The distinct persons, ascending, and each one's distinct items."""
    order = np.lexsort((items, persons))
    persons, items = persons[order], items[order]
    is_first = np.ones(len(persons), dtype=np.bool_)
    is_first[1:] = (np.diff(persons) != 0) | (np.diff(items) != 0)
    who, starts = np.unique(persons[is_first], return_index=True)
    return who, np.split(items[is_first].astype(np.int32), starts[1:]) if len(who) else []


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Log:
    """Events in the order they happened, with whose they are; what a set's tables become.

    Attributes
    ----------
    persons
        Shape (n,).
    """

    persons: Ints
    events: History

    @classmethod
    def of(
        cls,
        persons: Ints,
        items: NDArray[Any],
        types: EventType | NDArray[Any],
        **columns: NDArray[Any],
    ) -> Self:
        """Events of given columns of `History`; what is not given is not known."""
        n = len(items)
        default = {
            "at_ms": np.full(n, UNDATED),
            "value": np.full(n, np.nan),
            "duration_s": np.full(n, np.nan),
            "order": np.zeros(n),
            "platform": np.zeros(n),
        }
        values = {"item": items, "type": np.broadcast_to(types, n), **default, **columns}
        names = {"item": np.int32, "type": np.int8, "at_ms": np.int64, "order": np.int64}
        names["platform"] = np.int8
        arrays = {k: np.asarray(v, dtype=names.get(k, np.float32)) for k, v in values.items()}
        return cls(persons=persons, events=History(**arrays))

    def histories(self, n_persons: int) -> Histories:
        """One history a person; events of the same time stay in the order they have here."""
        order = np.lexsort((self.events.at_ms, self.persons))
        ends = np.cumsum(np.bincount(self.persons, minlength=n_persons))
        offsets = np.concatenate([[0], ends]).astype(np.int64)
        return Histories(self.events.take(order), offsets)


def taste_of(catalog: Catalog, weights: Mapping[EventType, float] | None = None) -> Taste:
    """How acts are weighed: as shipped, or as a set of pairs wants it that says no more."""
    weighting = Weighting(by_type=dict(weights or EVENT_WEIGHTS), watch=WatchCurve.prior())
    return Taste(weighting=weighting, video_s=catalog.duration_s)


def chosen(rows: Rows, persons: Ints) -> Rows:
    """The rows of some persons, in the order asked for."""
    acts = _acts(rows)
    at, lengths = spans(acts.histories.offsets, persons)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    picked = Acts(Histories(acts.events.take(at), offsets), acts.weights[at], acts.at_ms)
    return Rows.of_acts(picked, rows.n_items)


def keeping(rows: Rows, kept: Mask) -> Rows:
    """The same persons' rows of some of their events only."""
    acts = _acts(rows)
    left = Acts(acts.histories.keeping(kept), acts.weights[kept], acts.at_ms)
    return Rows.of_acts(left, rows.n_items)


def log_of(rows: Rows) -> Log:
    """The events that rows were made of."""
    acts = _acts(rows)
    return Log(persons=acts.histories.persons(), events=acts.events)


def _acts(rows: Rows) -> Acts:
    if rows.acts is None:
        raise ValueError("the rows of a trial know their acts; these do not")
    return rows.acts


def plain_catalog(n_items: int, kind: Kind) -> Catalog:
    """Items of which nothing is known."""
    return Catalog.of([Item(item_id=f"{kind.word}-{n}", kind=kind) for n in range(n_items)])


def last_of_each(persons: Ints) -> Mask:
    """Shape (n,). Which entry is each person's last; `persons` is in ascending order."""
    return np.append(np.diff(persons) != 0, True)[: len(persons)]


def some(values: Ints, n: int, seed: int) -> Ints:
    """At most n of some distinct values, ascending, any as likely."""
    if len(values) <= n:
        return np.sort(values)
    return np.sort(np.random.default_rng(seed).choice(values, size=n, replace=False))
