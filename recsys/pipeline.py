"""The one straight way from a context to a list: sources → fuse → stages → place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from recsys import kernels_race
from recsys.bars import Bars
from recsys.candidates import Candidates, fuse
from recsys.catalog import Catalog, Idxs, Kind
from recsys.commerce import NO_LEAN, Lean, favoured, leaning, void_opinions
from recsys.controls import FREE, Controls, Halved
from recsys.features import Racing, Values
from recsys.histories import History
from recsys.ids import Mask
from recsys.interactions import Row
from recsys.kernels_place import seating
from recsys.models.base import Model, Ranking
from recsys.tiers import NOBODY, Standing

Floats = NDArray[np.float64]
VIDEOS_FIRST = (Kind.VIDEO, Kind.PRODUCT)
T = TypeVar("T")

# What orders candidates besides reciprocal ranks.
SCORERS = ("blend", "ranker")
# What a list can be good for; value is what was bought, weighted by its price.
OBJECTIVES = ("watch", "click", "like", "buy", "value")
# What an item the person had to do with before brings, as a share of what a new one does.
AGAIN = "again"
# A scorer sees so many candidates, the best of each kind by reciprocal ranks; and so few of them
# where time is short.
MAX_SCORED, FEW_SCORED = 200, 50
# What is left of a request's time below which a list is made with less: few candidates, no scorer,
# no further source; in milliseconds. Several times what these take, as a busy machine is slower.
FULL_MS, SCORER_MS, SOURCE_MS = 6.0, 3.0, 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where items enter the race: a model asked with one of the context's rows.

    Parameters
    ----------
    name
        What lists and reasons call it.
    model
        Which of the bundle's models it asks.
    of
        Which row it asks with: the person's "history", or the "basket" of this request.
    weight, limit
        How much its opinion counts in the fusion; how many items of each kind it may send.
    """

    name: str
    model: str
    of: str = "history"
    weight: float = 1.0
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A named, printable value: which sources race, what the stages are, how many each kind gets.

    Parameters
    ----------
    stages
        Names in the closed table of stages; all of them hold.
    fusion_k
        Constant of reciprocal-rank fusion; 60 is that of Cormack et al. 2009. Smaller makes the
        first ranks count more.
    video_share
        Share of videos where a scene shows both kinds, 0 to 1.
    scorer
        One of `SCORERS`: what orders the candidates once the sources are fused and the stages have
        filtered; empty means that the fusion's order stays.
    objective
        What a scorer that learns is to bring about: the gain of each act of `OBJECTIVES`, and
        `AGAIN`, 1 unless it is said.
    commission_loss
        How much relevance a higher commission may cost where it breaks ties, as a share of the
        distance from the best product of a list to the last; 0 means that it counts nothing.
    """

    name: str
    sources: tuple[Source, ...]
    stages: tuple[str, ...]
    fusion_k: float = 60.0
    video_share: float = 0.5
    scorer: str = ""
    objective: Mapping[str, float] = field(default_factory=dict)
    commission_loss: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything a list may depend on; the time is in it, so that the same gives the same.

    Parameters
    ----------
    row, basket
        The history as weighted items, as of `at_ms`; those of the order or cart of this request.
    excluded
        Items the caller does not want, ascending; `resting`: the person's own, not used up yet.
    standing, session
        What the person is to the shop; the live session of a list, empty for any that is running.
    seed
        What may differ between lists that are the same in all else is drawn by it.
    blocked
        Shape (n_items,). What no list may hold now; None where there is nothing like that.
    controls, halved
        What the person chose: the history is what this lets speak; what is to come half as often.
    """

    scene: str
    k: int
    kinds: tuple[Kind, ...]
    history: History
    row: Row
    basket: Row
    excluded: Idxs
    at_ms: int
    controls: Controls = FREE
    halved: Halved | None = None
    standing: Standing = NOBODY
    session: str = ""
    seed: int = 0
    blocked: Mask | None = None
    resting: Idxs | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What a scorer made of the candidates.

    Attributes
    ----------
    racing
        What it was asked about.
    scores
        Shape (n,).
    features
        Shape (n, n features). What it looked at, if it looks at features.
    basket
        The items of the request that it knew.
    """

    racing: Racing
    scores: Floats
    features: Values | None = None
    basket: Idxs = field(default_factory=lambda: np.empty(0, dtype=np.int32))


Scorer = Callable[[Racing, Context], Scored]


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """The list before it gets texts: candidates in their final order.

    Attributes
    ----------
    failed
        What failed and was left out: "source:" and its name, or "scorer:" and which.
    scored
        What the scorer made of everything that was in the race.
    rung
        The rung of the ladder that the last of it came from.
    lean
        What commissions did to it.
    """

    candidates: Candidates
    failed: tuple[str, ...] = field(default=())
    scored: Scored | None = None
    rung: str = "race"
    lean: Lean = NO_LEAN


RemainingMs = Callable[[], float]
Lap = Callable[[str], object]


def unhurried() -> float:
    """What is left of the time of a list that nobody waits for."""
    return float("inf")


def untimed(_stage: str) -> None:
    """What is told of a list whose parts nobody times."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Course:
    """One run of a pipeline: what it runs over, and what went wrong so far.

    Parameters
    ----------
    bars
        What the pipeline's stages keep out of this list.
    remaining_ms
        What is left of the request's time; less work is begun the less there is.
    failed
        Sources and scorers that failed, and "deadline:" with what was left out for want of time.
    lap
        Is told after each part what it was.
    """

    pipeline: Pipeline
    context: Context
    catalog: Catalog
    models: Mapping[str, Model]
    bars: Bars
    remaining_ms: RemainingMs = unhurried
    failed: list[str] = field(default_factory=list)
    lap: Lap = untimed

    def placed(self, scorer: Scorer | None = None) -> Placed:
        """The list; ranks count within a kind, and the kinds take their seats at the end."""
        candidates, scored, k = self.raced(), None, self.context.k
        self.lap("filters")
        if scorer is not None and len(candidates) and self._has(SCORER_MS, "scorer"):
            scored = _guarded(
                lambda: scorer(self.told_of(candidates), self.context),
                f"scorer:{self.pipeline.scorer}",
                self.failed,
            )
        if scored is not None:
            candidates = Candidates(candidates.items, scored.scores, candidates.parts)
        self.lap("scorer")
        scores, lean = leaning(candidates, self.catalog, self.pipeline.commission_loss, k)
        scores = favoured(candidates, scores, self.catalog, self.context)
        placed = self.seated(replace(candidates, scores=scores), k)
        return Placed(placed, tuple(dict.fromkeys(self.failed)), scored, lean=lean)

    def raced(self) -> Candidates:
        """What a scorer is asked about: what the sources sent, fused, filtered, the best of it."""
        candidates = self.sourced()
        self.lap("sources")
        candidates = self.allowed(candidates)
        n = MAX_SCORED if self._has(FULL_MS, "candidates") else FEW_SCORED
        return self._for_sale(self._admitted(candidates, n))

    def allowed(self, candidates: Candidates) -> Candidates:
        """The candidates that every stage lets through, in their order."""
        return candidates.without(self.bars.removed(candidates.items))

    def _for_sale(self, candidates: Candidates) -> Candidates:
        """Without what speaks for the products of videos that have none left to sell."""
        void = self._void(candidates.items)
        if void is None or not candidates.parts[void].any():
            return candidates
        parts = np.where(void, 0, candidates.parts)
        scores = np.where(void.any(axis=0), parts.sum(axis=0), candidates.scores)
        return Candidates(candidates.items, scores, parts)

    def _void(self, items: Idxs) -> Mask | None:
        return void_opinions(items, [one.model for one in self.pipeline.sources], self.catalog)

    def sourced(self) -> Candidates:
        """Everything that the sources send, fused."""
        rankings = [
            tuple(self._ask(source, kind) for kind in self.context.kinds)
            for source in self.pipeline.sources
        ]
        weights = [source.weight for source in self.pipeline.sources]
        return fuse(rankings, weights, self.pipeline.fusion_k)

    def _ask(self, source: Source, kind: Kind) -> Ranking:
        if not self._has(SOURCE_MS, "sources"):
            return Ranking.none()
        row = _row(source, self.context)
        found = _guarded(
            lambda: self.models[source.model].candidates(row, source.limit, kind),
            f"source:{source.name}",
            self.failed,
        )
        return Ranking.none() if found is None else found

    def _has(self, ms: float, what: str) -> bool:
        """Whether so much time is left; if not, what is left out for it is noted."""
        has_time = self.remaining_ms() >= ms
        if not has_time:
            self.failed.append(f"deadline:{what}")
        return has_time

    def told_of(self, candidates: Candidates) -> Racing:
        """The candidates with what every source says of each; a failed source says nothing."""
        items, sources = candidates.items, self.pipeline.sources
        opinions = np.empty((len(sources), len(items)), dtype=np.float32)
        for place_, source in enumerate(sources):
            if self.failed and f"source:{source.name}" in self.failed:
                opinions[place_] = np.nan
            else:
                row = _row(source, self.context)
                opinions[place_] = self.models[source.model].score_of(row, items)
        void = self._void(items)
        if void is not None:
            opinions[void] = np.nan
        names = tuple(source.name for source in sources)
        return Racing(items=items, fused=candidates.scores, opinions=opinions, sources=names)

    def _best(self, candidates: Candidates, n: int) -> tuple[NDArray[np.int32], tuple[int, int]]:
        """Places of up to n of each kind, best first, videos before products, and how many of each.

        Ties go to the lower position.
        """
        kinds, has_videos = in_turn(self.context.kinds)
        order, counts = kernels_race.best_of_kind(
            candidates.items, candidates.scores, self.catalog.kind, kinds, n
        )
        n_videos = int(counts[0]) if has_videos else 0
        return order, (n_videos, len(order) - n_videos)

    def _admitted(self, candidates: Candidates, n: int) -> Candidates:
        order, counts = self._best(candidates, n)
        if len(order) > n:
            order = order[np.sort(seating(*counts, self.pipeline.video_share, n))]
        return candidates.take(order)

    def seated(self, candidates: Candidates, k: int) -> Candidates:
        """The k best, the kinds taking turns by their share."""
        order, counts = self._best(candidates, k)
        return candidates.take(order[seating(*counts, self.pipeline.video_share, k)])


@cache
def in_turn(kinds: tuple[Kind, ...]) -> tuple[Idxs, bool]:
    """The kinds in the order in which they take turns, and whether videos are the first."""
    found = np.array([kind for kind in VIDEOS_FIRST if kind in kinds], np.int32)
    return found, bool(found[0] == Kind.VIDEO)


def _row(source: Source, context: Context) -> Row:
    return context.row if source.of == "history" else context.basket


def _guarded(work: Callable[[], T], name: str, failed: list[str]) -> T | None:
    """What the work gives; None if it fails, with its name added to `failed`."""
    try:
        return work()
    except Exception:  # broken parts must not empty the page; the caller counts and reports them
        failed.append(name)
        return None
