"""Request and history → served list: what the service, the evaluation and a simulator call."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.basket import evenly, latest
from recsys.bundle import Bundle
from recsys.catalog import Catalog, Idxs, Kind
from recsys.errors import InvalidInput
from recsys.events import EventType, ServedItem, ServedList, check_text, millis
from recsys.fresh import SOURCE, with_source
from recsys.histories import History
from recsys.interactions import Row
from recsys.pipeline import Candidates, Context, Pipeline, Placed, Scored, Stage, run
from recsys.reasons import Explainer, Tells
from recsys.scenes import About, scene_named
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
    shown
        Marks (`recsys.ids.mark_of`) of items shown before: they do not come again.
    basket
        Ids of what the list stands beside: of the order just made, in the cart, or the item looked
        at. If empty, what the person's history says; scenes beside nothing have none.

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
    shown: tuple[int, ...] = ()
    basket: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what lists rely on."""
        scene_named(self.scene)
        if not 1 <= self.k <= MAX_K:
            raise InvalidInput(f"k is out of range, got {self.k}; allowed: 1 to {MAX_K}")
        if self.kinds is not None and (not self.kinds or len(set(self.kinds)) != len(self.kinds)):
            raise InvalidInput("kinds is empty or repeats; allowed: product, video, each once")
        for name, limit in (("exclude", MAX_EXCLUDED), ("basket", MAX_BASKET)):
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
    answering = bundle.answering(request.scene)
    pipeline, scorer = bundle.pipelines[answering], bundle.scorer(answering)
    if "excluded" not in pipeline.stages:
        # What a page shows already must not come again, whatever a configuration leaves out.
        pipeline = replace(pipeline, stages=("excluded", *pipeline.stages))
    placed = run(pipeline, context, bundle.catalog, bundle.models, STAGES, scorer)
    models: Mapping[str, Tells] = bundle.models
    if bundle.fresh is not None:
        placed = bundle.fresh.joined(
            placed, _row(history, bundle, context.at_ms), pipeline, context, _stages(pipeline)
        )
        pipeline, models = with_source(pipeline), {**models, SOURCE: bundle.fresh}
    placed = _filled(placed, pipeline, context, bundle.catalog)
    explainer = Explainer(
        pipeline=pipeline,
        context=context,
        standing=history.take(~history.undone(context.at_ms)),
        catalog=bundle.catalog,
        models=models,
        language=language,
    )
    served = ServedList(
        list_id=list_id,
        user_id=request.user_id,
        scene=request.scene,
        at=at,
        bundle=bundle.bundle_id,
        pipeline=pipeline.name,
        personalised=_is_personal(placed.candidates, request, pipeline, models),
        degraded=placed.failed if answering == request.scene else (*placed.failed, "scene"),
        items=_items(placed.candidates, bundle.catalog, explainer),
    )
    return Answer(served, placed.candidates.items, placed.scored)


def context_of(request: Request, history: History, bundle: Bundle, at: datetime) -> Context:
    """What a request comes down to: all that its list depends on."""
    scene, at_ms = scene_named(request.scene), millis(at)
    basket = _basket(request, history, bundle)
    known, fresh = history, bundle.fresh
    if fresh is not None:
        known = fresh.known(history)
    return Context(
        scene=scene.name,
        k=request.k,
        kinds=scene.kinds if request.kinds is None else request.kinds,
        history=history,
        row=_row(known, bundle, at_ms),
        basket=evenly(basket if fresh is None else fresh.stand_ins(basket)),
        excluded=_excluded(request, bundle, basket, history),
        at_ms=at_ms,
    )


def _row(history: History, bundle: Bundle, at_ms: int) -> Row:
    return bundle.taste.row(history, at_ms).strongest(ROW_ITEMS)


def _excluded(request: Request, bundle: Bundle, basket: Idxs, history: History) -> Idxs:
    """What the caller does not want, and of new items what models cannot be told of."""
    ids = bundle.catalog.ids
    found: list[NDArray[Any]] = [ids.find_all(request.exclude), ids.marked(request.shown)]
    if bundle.fresh is not None:
        disliked = history.items_of(EventType.DISLIKE)
        found += [one[one >= bundle.fresh.n_known] for one in (basket, disliked)]
    return np.unique(np.concatenate(found)).astype(np.int32)


def _basket(request: Request, history: History, bundle: Bundle) -> Idxs:
    about = scene_named(request.scene).about
    if request.basket and about is not About.NOTHING:
        return bundle.catalog.ids.find_all(request.basket).astype(np.int32)
    return latest(about, history)


def _stages(pipeline: Pipeline) -> list[Stage]:
    return [STAGES[name] for name in pipeline.stages]


def _filled(placed: Placed, pipeline: Pipeline, context: Context, catalog: Catalog) -> Placed:
    """A list that came out short, filled with the newest items.

    A page is never empty for want of an opinion; the stages hold here as everywhere.
    """
    candidates = placed.candidates
    missing = context.k - len(candidates)
    if missing <= 0:
        return placed
    context = replace(
        context, excluded=np.concatenate([context.excluded, candidates.items]).astype(np.int32)
    )
    newest = _newest(context, catalog, len(pipeline.sources))
    for stage in _stages(pipeline):
        newest = stage(newest, context, catalog)
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
    is_out = catalog.published_ms <= context.at_ms
    shown = np.flatnonzero(catalog.on_sale & is_out & np.isin(catalog.kind, context.kinds))
    items = shown[np.argsort(-catalog.published_ms[shown], kind="stable")].astype(np.int32)
    return Candidates(items, np.zeros(len(items)), np.zeros((n_sources, len(items))))


def _is_personal(
    candidates: Candidates, request: Request, pipeline: Pipeline, models: Mapping[str, Tells]
) -> bool:
    """Whether anything the person did before speaks; what the caller names is no history."""
    personal = [
        models[source.model].is_personal and (source.of == "history" or not request.basket)
        for source in pipeline.sources
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
