"""A bundle with the figures that say whether it may be published."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

import numpy as np

from recsys.bundle import Bundle
from recsys.catalog import Kind
from recsys.errors import ConfigError
from recsys.events import Event, EventType
from recsys.figures import GAIN
from recsys.golden import FIGURE, golden
from recsys.histories import History
from recsys.recommend import Request, recommend
from training.config import TrainConfig
from training.evaluate import Evaluation, Plan, evaluate_by_time, questions, scenes_asked
from training.fit import Progress, fit, quiet, served_losses
from training.shop import Shop
from training.vitals import plain, vital_failures, vitals

KS = (10, 20)
# With fewer persons an interval says nothing.
MIN_PERSONS = 30
GATE_RULE = (
    "published only if every scene gives a stranger, and a person who had the most popular item, a "
    "list that is not empty and has finite scores; and if, on the split by time, NDCG@20 of the "
    "home list is not significantly below that of popularity alone (95 % interval of the paired "
    f"difference not wholly below 0; asked only with {MIN_PERSONS} persons or more); and if, on "
    "persons it learned from, lists are about the person, find what they must have seen, and reach "
    "at least half of the items that the bundle in use does"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A bundle, its evaluation, and what speaks against publishing it."""

    bundle: Bundle
    evaluation: Evaluation | None
    refusals: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a bundle is judged by, besides what is asked of every bundle.

    Parameters
    ----------
    is_evaluated
        Whether its configuration is measured on a split by time.
    before
        The figures of the bundle in use, if there is one.
    """

    is_evaluated: bool = True
    before: Mapping[str, Any] | None = None


ALL = Judged()


def new_bundle_id(created_at: datetime) -> str:
    """An id that sorts by time."""
    return f"{created_at:%Y%m%dT%H%M%S}-{created_at.microsecond:06d}"


def release(
    shop: Shop,
    config: TrainConfig,
    *,
    created_at: datetime,
    origin: dict[str, Any],
    judged: Judged = ALL,
    progress: Progress = quiet,
) -> Release:
    """Evaluate on a split by time, then learn from everything.

    Parameters
    ----------
    origin
        What the bundle shall say of where it comes from, besides what is known here.
    """
    evaluation, note = None, "not asked for"
    if judged.is_evaluated:
        try:
            evaluation, note = evaluated(shop, config, progress), ""
        except ConfigError as error:
            # Undated or few events: the bundle is still of use, and says that it was not measured.
            note = str(error)
    bundle = fit(shop, config, bundle_id=new_bundle_id(created_at), progress=progress)
    losses = served_losses(bundle, shop, seed=config.seed, progress=progress)
    signs = vitals(bundle, shop, seed=config.seed)
    refusals = (
        *golden_failures(bundle, created_at),
        *comparison_failures(evaluation),
        *vital_failures(signs, judged.before),
    )
    figures = {
        "evaluation": evaluation.plain() if evaluation else {"skipped": note},
        "served_recall": losses,
        "contributions": contributions(bundle),
        "vitals": plain(signs),
        FIGURE: [] if refusals else golden(bundle, seed=config.seed),
        "gate": {"rule": GATE_RULE, "refusals": list(refusals)},
    }
    by = {"created_at": created_at.isoformat(), **origin}
    bundle = replace(bundle, figures=figures, origin={**by, **bundle.origin})
    return Release(bundle=bundle, evaluation=evaluation, refusals=refusals)


@runtime_checkable
class Weighing(Protocol):
    """A model that learned what each behaviour is worth."""

    def contributions(self) -> dict[Kind, dict[str, float]]:
        """By kind and behaviour, in the model's own unit."""


def contributions(bundle: Bundle) -> dict[str, dict[str, dict[str, float]]]:
    """What each behaviour adds, of the models that know it."""
    return {
        name: {kind.word: told for kind, told in model.contributions().items()}
        for name, model in bundle.models.items()
        if isinstance(model, Weighing)
    }


def evaluated(shop: Shop, config: TrainConfig, progress: Progress) -> Evaluation:
    """The figures that go with a bundle: every scene, each kind and the mixed list."""
    asked = questions(scenes_asked(has_times=True), ks=KS, people=config.people)
    plan = Plan(is_detailed=False)
    return evaluate_by_time(shop, config, asked, plan=plan, progress=progress)


def comparison_failures(evaluation: Evaluation | None) -> list[str]:
    """The second half of the rule."""
    found = evaluation and evaluation.about("home", tuple(Kind))
    if not found or found.n_persons < MIN_PERSONS:
        return []
    gain = found.find(GAIN, "ndcg", KS[-1])
    if gain.high >= 0:
        return []
    return [
        f"NDCG@{KS[-1]} of the home list is below that of popularity alone by {-gain.mean:.4f}, "
        f"95 % interval {gain.low:.4f} to {gain.high:.4f}, {gain.n} persons"
    ]


def golden_failures(bundle: Bundle, at: datetime) -> list[str]:
    """The first half of the rule: lists that must work whatever was learned."""
    failures = []
    for name, history in _golden(bundle).items():
        for scene in bundle.pipelines:
            request = Request(scene=scene)
            served = recommend(request, history, bundle, at=at, list_id="golden").served
            if not served.items:
                failures.append(f"{scene} gives {name} an empty list")
            if not all(np.isfinite(item.score) for item in served.items):
                failures.append(f"{scene} gives {name} scores that are not finite")
            if served.degraded:
                failures.append(f"{scene} gives {name} a degraded list: {served.degraded}")
    return failures


def _golden(bundle: Bundle) -> dict[str, History]:
    stranger = History.empty()
    row = bundle.taste.row(stranger, bundle.data_until_ms)
    found = {"a stranger": stranger}
    for model in bundle.models.values():
        best = [] if model.is_personal else model.candidates(row, 1, None).items.tolist()
        for item_idx in best:
            found["a person who had the most popular item"] = _having(item_idx, bundle)
    return found


def _having(item_idx: int, bundle: Bundle) -> History:
    """The history of who played this video, or ordered this product, and did nothing else."""
    is_video = bundle.catalog.kind[item_idx] == Kind.VIDEO
    event = Event(
        event_id="golden",
        user_id="golden",
        item_id=bundle.catalog.ids[item_idx],
        type=EventType.PLAY if is_video else EventType.ORDER,
        at=None,
    )
    return History.of([(item_idx, event)])
