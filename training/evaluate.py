"""Figures of a configuration on a shop: trained on the past, asked about what came after."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from recsys.bundle import Bundle
from recsys.catalog import Kind
from recsys.evaluation import Answers, Case, Question, evaluate
from recsys.events import moment
from recsys.scenes import SCENES, scene_named
from training.cases import HeldOut, checkout_cases, held_out_cases, home_cases
from training.config import TrainConfig
from training.fit import Progress, fit, quiet
from training.shop import Shop

# Each kind alone, then the mixed list.
ALL_KINDS = ((Kind.PRODUCT,), (Kind.VIDEO,), (Kind.VIDEO, Kind.PRODUCT))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Answers, and how the events were split for them; `split` holds JSON values."""

    split: dict[str, Any]
    answers: tuple[Answers, ...]

    def plain(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {"split": self.split, "answers": [one.plain() for one in self.answers]}

    def about(self, scene: str, kinds: tuple[Kind, ...]) -> Answers | None:
        """What was found out about one scene and these kinds, in any order."""
        for one in self.answers:
            if one.question.scene == scene and set(one.question.kinds) == set(kinds):
                return one
        return None


def questions(
    scenes: Sequence[str],
    kinds: Sequence[tuple[Kind, ...]] = ALL_KINDS,
    **more: Any,
) -> list[Question]:
    """One question a scene and choice of kinds; `more` are fields of `Question`."""
    return [
        Question(scene=scene_named(scene).name, kinds=one, **more)
        for scene in scenes
        for one in kinds
    ]


def evaluate_by_time(
    shop: Shop, config: TrainConfig, asked: Iterable[Question], *, progress: Progress = quiet
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
    bundle = fit(before, config, bundle_id="evaluation", as_of_ms=split_ms, progress=progress)
    by_scene = {
        "home": list(home_cases(before, since, bundle.taste, split_ms)),
        "post_checkout": list(checkout_cases(before, since, bundle.taste)),
    }
    split = {
        "by": "time",
        "at": moment(split_ms).isoformat(),
        "events_before": len(before.histories.events),
        "events_since": len(since.histories.events),
    }
    answers = tuple(_answer(one, by_scene[one.scene], bundle, config, progress) for one in asked)
    return Evaluation(split=split, answers=answers)


def evaluate_on_file(
    shop: Shop,
    config: TrainConfig,
    asked: Iterable[Question],
    acts: Sequence[HeldOut],
    *,
    progress: Progress = quiet,
) -> Evaluation:
    """Learn from everything in the home, ask about held-out events that are not in it."""
    bundle = fit(shop, config, bundle_id="evaluation", progress=progress)
    cases = list(held_out_cases(shop, acts, bundle.taste))
    n_unknown = sum(shop.catalog.ids.find(item_id) is None for item_id in {a.item_id for a in acts})
    split = {
        "by": "file",
        "events_before": len(shop.histories.events),
        "events_since": len(acts),
        "unknown_items": n_unknown,
    }
    answers = tuple(_answer(one, cases, bundle, config, progress) for one in asked)
    return Evaluation(split=split, answers=answers)


def _answer(
    question: Question,
    cases: Sequence[Case],
    bundle: Bundle,
    config: TrainConfig,
    progress: Progress,
) -> Answers:
    where = f"asking {question.scene} {question.kinds_word}"
    return evaluate(
        question,
        cases,
        bundle,
        seed=config.seed,
        progress=lambda done, total: progress(where, done, total),
    )


def scenes_asked(*, has_times: bool) -> list[str]:
    """The scenes that can be asked about; an order and what came after it need times."""
    return [name for name, scene in SCENES.items() if has_times or not scene.has_basket]
