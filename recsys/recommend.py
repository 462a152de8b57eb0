"""Request and history → served list: what the service, the evaluation and a simulator call."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys import claims
from recsys.basket import evenly, latest
from recsys.bundle import Bundle
from recsys.candidates import Candidates
from recsys.catalog import Idxs, Kind
from recsys.controls import FREE, Controls, Signals
from recsys.errors import InvalidInput
from recsys.events import EventType, ServedItem, ServedList, check_text, millis
from recsys.fresh import SOURCE, with_source
from recsys.histories import History
from recsys.ids import hash64
from recsys.interactions import Row
from recsys.ladder import followed
from recsys.mix import Share
from recsys.offers import coupons_on
from recsys.pipeline import (
    Context,
    Course,
    Lap,
    Pipeline,
    Placed,
    RemainingMs,
    Scored,
    unhurried,
    untimed,
)
from recsys.reasons import Explainer, Tells
from recsys.scenes import About, scene_named
from recsys.stages import ALWAYS, barring
from recsys.steering import SPEAKING, steered, under_rules
from recsys.tiers import standing_of

MAX_K = 100
MAX_EXCLUDED = 1_000
MAX_BASKET = 100
# Words of kinds by their numbers.
WORDS = [kind.word for kind in Kind]
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
    session
        Name of the live session that a live list is for; empty means any that is running.
    remaining_ms
        What is left of the request's time, whenever it is asked; the less, the less work is begun.
    lap
        Is told after each part of the list what it was, by who times them.
    controls
        What the person chose, and what their age forbids.

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
    session: str = ""
    remaining_ms: RemainingMs = unhurried
    lap: Lap = untimed
    controls: Controls = FREE

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
    rung
        The rung of the ladder that the last of it came from; "race" if none was needed.
    controls, signals
        What the person chose; what the page of a minor must do now.
    """

    served: ServedList
    items: Idxs
    scored: Scored | None = None
    rung: str = "race"
    controls: Controls = FREE
    signals: Signals | None = None


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
        Of the reasons, a key of `recsys.sentences.LANGUAGES`.
    """
    signals = request.controls.signals(history, millis(at))
    if not request.controls.is_personal:
        # From here on nobody knows for whom it is.
        request = replace(request, user_id=None)
    context, answering = context_of(request, history, bundle, at), bundle.answering(request.scene)
    request.lap("context")
    # Chance must not tell nobody's lists of one minute apart: those of who is off are among them.
    nobodys = f"{context.scene} {context.at_ms // 60_000}"
    draw = nobodys if request.user_id is None else list_id
    context = under_rules(bundle, replace(context, seed=hash64(draw)))
    made = _rarer(bundle, context, request, draw)
    placed, course, models = made.placed, made.course, made.models
    request.lap("seats")
    explainer = _explainer(bundle, request, course, models, language)
    served = ServedList(
        list_id=list_id,
        user_id=request.user_id,
        scene=request.scene,
        at=at,
        bundle=bundle.bundle_id,
        pipeline=course.pipeline.name,
        personalised=_is_personal(placed.candidates, request, course.pipeline, models),
        degraded=placed.failed if answering == request.scene else (*placed.failed, "scene"),
        items=_items(placed.candidates, course, explainer, made.chances),
        relaxed=made.relaxed,
        mix=None if made.share is None else made.share._asdict(),
        commission=asdict(placed.lean) if placed.lean.moved else None,
    )
    request.lap("reasons")
    told = placed.candidates.items, placed.scored, placed.rung
    return Answer(served, *told, request.controls, signals)


class _Made(NamedTuple):
    """A list before texts: its course with all sources, who speaks for them, what chance did."""

    placed: Placed
    course: Course
    models: Mapping[str, Tells]
    chances: Mapping[int, float]
    relaxed: tuple[str, ...]
    share: Share | None


def _explainer(
    bundle: Bundle, request: Request, course: Course, models: Mapping[str, Tells], language: str
) -> Explainer:
    context = course.context
    beside: tuple[int, ...] = ()
    if bundle.fresh is not None:
        beside = tuple(_basket(request, context.history, bundle, context.at_ms).tolist())
    return Explainer(
        pipeline=course.pipeline,
        context=context,
        standing=context.history.standing(context.at_ms),
        catalog=bundle.catalog,
        models=models,
        language=language,
        beside=beside,
    )


def _rarer(bundle: Bundle, context: Context, request: Request, draw: str) -> _Made:
    """The list before texts, made once more if it shows too much of what was refused lately."""
    first = _placed(bundle, context, request, draw)
    items = first.placed.candidates.items
    halved = context.controls.halved(items, bundle.catalog, context.at_ms)
    if halved is None:
        return first
    again = _placed(bundle, replace(context, halved=halved), request, draw)
    placed = followed(again.placed, first.placed, request.k)
    return again._replace(placed=placed, chances={**first.chances, **again.chances})


def _placed(bundle: Bundle, context: Context, request: Request, draw: str) -> _Made:
    """The whole list before it gets texts, and the run that it came of."""
    course, share = _shared(course_of(bundle, context, request), bundle, request.user_id)
    placed, course, models = _joined(
        course.placed(bundle.scorer(context)), course, bundle, request.k
    )
    placed, course, chances, relaxed = steered(placed, course, bundle, k=request.k, draw=draw)
    return _Made(placed, course, models, chances, relaxed, share)


def _shared(course: Course, bundle: Bundle, user_id: str | None) -> tuple[Course, Share | None]:
    """The course with the share of products that is best for the person, and what became of it."""
    mix = bundle.mix_for(course.context)
    if mix is None:
        return course, None
    share = mix.share(course.context.row, bundle.catalog, user_id)
    pipeline = replace(course.pipeline, video_share=1 - share.commerce)
    return replace(course, pipeline=pipeline), share


def _joined(
    placed: Placed, course: Course, bundle: Bundle, k: int
) -> tuple[Placed, Course, Mapping[str, Tells]]:
    """The list with what no model knows seated in it, and who can say why it is there."""
    context, models = course.context, dict[str, Tells]({**bundle.models, **SPEAKING})
    if bundle.fresh is not None:
        row = _row(context.history, bundle, context.at_ms)
        placed = bundle.fresh.joined(placed, row, course)
        course = replace(course, pipeline=with_source(course.pipeline))
        models[SOURCE] = bundle.fresh
    if bundle.claims is not None:
        claimed = bundle.claims.claimed(context, bundle.catalog, bundle.models)
        if len(claimed.items):
            placed = bundle.claims.joined(placed, course, claimed, k)
            course = replace(course, pipeline=claims.with_source(course.pipeline))
            models[claims.SOURCE] = bundle.claims
    return placed, course, models


def course_of(bundle: Bundle, context: Context, request: Request | None = None) -> Course:
    """The run of a bundle's pipeline for one context; without a request nobody waits for it."""
    pipeline = bundle.pipelines[bundle.answering(context.scene)]
    stages = tuple(dict.fromkeys((*ALWAYS, *pipeline.stages)))
    if stages != pipeline.stages:
        pipeline = replace(pipeline, stages=stages)
    return Course(
        pipeline=pipeline,
        context=context,
        catalog=bundle.catalog,
        models=bundle.models,
        bars=barring(stages, context, bundle.catalog),
        remaining_ms=unhurried if request is None else request.remaining_ms,
        lap=untimed if request is None else request.lap,
    )


def context_of(request: Request, history: History, bundle: Bundle, at: datetime) -> Context:
    """What a request comes down to: all that its list depends on."""
    scene, at_ms, controls = scene_named(request.scene), millis(at), request.controls
    barred = controls.barred(history, bundle.catalog)
    history = controls.speaking(history, bundle.catalog)
    basket = _basket(request, history, bundle, at_ms)
    known, fresh = history, bundle.fresh
    if fresh is not None:
        known = fresh.known(history)
    row = _row(known, bundle, at_ms)
    return Context(
        scene=scene.name,
        k=request.k,
        kinds=scene.kinds if request.kinds is None else request.kinds,
        history=history,
        row=row,
        basket=evenly(basket if fresh is None else fresh.stand_ins(basket)),
        excluded=_excluded(request, bundle, basket, history, barred),
        resting=claims.resting(scene.name, row, bundle.catalog, bundle.models),
        at_ms=at_ms,
        controls=controls,
        session=request.session,
        standing=standing_of(history, bundle.catalog, bundle.tiers, at_ms),
    )


def _row(history: History, bundle: Bundle, at_ms: int) -> Row:
    return bundle.taste.row_now(history, at_ms).strongest(ROW_ITEMS)


def _excluded(
    request: Request, bundle: Bundle, basket: Idxs, history: History, barred: Idxs
) -> Idxs:
    """What the caller does not want, what is barred, and what models cannot be told of."""
    ids = bundle.catalog.ids
    found: list[NDArray[Any]] = [barred] if len(barred) else []
    if request.exclude or request.shown:
        found += [ids.find_all(request.exclude), ids.marked(request.shown)]
    if bundle.fresh is not None:
        disliked = history.items_of(EventType.DISLIKE)
        found += [one[one >= bundle.fresh.n_known] for one in (basket, disliked)]
    return _distinct(found) if found else np.empty(0, dtype=np.int32)


def _distinct(found: list[NDArray[Any]]) -> Idxs:
    return np.unique(np.concatenate(found)).astype(np.int32)


def _basket(request: Request, history: History, bundle: Bundle, at_ms: int) -> Idxs:
    about = scene_named(request.scene).about
    if request.basket and about is not About.NOTHING:
        return bundle.catalog.ids.find_all(request.basket).astype(np.int32)
    return latest(about, history, at_ms)


def _is_personal(
    candidates: Candidates, request: Request, pipeline: Pipeline, models: Mapping[str, Tells]
) -> bool:
    """Whether anything the person did before speaks; what the caller names is no history."""
    return any(
        models[source.model].is_personal
        and (source.of == "history" or not request.basket)
        and bool(part.any())
        for source, part in zip(pipeline.sources, candidates.parts, strict=True)
    )


def _items(
    candidates: Candidates, course: Course, explainer: Explainer, chances: Mapping[int, float]
) -> tuple[ServedItem, ...]:
    items, catalog = candidates.items, course.catalog
    context = course.context
    coupons = coupons_on(items, catalog.campaigns, context.history, context.at_ms)
    told = zip(
        catalog.ids.raws(items),
        catalog.kind[items].tolist(),
        candidates.scores.tolist(),
        catalog.ad[items].tolist(),
        explainer.explain(candidates),
        map(chances.get, items.tolist()),
        map(coupons.get, items.tolist()),
        strict=True,
    )
    return tuple(
        ServedItem(
            item_id=item_id.decode(),
            kind=WORDS[kind],
            rank=place,
            score=score,
            source=source,
            reason=reason,
            ad=ad,
            probability=probability,
            coupon=coupon,
        )
        for place, (item_id, kind, score, ad, (source, reason), probability, coupon) in enumerate(
            told
        )
    )
