"""Figures of a configuration on a shop: trained on the past, asked about what came after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from recsys.bundle import Bundle
from recsys.catalog import Kind
from recsys.contenders import Contender
from recsys.errors import ConfigError, InvalidInput
from recsys.evaluation import Answers, Case, Contest, Question
from recsys.events import EventType, moment
from recsys.interactions import Taste
from recsys.rules import Rule
from recsys.scenes import MEASURED, SCENES, scene_named
from recsys.variety import Takers, Traits
from training.cases import HeldOut, checkout_cases, held_out_cases, home_cases
from training.config import TrainConfig
from training.fit import Progress, fit, learned_taste, quiet, served_losses
from training.shop import Shop

# Each kind alone, then the mixed list.
ALL_KINDS = ((Kind.PRODUCT,), (Kind.VIDEO,), (Kind.VIDEO, Kind.PRODUCT))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Answers, and how the events were split for them.

    Parameters
    ----------
    split
        JSON values.
    served
        By model and kind: the share of its true best that its lists find, where that was measured.
    """

    split: dict[str, Any]
    answers: tuple[Answers, ...]
    served: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """All of it as JSON values."""
        found = {"split": self.split, "answers": [one.plain() for one in self.answers]}
        return found | ({"served_recall": self.served} if self.served else {})

    def about(self, scene: str, kinds: tuple[Kind, ...]) -> Answers | None:
        """What was found out about one scene and these kinds, in any order."""
        for one in self.answers:
            if one.question.scene == scene and set(one.question.kinds) == set(kinds):
                return one
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked beyond the figures of one configuration.

    Parameters
    ----------
    against
        Another configuration, learned from the same events and compared on the same persons.
    is_ablated
        Whether the pipelines are compared with themselves without each source.
    is_detailed
        Whether figures along the list and of finer parts of the people are told.
    has_losses
        Whether it is measured what answering from prepared lists loses.
    rules
        The shop's, which pipelines compared with themselves are also put under.
    """

    against: TrainConfig | None = None
    is_ablated: bool = False
    is_detailed: bool = True
    has_losses: bool = False
    rules: tuple[Rule, ...] = ()


def questions(
    scenes: Sequence[str],
    kinds: Sequence[tuple[Kind, ...]] = ALL_KINDS,
    **more: Any,
) -> list[Question]:
    """One question a scene and choice of kinds; `more` are fields of `Question`.

    Raises
    ------
    InvalidInput
        A scene is unknown, or nothing people did says if its lists were right.
    """
    for scene in scenes:
        if not scene_named(scene).is_measured:
            raise InvalidInput(f"{scene} cannot be evaluated; allowed: {', '.join(MEASURED)}")
    return [Question(scene=scene, kinds=one, **more) for scene in scenes for one in kinds]


def evaluate_by_time(
    shop: Shop,
    config: TrainConfig,
    asked: Sequence[Question],
    *,
    plan: Plan | None = None,
    progress: Progress = quiet,
) -> Evaluation:
    """Learn from what was before the split, ask about what came after.

    The past alone decides the watch curve, popularity and every model. The catalogue is today's:
    what was on sale then is not known.

    Raises
    ------
    ConfigError
        The events cannot be split.
    """
    split_ms = shop.split_ms(config.holdout_days)
    before, since = shop.before(split_ms), shop.since(split_ms)
    plan = plan or Plan()
    contest = _contest(before, config, plan, len(asked), split_ms, progress)
    bundle = contest.bundle.bundle
    split = {"by": "time"} | _parted(before, since, split_ms)
    cases = _cases(before, since, bundle.taste, split_ms)
    found = _evaluation(split, contest, asked, cases, progress)
    return _with_losses(found, bundle, before, config, progress) if plan.has_losses else found


def evaluate_on_file(
    shop: Shop,
    config: TrainConfig,
    asked: Sequence[Question],
    acts: Sequence[HeldOut],
    *,
    plan: Plan | None = None,
    progress: Progress = quiet,
) -> Evaluation:
    """Learn from everything in the home, ask about held-out events that are not in it."""
    plan = plan or Plan()
    contest = _contest(shop, config, plan, len(asked), None, progress)
    bundle = contest.bundle.bundle
    cases = list(held_out_cases(shop, acts, bundle.taste))
    n_unknown = sum(shop.catalog.ids.find(item_id) is None for item_id in {a.item_id for a in acts})
    split = {
        "by": "file",
        "events_before": len(shop.histories.events),
        "events_since": len(acts),
        "unknown_items": n_unknown,
    }
    found = _evaluation(split, contest, asked, dict.fromkeys(MEASURED, cases), progress)
    return _with_losses(found, bundle, shop, config, progress) if plan.has_losses else found


def _with_losses(
    found: Evaluation, bundle: Bundle, shop: Shop, config: TrainConfig, progress: Progress
) -> Evaluation:
    return replace(found, served=served_losses(bundle, shop, seed=config.seed, progress=progress))


def evaluate_bundles(
    shop: Shop,
    config: TrainConfig,
    asked: Sequence[Question],
    bundles: Sequence[Bundle],
    *,
    plan: Plan | None = None,
    progress: Progress = quiet,
) -> Evaluation:
    """Ask a bundle, and one it is compared with, about what came after the data of both.

    Parameters
    ----------
    config
        Of the home: what counts as a target.
    bundles
        One or two.

    Raises
    ------
    ConfigError
        Nothing came after.
    """
    plan = plan or Plan()
    split_ms = max(bundle.data_until_ms for bundle in bundles) + 1
    before, since = shop.before(split_ms), shop.since(split_ms)
    if len(since.histories.events) == 0:
        raise ConfigError(
            f"no event comes after {moment(split_ms - 1).isoformat()}, where the data of "
            f"{' and '.join(bundle.bundle_id for bundle in bundles)} end; allowed: bundles older "
            "than some events, or configurations, which are learned anew on one split"
        )
    first, *others = [Contender.foreign(bundle, shop.catalog) for bundle in bundles]
    contest = Contest(
        bundle=first,
        catalog=shop.catalog,
        traits=Traits.of(shop.catalog, takers(before, config)),
        against=others[0] if others else None,
        is_ablated=plan.is_ablated,
        rules=plan.rules,
        n_verdicts=len(asked),
        seed=config.seed,
    )
    split: dict[str, Any] = {"by": "bundles", "bundles": [bundle.bundle_id for bundle in bundles]}
    cases = _cases(before, since, learned_taste(before, config, split_ms), split_ms)
    split |= _parted(before, since, split_ms)
    found = _evaluation(split, contest, asked, cases, progress)
    return replace(found, served=bundles[0].figures.get("served_recall", {}))


def takers(shop: Shop, config: TrainConfig) -> Takers:
    """How many persons had to do with each item, by any act that speaks for it."""
    events, n_items = shop.histories.events, len(shop.catalog)
    speaks = np.zeros(len(EventType), dtype=np.bool_)
    speaks[[kind for kind, weight in config.weights.items() if weight > 0]] = True
    cells = np.unique((shop.histories.persons() * n_items + events.item)[speaks[events.type]])
    return Takers(
        counts=np.bincount(cells % n_items, minlength=n_items).astype(np.int64),
        n_persons=len(np.unique(cells // n_items)),
    )


def _contest(
    shop: Shop,
    config: TrainConfig,
    plan: Plan,
    n_questions: int,
    as_of_ms: int | None,
    progress: Progress,
) -> Contest:
    def learned(said: TrainConfig) -> Contender:
        bundle_id = "evaluation"
        return Contender(fit(shop, said, bundle_id=bundle_id, as_of_ms=as_of_ms, progress=progress))

    return Contest(
        bundle=learned(config),
        catalog=shop.catalog,
        traits=Traits.of(shop.catalog, takers(shop, config)),
        against=None if plan.against is None else learned(plan.against),
        is_ablated=plan.is_ablated,
        rules=plan.rules,
        n_verdicts=n_questions,
        is_detailed=plan.is_detailed,
        seed=config.seed,
    )


def _cases(before: Shop, since: Shop, taste: Taste, split_ms: int) -> dict[str, list[Case]]:
    return {
        "home": list(home_cases(before, since, taste, split_ms)),
        "post_checkout": list(checkout_cases(before, since, taste)),
    }


def _parted(before: Shop, since: Shop, split_ms: int) -> dict[str, Any]:
    return {
        "at": moment(split_ms).isoformat(),
        "events_before": len(before.histories.events),
        "events_since": len(since.histories.events),
    }


def _evaluation(
    split: dict[str, Any],
    contest: Contest,
    asked: Sequence[Question],
    cases: dict[str, list[Case]],
    progress: Progress,
) -> Evaluation:
    def answered(question: Question) -> Answers:
        where = f"asking {question.scene} {question.kinds_word}"
        return contest.answers(
            question, cases[question.scene], lambda done, total: progress(where, done, total)
        )

    return Evaluation(split=split, answers=tuple(answered(one) for one in asked))


def scenes_asked(*, has_times: bool) -> list[str]:
    """The scenes that can be asked about; an order and what came after it need times."""
    return [name for name in MEASURED if has_times or not SCENES[name].has_basket]
