"""Request and history → served list: what the service, the evaluation and a simulator call."""

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from recsys.bundle import Bundle
from recsys.catalog import Catalog, Idxs, Kind
from recsys.errors import InvalidInput
from recsys.events import EventType, ServedItem, ServedList, check_text, millis
from recsys.histories import History
from recsys.interactions import Row
from recsys.pipeline import Candidates, Context, Placed, Scored, run
from recsys.reasons import Explainer
from recsys.scenes import scene_named
from recsys.stages import STAGES

MAX_K = 100
MAX_EXCLUDED = 1_000
MAX_BASKET = 100
# What a person did most; more would cost every source time and add little.
ROW_ITEMS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a caller asks for.

    Parameters
    ----------
    k
        Length of the list, 1 to 100.
    kinds
        What to show; None means what the scene shows.
    exclude
        Ids not wanted.
    order_items
        Ids of the order just made; if empty after checkout, the person's latest order.

    Raises
    ------
    InvalidInput
        A value is not allowed.
    """

    scene: str
    user_id: str | None = None
    k: int = 20
    kinds: tuple[Kind, ...] | None = None
    exclude: tuple[str, ...] = ()
    order_items: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what lists rely on."""
        scene_named(self.scene)
        if not 1 <= self.k <= MAX_K:
            raise InvalidInput(f"k is out of range, got {self.k}; allowed: 1 to {MAX_K}")
        if self.kinds is not None and (not self.kinds or len(set(self.kinds)) != len(self.kinds)):
            raise InvalidInput("kinds is empty or repeats; allowed: product, video, each once")
        for name, limit in (("exclude", MAX_EXCLUDED), ("order_items", MAX_BASKET)):
            n = len(getattr(self, name))
            if n > limit:
                raise InvalidInput(f"{name} is too long, got {n} ids; allowed: up to {limit}")
        if self.user_id is not None:
            check_text("user_id", self.user_id, limit=128, error=InvalidInput)


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A served list and, in the same order, its items' positions in the bundle's catalogue.

    Attributes
    ----------
    scored
        What the scorer saw and made of all candidates, where there was one.
    """

    served: ServedList
    items: Idxs
    scored: Scored | None = None


def recommend(
    request: Request,
    history: History,
    bundle: Bundle,
    *,
    at: datetime,
    list_id: str,
    language: str = "en",
) -> Answer:
    """The list for one request.

    Parameters
    ----------
    history
        What the person did, in positions of the bundle's catalogue, oldest first.
    at
        The moment of the request; nothing later may be in the history.
    language
        Of the reasons, a key of `recsys.reasons.LANGUAGES`.
    """
    context = context_of(request, history, bundle, at)
    pipeline = bundle.pipelines[request.scene]
    scorer = bundle.scorer(context)
    placed = run(pipeline, context, bundle.catalog, bundle.models, STAGES, scorer)
    placed = _filled(placed, context, bundle)
    explainer = Explainer(
        pipeline=pipeline,
        context=context,
        standing=history.take(~history.undone(context.at_ms)),
        catalog=bundle.catalog,
        models=bundle.models,
        language=language,
    )
    served = ServedList(
        list_id=list_id,
        user_id=request.user_id,
        scene=request.scene,
        at=at,
        bundle=bundle.bundle_id,
        pipeline=pipeline.name,
        personalised=_is_personal(placed.candidates, request, bundle),
        degraded=placed.failed,
        items=_items(placed.candidates, bundle.catalog, explainer),
    )
    return Answer(served, placed.candidates.items, placed.scored)


def context_of(request: Request, history: History, bundle: Bundle, at: datetime) -> Context:
    """What a request comes down to: all that its list depends on."""
    scene, at_ms = scene_named(request.scene), millis(at)
    ids = bundle.catalog.ids
    return Context(
        scene=scene.name,
        k=request.k,
        kinds=scene.kinds if request.kinds is None else request.kinds,
        history=history,
        row=bundle.taste.row(history, at_ms).strongest(ROW_ITEMS),
        basket=_basket(request, history, bundle) if scene.has_basket else _evenly([]),
        excluded=np.unique(ids.find_all(request.exclude)).astype(np.int32),
        at_ms=at_ms,
    )


def _basket(request: Request, history: History, bundle: Bundle) -> Row:
    if request.order_items:
        return _evenly(bundle.catalog.ids.find_all(request.order_items).tolist())
    orders = history.of_types(EventType.ORDER)
    if len(orders) == 0:
        return _evenly([])
    last = orders.order[-1]
    latest = orders.item[orders.order == last] if last else orders.item[-1:]
    return _evenly(latest.tolist())


def _evenly(items: list[int]) -> Row:
    distinct = np.unique(np.array(items, dtype=np.int32))
    return Row(distinct, np.ones(len(distinct), dtype=np.float32))


def _filled(placed: Placed, context: Context, bundle: Bundle) -> Placed:
    """A list that came out short, filled with the newest items.

    A page is never empty for want of an opinion; the stages hold here as everywhere.
    """
    candidates = placed.candidates
    missing = context.k - len(candidates)
    if missing <= 0:
        return placed
    pipeline = bundle.pipelines[context.scene]
    context = replace(
        context, excluded=np.concatenate([context.excluded, candidates.items]).astype(np.int32)
    )
    newest = _newest(context, bundle.catalog, len(pipeline.sources))
    for name in dict.fromkeys(("excluded", *pipeline.stages)):
        newest = STAGES[name](newest, context, bundle.catalog)
    newest = newest.take(np.arange(min(missing, len(newest))))
    # A scorer's scores may be below 0, and what only fills must not seem better than they are.
    lowest = min(0.0, float(candidates.scores.min(initial=0.0)))
    return replace(
        placed,
        candidates=Candidates(
            np.concatenate([candidates.items, newest.items]),
            np.concatenate([candidates.scores, newest.scores + lowest]),
            np.concatenate([candidates.parts, newest.parts], axis=1),
        ),
    )


def _newest(context: Context, catalog: Catalog, n_sources: int) -> Candidates:
    shown = np.flatnonzero(catalog.on_sale & np.isin(catalog.kind, context.kinds))
    items = shown[np.argsort(-catalog.published_ms[shown], kind="stable")].astype(np.int32)
    return Candidates(items, np.zeros(len(items)), np.zeros((n_sources, len(items))))


def _is_personal(candidates: Candidates, request: Request, bundle: Bundle) -> bool:
    """Whether anything the person did before speaks; an order the caller names is no history."""
    personal = [
        bundle.models[source.model].is_personal
        and (source.of == "history" or not request.order_items)
        for source in bundle.pipelines[request.scene].sources
    ]
    return bool(candidates.parts[np.array(personal, dtype=np.bool_)].any())


def _items(
    candidates: Candidates, catalog: Catalog, explainer: Explainer
) -> tuple[ServedItem, ...]:
    explained = explainer.explain(candidates)
    return tuple(
        ServedItem(
            item_id=catalog.ids[item_idx],
            kind=Kind(catalog.kind[item_idx]).word,
            rank=place,
            score=float(candidates.scores[place]),
            source=source,
            reason=reason,
            ad=bool(catalog.ad[item_idx]),
        )
        for place, (item_idx, (source, reason)) in enumerate(
            zip(candidates.items.tolist(), explained, strict=True)
        )
    )
