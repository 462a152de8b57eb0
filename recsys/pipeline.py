"""The one straight way from a context to a list: sources → fuse → stages → place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from recsys.catalog import Catalog, Idxs, Kind
from recsys.events import EventType
from recsys.features import Racing, Values
from recsys.histories import History
from recsys.ids import Mask
from recsys.interactions import Row
from recsys.models.base import Model, Ranking

Floats = NDArray[np.float64]
T = TypeVar("T")

# What orders candidates besides reciprocal ranks.
SCORERS = ("blend", "ranker")
# What a list can be good for; value is what was bought, weighted by its price.
OBJECTIVES = ("watch", "click", "like", "buy", "value")
# What an item the person had to do with before brings, as a share of what a new one does.
AGAIN = "again"
# A scorer sees so many candidates of a kind, the best by reciprocal ranks.
MAX_SCORED = 200


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
    weight
        How much its opinion counts in the fusion.
    limit
        How many items of each kind it may send.
    """

    name: str
    model: str
    of: str = "history"
    weight: float = 1.0
    limit: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A named, printable value: which sources race, what the stages are, how many each kind gets.

    Parameters
    ----------
    stages
        Names in the closed table of stages, applied in this order.
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
    """

    name: str
    sources: tuple[Source, ...]
    stages: tuple[str, ...]
    fusion_k: float = 60.0
    video_share: float = 0.5
    scorer: str = ""
    objective: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything a list may depend on; the time is in it, so that the same gives the same.

    Parameters
    ----------
    row
        The history as weighted items, as of `at_ms`.
    basket
        Items of this request: of the order after checkout, in the cart.
    excluded
        Items the caller does not want, ascending.
    """

    scene: str
    k: int
    kinds: tuple[Kind, ...]
    history: History
    row: Row
    basket: Row
    excluded: Idxs
    at_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Items still in the race.

    Attributes
    ----------
    items
        Shape (n,), each once.
    scores
        Shape (n,).
    parts
        Shape (n_sources, n). What each source added to the score.
    """

    items: Idxs
    scores: Floats
    parts: Floats

    def __len__(self) -> int:
        """How many items are left."""
        return len(self.items)

    def take(self, index: NDArray[np.intp] | Mask) -> "Candidates":
        """The chosen candidates, in the order chosen."""
        return Candidates(self.items[index], self.scores[index], self.parts[:, index])


def of_items(candidates: Candidates, items: Idxs) -> Candidates:
    """The candidates of given items, in their order; what no source sent has no part in it."""
    parts = np.zeros((len(candidates.parts), len(items)))
    order = np.argsort(candidates.items)
    known = candidates.items[order]
    if len(known):
        at = np.minimum(np.searchsorted(known, items), len(known) - 1)
        was_sent = known[at] == items
        parts[:, was_sent] = candidates.parts[:, order[at[was_sent]]]
    return Candidates(items, parts.sum(axis=0), parts)


def among(items: Idxs, chosen: NDArray[np.integer[Any]]) -> Mask:
    """Shape (n items,). Which of the items are among the chosen; a tenth of the cost of np.isin."""
    if len(chosen) == 0:
        return np.zeros(len(items), dtype=np.bool_)
    ordered = np.sort(chosen)
    at = np.minimum(np.searchsorted(ordered, items), len(ordered) - 1)
    found: Mask = ordered[at] == items
    return found


def known_items(history: History) -> Idxs:
    """The distinct items a person had to do with; what was only on a screen is none of them."""
    return np.unique(history.item[history.type != EventType.IMPRESSION])


Stage = Callable[[Candidates, Context, Catalog], Candidates]


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
    """

    candidates: Candidates
    failed: tuple[str, ...] = field(default=())
    scored: Scored | None = None


def run(
    pipeline: Pipeline,
    context: Context,
    catalog: Catalog,
    models: Mapping[str, Model],
    stages: Mapping[str, Stage],
    scorer: Scorer | None = None,
) -> Placed:
    """Run the pipeline; ranks count within a kind, and the kinds take their seats at the end."""
    failed: list[str] = []
    candidates = raced(pipeline, context, catalog, models, stages, failed)
    scored = None
    if scorer is not None and len(candidates):
        scored = _guarded(
            lambda: scorer(told_of(pipeline, candidates, context, models, failed), context),
            f"scorer:{pipeline.scorer}",
            failed,
        )
    if scored is not None:
        candidates = Candidates(candidates.items, scored.scores, candidates.parts)
    # No more than k of a kind can be seated.
    candidates = _best(candidates, context.kinds, catalog, context.k)
    kinds = catalog.kind[candidates.items]
    races = {kind: candidates.take(kinds == kind) for kind in context.kinds}
    placed = place(races, pipeline.video_share, context.k)
    return Placed(placed, tuple(dict.fromkeys(failed)), scored)


def raced(
    pipeline: Pipeline,
    context: Context,
    catalog: Catalog,
    models: Mapping[str, Model],
    stages: Mapping[str, Stage],
    failed: list[str],
) -> Candidates:
    """What a scorer is asked about: what the sources sent, fused, filtered, the best of each kind.

    Names of sources that fail are added to `failed`.
    """
    candidates = sourced(pipeline, context, models, failed)
    for name in pipeline.stages:
        candidates = stages[name](candidates, context, catalog)
    return _best(candidates, context.kinds, catalog, MAX_SCORED)


def sourced(
    pipeline: Pipeline, context: Context, models: Mapping[str, Model], failed: list[str]
) -> Candidates:
    """Everything that the sources send, fused."""
    rankings = [
        tuple(_ask(source, context, models, kind, failed) for kind in context.kinds)
        for source in pipeline.sources
    ]
    return fuse(rankings, [source.weight for source in pipeline.sources], pipeline.fusion_k)


def _ask(
    source: Source, context: Context, models: Mapping[str, Model], kind: Kind, failed: list[str]
) -> Ranking:
    row = _row(source, context)
    found = _guarded(
        lambda: models[source.model].candidates(row, source.limit, kind),
        f"source:{source.name}",
        failed,
    )
    return Ranking.none() if found is None else found


def _row(source: Source, context: Context) -> Row:
    return context.row if source.of == "history" else context.basket


def _guarded(work: Callable[[], T], name: str, failed: list[str]) -> T | None:
    """What the work gives; None if it fails, with its name added to `failed`."""
    try:
        return work()
    except Exception:  # broken parts must not empty the page; the caller counts and reports them
        failed.append(name)
        return None


def told_of(
    pipeline: Pipeline,
    candidates: Candidates,
    context: Context,
    models: Mapping[str, Model],
    failed: list[str],
) -> Racing:
    """The candidates with what every source says of each; a failed source says nothing."""
    items = candidates.items
    opinions = np.full((len(pipeline.sources), len(items)), np.nan, dtype=np.float32)
    for place_, source in enumerate(pipeline.sources):
        if f"source:{source.name}" not in failed:
            opinions[place_] = models[source.model].score_of(_row(source, context), items)
    return Racing(
        items=items,
        fused=candidates.scores,
        opinions=opinions,
        sources=tuple(source.name for source in pipeline.sources),
    )


def _best(candidates: Candidates, kinds: tuple[Kind, ...], catalog: Catalog, n: int) -> Candidates:
    """The n candidates of each kind with the highest scores, best first; ties: lower position."""
    order = np.lexsort((candidates.items, -candidates.scores))
    kind_of = catalog.kind[candidates.items[order]]
    return candidates.take(
        np.concatenate([order[np.flatnonzero(kind_of == kind)[:n]] for kind in kinds])
    )


def fuse(rankings: list[tuple[Ranking, ...]], weights: list[float], fusion_k: float) -> Candidates:
    """Reciprocal-rank fusion (Cormack, Clarke, Büttcher 2009) with a weight a source.

    A source's scores have no unit in common with another's; its order has.

    Parameters
    ----------
    rankings
        By source; of one source the rankings hold different items.
    """
    every = [ranking for one in rankings for ranking in one]
    items = np.concatenate([np.empty(0, dtype=np.int32), *(r.items for r in every)])
    distinct, where = np.unique(items, return_inverse=True)
    parts = np.zeros((len(rankings), len(distinct)))
    start = 0
    for row, (one, weight) in enumerate(zip(rankings, weights, strict=True)):
        for ranking in one:
            n = len(ranking.items)
            parts[row, where[start : start + n]] = weight / (fusion_k + 1 + np.arange(n))
            start += n
    return Candidates(distinct, parts.sum(axis=0), parts)


def place(races: Mapping[Kind, Candidates], video_share: float, k: int) -> Candidates:
    """Seat the kinds so that every beginning of the list keeps the share to half a seat.

    A kind that runs out leaves its seats to the other.
    """
    if len(races) == 1:
        (only,) = races.values()
        return only.take(np.arange(min(k, len(only))))
    videos, products = races[Kind.VIDEO], races[Kind.PRODUCT]
    seats = _seats(len(videos), len(products), video_share, k)
    both = Candidates(
        np.concatenate([videos.items, products.items]),
        np.concatenate([videos.scores, products.scores]),
        np.concatenate([videos.parts, products.parts], axis=1),
    )
    order = np.where(seats, np.cumsum(seats) - 1, len(videos) + np.cumsum(~seats) - 1)
    return both.take(order.astype(np.intp))


def _seats(n_videos: int, n_products: int, video_share: float, k: int) -> Mask:
    """Which seats are videos'."""
    k = min(k, n_videos + n_products)
    due = np.floor(np.arange(1, k + 1) * video_share + 0.5)
    seats: Mask = np.diff(due, prepend=0) > 0
    given = int(seats.sum())
    if given > n_videos:
        seats[np.flatnonzero(seats)[n_videos:]] = False
    elif k - given > n_products:
        seats[np.flatnonzero(~seats)[n_products:]] = True
    return seats
