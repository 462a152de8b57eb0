"""Learns what orders a scene's candidates, and uses it only where it beats reciprocal ranks.

The past is cut once more: models learn from what was before the cut, a scorer from what people did
after it, and it is judged on people it did not learn from.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys.bundle import Bundle
from recsys.catalog import Idxs
from recsys.errors import ConfigError
from recsys.evaluation import Case
from recsys.events import millis, moment
from recsys.facts import Facts
from recsys.features import names_of
from recsys.metrics import Estimate
from recsys.pipeline import AGAIN, Pipeline
from recsys.ranker import Ranker, flattened
from training.cases import checkout_cases, home_cases
from training.config import AUTO, RRF, TrainConfig
from training.exposures import BROUGHT_MS, Exposure
from training.lessons import JUDGED_K, Lesson, Teacher, thinned
from training.objectives import Valued
from training.shop import Shop

Floats = NDArray[np.float64]
# What is done now, how many of its steps are done, of how many.
Progress = Callable[[str, int, int], None]

# The persons are dealt into so many parts; each is judged by what the others taught.
FOLDS = 3
# With fewer persons nothing can be learned or judged, and reciprocal ranks stay.
MIN_PERSONS = 100
# Fewer lists that were seen teach less than what people did of their own accord.
MIN_EXPOSURES = 500
# Candidates of a list that brought nothing teach little more when there are more of them.
OTHERS = 60
# Models for the inner cut learn from whole histories of any persons, up to so many events.
MAX_EVENTS = 5_000_000
LEVELS = 30
MANY_ROWS = 200_000
# Small trees: lists to learn from are few, and a request asks every tree.
N_TREES, DEPTH = 80, 4
LAMBDARANK: dict[str, Any] = {
    "objective": "lambdarank",
    "learning_rate": 0.06,
    "num_leaves": 12,
    "max_depth": DEPTH,
    "min_data_in_leaf": 50,
    "lambda_l2": 10.0,
    "feature_fraction": 0.6,
    "lambdarank_truncation_level": 30,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}


@dataclass(frozen=True, slots=True, eq=False)
class Scorers:
    """What scorers were learned, and where they are used.

    Attributes
    ----------
    chosen
        By scene, the scorer to use; empty where reciprocal ranks stay.
    said
        By scene, how it was found out; JSON values.
    """

    rankers: Mapping[str, Ranker] = field(default_factory=dict)
    chosen: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Cut:
    """The past cut in two, with the models of its first part."""

    before: Shop
    since: Shop
    split_ms: int
    bundle: Bundle
    facts: Facts
    valued: Valued


class _Asked(NamedTuple):
    """A person at a moment, and what they were shown then; None where nothing is known of that."""

    case: Case
    shown: Idxs | None


def learned_scorers(
    shop: Shop,
    config: TrainConfig,
    fitted: Callable[[Shop, int], Bundle],
    progress: Progress,
) -> Scorers:
    """The scorers of every scene that wants one.

    Parameters
    ----------
    fitted
        From a shop's past and a moment to models without scorers.
    """
    wanted = {scene: one for scene, one in config.pipelines.items() if one.scorer != RRF}
    if not wanted:
        return Scorers()
    try:
        split_ms = shop.split_ms(config.holdout_days)
    except ConfigError as error:
        return Scorers(said={scene: {"used": "", "note": str(error)} for scene in wanted})
    before, since = shop.before(split_ms), shop.since(split_ms)
    n_active = int((np.diff(since.histories.offsets) > 0).sum())
    if n_active < MIN_PERSONS:
        return Scorers(said={scene: _too_few(n_active) for scene in wanted})
    cut = _cut(before, since, split_ms, config.seed, fitted)
    rankers: dict[str, Ranker] = {}
    chosen: dict[str, str] = {}
    said: dict[str, Any] = {}
    for scene, pipeline in wanted.items():
        source, lessons = _lessons(scene, pipeline, cut, config, progress)
        ranker, said[scene] = _judged(lessons, pipeline, config.seed)
        said[scene]["learned_from"] = source
        if ranker is not None and said[scene]["used"]:
            rankers[scene], chosen[scene] = ranker, "ranker"
    return Scorers(rankers, chosen, said)


def _too_few(n_persons: int) -> dict[str, Any]:
    note = f"{n_persons} persons to learn from and judge by; allowed: {MIN_PERSONS} or more"
    return {"used": "", "note": note}


def _cut(
    before: Shop, since: Shop, split_ms: int, seed: int, fitted: Callable[[Shop, int], Bundle]
) -> _Cut:
    bundle = fitted(before.sampled(MAX_EVENTS, seed), split_ms)
    return _Cut(
        before=before,
        since=since,
        split_ms=split_ms,
        bundle=bundle,
        facts=Facts.learned(before.histories, bundle.taste, before.catalog, split_ms),
        valued=Valued.of(bundle.taste, before.catalog),
    )


def _lessons(
    scene: str, pipeline: Pipeline, cut: _Cut, config: TrainConfig, progress: Progress
) -> tuple[str, list[Lesson]]:
    """What the lessons come from, and those of some persons who acted after the cut.

    What people were shown teaches what they choose of it; with few such lists, the candidates that
    they would have been shown do.
    """
    seen = [one for one in cut.since.exposures if one.scene == scene]
    if len(seen) >= MIN_EXPOSURES:
        cases = [_seen_case(one, cut) for one in seen]
    else:
        cases = [_Asked(case, None) for case in _split_cases(scene, cut) if len(case.targets)]
    rng = np.random.default_rng(config.seed)
    n_asked = min(config.scorer_people, len(cases))
    teacher = Teacher(bundle=cut.bundle, facts=cut.facts, scene=scene)
    found: list[Lesson] = []
    persons = {case.user_id: number for number, (case, _) in enumerate(cases)}
    for done, number in enumerate(np.sort(rng.choice(len(cases), size=n_asked, replace=False))):
        case, shown = cases[int(number)]
        until_ms = None if shown is None else millis(case.at) + BROUGHT_MS
        items, gains = _gained(case, cut, pipeline.objective, until_ms)
        found += teacher.lessons(case, persons[case.user_id], (items, gains), shown)
        progress(f"learning to rank: {scene}", done + 1, n_asked)
    return ("exposures" if len(seen) >= MIN_EXPOSURES else "split by time"), found


def _split_cases(scene: str, cut: _Cut) -> list[Case]:
    taste = cut.bundle.taste
    if scene == "home":
        return list(home_cases(cut.before, cut.since, taste, cut.split_ms))
    return list(checkout_cases(cut.before, cut.since, taste))


def _seen_case(one: Exposure, cut: _Cut) -> _Asked:
    """A person as they were when they were shown a list; what they do within a day is asked."""
    earlier, later = cut.before.of_user(one.user_id), cut.since.of_user(one.user_id)
    history = earlier.merged(later.take(later.at_ms < one.at_ms))
    case = Case(user_id=one.user_id, history=history, at=moment(one.at_ms), targets=one.shown)
    return _Asked(case, one.shown)


def _gained(
    case: Case, cut: _Cut, objective: Mapping[str, float], until_ms: int | None
) -> tuple[Idxs, Floats]:
    """What the targets of a case brought; other later acts of the person are not asked about."""
    later = cut.since.of_user(case.user_id)
    asked = (later.at_ms >= millis(case.at)) & np.isin(later.item, case.targets)
    if until_ms is not None:
        asked &= later.at_ms < until_ms
    later = later.take(asked)
    items, gains = cut.valued.gains(later, objective, cut.since.until_ms)
    is_known = np.isin(items, case.history.item)
    return items, gains * np.where(is_known, objective.get(AGAIN, 1.0), 1.0)


def _judged(
    lessons: list[Lesson], pipeline: Pipeline, seed: int
) -> tuple[Ranker | None, dict[str, Any]]:
    """A ranker of everybody's lessons, and how those do that others' lessons taught."""
    n_persons = len({lesson.person for lesson in lessons})
    if n_persons < MIN_PERSONS:
        return None, _too_few(n_persons)
    names = names_of([source.name for source in pipeline.sources])
    orders = {"rrf": [one.fused for one in lessons], "ranker": cross_fitted(lessons, names, seed)}
    taught = thinned(lessons, OTHERS, np.random.default_rng(seed))
    ranker, told = learned_ranker(taught, names, seed)
    compared, new = (compare(lessons, orders, is_new) for is_new in (False, True))
    gain = Estimate.of(compared["ranker"] - compared["rrf"])
    # Who ranks up only what the person knows already must not push out what is new to them.
    gain_new = Estimate.of(new["ranker"] - new["rrf"])
    is_used = pipeline.scorer != AUTO or (gain.low > 0 and not gain_new.high < 0)
    return ranker, {
        "used": "ranker" if is_used else "",
        "objective": dict(pipeline.objective),
        "lists": len(lessons),
        "persons": n_persons,
        f"ndcg@{JUDGED_K}": {
            **{name: asdict(Estimate.of(values)) for name, values in compared.items()},
            "ranker − rrf": asdict(gain),
            "ranker − rrf, new to the person": asdict(gain_new),
        },
        "features": told,
    }


def cross_fitted(lessons: Sequence[Lesson], names: Sequence[str], seed: int) -> list[Floats]:
    """Scores of each lesson's candidates by a ranker that other persons' lessons taught."""
    rng = np.random.default_rng(seed)
    persons = np.unique([lesson.person for lesson in lessons])
    fold_of = dict(zip(persons.tolist(), rng.permutation(len(persons)) % FOLDS, strict=True))
    found: dict[int, Floats] = {}
    for fold in range(FOLDS):
        taught = thinned([one for one in lessons if fold_of[one.person] != fold], OTHERS, rng)
        ranker, _ = learned_ranker(taught, names, seed)
        for number, lesson in enumerate(lessons):
            if fold_of[lesson.person] == fold:
                found[number] = ranker.scores(lesson.table)
    return [found[number] for number in range(len(lessons))]


def compare(
    lessons: Sequence[Lesson], orders: Mapping[str, Sequence[Floats]], is_new: bool = False
) -> dict[str, Floats]:
    """By way of ordering, one value a person: the mean over their lists.

    Parameters
    ----------
    orders
        Scores of each lesson's candidates.
    is_new
        Whether only what was new to the person counts, as evaluations ask.
    """
    judge = Lesson.ndcg_new if is_new else Lesson.ndcg
    asked = [place for place, one in enumerate(lessons) if not is_new or one.best_new > 0]
    persons, where = np.unique([lessons[place].person for place in asked], return_inverse=True)
    counts = np.bincount(where, minlength=len(persons))
    return {
        name: np.bincount(where, [judge(lessons[place], scores[place]) for place in asked]) / counts
        for name, scores in orders.items()
    }


def learned_ranker(
    lessons: Sequence[Lesson], names: Sequence[str], seed: int
) -> tuple[Ranker, dict[str, float]]:
    """Trees that order candidates by gain, by LambdaMART (Burges 2010) as LightGBM has it.

    Returns
    -------
    The ranker, and the features that helped most, with their shares of all that features helped.
    """
    import lightgbm

    labels, levels = _labels(np.concatenate([lesson.gains for lesson in lessons]))
    data = lightgbm.Dataset(
        np.concatenate([lesson.table for lesson in lessons]),
        labels,
        group=[len(lesson.gains) for lesson in lessons],
        feature_name=list(names),
        params={"verbose": -1},
    )
    # Threads that wait for each other at every node cost more than they share on few rows.
    n_threads = 1 if len(labels) < MANY_ROWS else 2
    said = {**LAMBDARANK, "seed": seed, "label_gain": levels, "num_threads": n_threads}
    model = lightgbm.train(said, data, N_TREES)
    helped = model.feature_importance("gain")
    shares = helped / max(float(helped.sum()), 1e-12)
    told = {names[i]: round(float(shares[i]), 4) for i in np.argsort(-shares)[:10]}
    return Ranker.of(flattened(model.dump_model()["tree_info"], DEPTH), names), told


def _labels(gains: Floats) -> tuple[NDArray[np.int64], list[float]]:
    """Gains as a few levels, as LightGBM wants them: the level of each, and what a level gains."""
    levels = np.unique(gains[gains > 0])
    if len(levels) > LEVELS:
        levels = np.unique(np.quantile(levels, np.linspace(0, 1, LEVELS), method="nearest"))
    labels = np.searchsorted(levels, gains, side="right")
    return labels.astype(np.int64), [0.0, *levels.tolist()]
