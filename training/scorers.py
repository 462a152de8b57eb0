"""Which scorer orders the candidates of a scene: one that beats reciprocal ranks, or none.

The past is cut once more: models learn from what was before the cut, a scorer from what people did
after it, and it is judged on people it did not learn from. It then orders only lists of the kinds,
and for people with the kinds of past, on which it was better.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys.blend import Blend, unitless
from recsys.bundle import UNHEARD, Bundle
from recsys.catalog import Idxs
from recsys.errors import ConfigError
from recsys.evaluation import Case
from recsys.events import millis, moment
from recsys.facts import Facts
from recsys.features import names_of
from recsys.histories import known_items
from recsys.metrics import Estimate
from recsys.pipeline import AGAIN, Pipeline
from recsys.ranker import Ranker
from training.blend import Races, learned_weights
from training.cases import checkout_cases, home_cases
from training.config import AUTO, RRF, TrainConfig
from training.exposures import BROUGHT_MS, Exposure
from training.lessons import JUDGED_K, Lesson, Teacher
from training.objectives import Valued
from training.rank import learned_ranker
from training.shop import Shop

Floats = NDArray[np.float64]
# What is done now, how many of its steps are done, of how many.
Progress = Callable[[str, int, int], None]

# The persons are dealt into so many parts; each is judged by what the others taught.
FOLDS = 3
# With fewer persons nothing can be learned or judged, and reciprocal ranks stay.
MIN_PERSONS = 100
# In fewer persons of a group of lists what is better cannot be told from luck.
MIN_GROUP = 30
# Fewer lists that were seen teach less than what people did of their own accord.
MIN_EXPOSURES = 500
# Models for the inner cut learn from whole histories of any persons, up to so many events.
MAX_EVENTS = 5_000_000
# Sorts last what fills up races of different length.
BEYOND = -1e6


@dataclass(frozen=True, slots=True, eq=False)
class Scorers:
    """What scorers were learned, and where they are used.

    Attributes
    ----------
    chosen
        By scene, the scorer to use; empty where reciprocal ranks stay.
    reach
        By scene, the groups of lists that it orders; a scene whose scorer is named is not here.
    said
        By scene, how it was found out; JSON values.
    """

    rankers: Mapping[str, Ranker] = field(default_factory=dict)
    blends: Mapping[str, Blend] = field(default_factory=dict)
    chosen: Mapping[str, str] = field(default_factory=dict)
    reach: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    said: Mapping[str, Any] = field(default_factory=dict)

    def adding(self, scene: str, source: str, judged: "_Judged") -> "Scorers":
        """The same with what was found for one more scene, from what lessons of it."""
        one = judged.scorer
        return Scorers(
            rankers={**self.rankers, **({scene: one} if isinstance(one, Ranker) else {})},
            blends={**self.blends, **({scene: one} if isinstance(one, Blend) else {})},
            chosen={**self.chosen, scene: judged.said["used"]},
            reach={**self.reach, **({} if judged.reach is None else {scene: judged.reach})},
            said={**self.said, scene: judged.said | {"learned_from": source}},
        )


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
    found = Scorers()
    for scene, pipeline in wanted.items():
        source, lessons = _lessons(scene, pipeline, cut, config, progress)
        found = found.adding(scene, source, _Judged.of(lessons, pipeline, config.seed))
    return found


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
    is_known = np.isin(items, known_items(case.history))
    return items, gains * np.where(is_known, objective.get(AGAIN, 1.0), 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """The scorer to use, None where reciprocal ranks stay, and how that was found out.

    Attributes
    ----------
    reach
        The groups of lists it orders; None means all, as where a scorer is named.
    """

    scorer: Ranker | Blend | None
    said: dict[str, Any]
    reach: tuple[str, ...] | None = None

    @classmethod
    def of(cls, lessons: list[Lesson], pipeline: Pipeline, seed: int) -> "_Judged":
        """Each way to order judged on persons it did not learn from; the best one that is better.

        The one that is used learns from everybody once more.
        """
        n_persons = len({lesson.person for lesson in lessons})
        if n_persons < MIN_PERSONS:
            return cls(None, _too_few(n_persons))
        names = names_of([source.name for source in pipeline.sources])
        each, is_auto = ways(names, seed), pipeline.scorer == AUTO
        wanted = list(each) if is_auto else [pipeline.scorer]
        orders = {name: cross_fitted(lessons, each[name], seed) for name in wanted}
        by_group = {name: by_groups(lessons, scores) for name, scores in orders.items()}
        used = _best(by_group) if is_auto else pipeline.scorer
        # Where only what is new brings anything, the second look is the first once more.
        tells_new = pipeline.objective.get(AGAIN, 1.0) > 0
        said = {
            "used": used,
            "objective": dict(pipeline.objective),
            "lists": len(lessons),
            "persons": n_persons,
            f"ndcg@{JUDGED_K}": _compared(lessons, orders, tells_new=tells_new),
            **{f"{name} − {RRF} by group": _told(one) for name, one in by_group.items()},
        }
        if not used:
            return cls(None, said)
        learned = each[used](lessons)
        reach = tuple(better(by_group[used])) if is_auto else None
        return cls(learned.scorer, said | {"weights": learned.weights, "reach": reach}, reach)


class _Learned(NamedTuple):
    """A scorer, how it scores a lesson, and what counts in it by how much."""

    scorer: Ranker | Blend
    scores: Callable[[Lesson], Floats]
    weights: dict[str, float]


Way = Callable[[Sequence[Lesson]], _Learned]


def ways(names: Sequence[str], seed: int) -> dict[str, Way]:
    """By name, how each kind of scorer is learned from lessons."""

    def ranker(lessons: Sequence[Lesson]) -> _Learned:
        learned, told = learned_ranker(lessons, names, seed)
        return _Learned(learned, lambda one: learned.trees.scores(one.table), told)

    def blend(lessons: Sequence[Lesson]) -> _Learned:
        learned = blended(lessons)
        sources = [name.removeprefix("says_") for name in names if name.startswith("says_")]
        told = dict(zip(sources, map(float, learned.weights), strict=True))
        return _Learned(learned, lambda one: blend_scores(learned, one), told)

    return {"ranker": ranker, "blend": blend}


def blended(lessons: Sequence[Lesson]) -> Blend:
    """The weights of sources that put first what brought most."""
    width = max(JUDGED_K, *(len(lesson.gains) for lesson in lessons))
    parts = np.full((len(lessons[0].opinions), len(lessons), width), BEYOND, dtype=np.float32)
    gains = np.zeros((len(lessons), width), dtype=np.float32)
    for place, one in enumerate(lessons):
        parts[:, place, : len(one.gains)] = unitless(one.opinions, ~one.is_known)
        gains[place, : len(one.gains)] = one.gains / one.best
    return Blend(learned_weights(Races(parts, gains, JUDGED_K)))


def blend_scores(blend: Blend, lesson: Lesson) -> Floats:
    """As a bundle would score the candidates; what no source has an opinion on comes last."""
    scores = blend.scores(lesson.opinions, ~lesson.is_known).astype(np.float64)
    return np.nan_to_num(scores, nan=UNHEARD)


def cross_fitted(lessons: Sequence[Lesson], way: Way, seed: int) -> list[Floats]:
    """Scores of each lesson's candidates by a scorer that other persons' lessons taught."""
    persons = np.unique([lesson.person for lesson in lessons])
    folds = np.random.default_rng(seed).permutation(len(persons)) % FOLDS
    fold_of = dict(zip(persons.tolist(), folds.tolist(), strict=True))
    found: dict[int, Floats] = {}
    for fold in range(FOLDS):
        learned = way([one for one in lessons if fold_of[one.person] != fold])
        for number, lesson in enumerate(lessons):
            if fold_of[lesson.person] == fold:
                found[number] = learned.scores(lesson)
    return [found[number] for number in range(len(lessons))]


def _compared(
    lessons: Sequence[Lesson], orders: Mapping[str, Sequence[Floats]], *, tells_new: bool
) -> dict[str, Any]:
    """How much better each order is than reciprocal ranks, as JSON values."""
    every = {RRF: [one.fused for one in lessons], **orders}
    values = compare(lessons, every)
    told = {name: asdict(Estimate.of(one)) for name, one in values.items()}
    told |= {f"{name} − {RRF}": asdict(Estimate.of(values[name] - values[RRF])) for name in orders}
    if tells_new:
        new = compare(lessons, every, is_new=True)
        for name in orders:
            gain = Estimate.of(new[name] - new[RRF])
            told[f"{name} − {RRF}, new to the person"] = asdict(gain)
    return told


Gains = Mapping[str, NDArray[np.float64]]


def by_groups(lessons: Sequence[Lesson], scores: Sequence[Floats]) -> Gains:
    """By group of lists with persons enough, one value a person: how much better an order is."""
    found = {}
    for group in sorted({one.group for one in lessons}):
        places = [place for place, one in enumerate(lessons) if one.group == group]
        mine = [lessons[place] for place in places]
        orders = {"": [scores[place] for place in places], RRF: [one.fused for one in mine]}
        values = compare(mine, orders)
        if len(values[RRF]) >= MIN_GROUP:
            found[group] = values[""] - values[RRF]
    return found


def _told(gains: Gains) -> dict[str, Any]:
    return {group: asdict(Estimate.of(values)) for group, values in gains.items()}


def better(gains: Gains) -> list[str]:
    """The groups that an order may have: where it is better beyond doubt.

    If it is so on the whole, it has each group in which it gained at all: one of few persons would
    else go without what all others speak for.
    """
    if not gains:
        return []
    is_sure = Estimate.of(np.concatenate(list(gains.values()))).low > 0
    found = {group: Estimate.of(values) for group, values in gains.items()}
    return [group for group, one in found.items() if (one.mean if is_sure else one.low) > 0]


def _best(by_group: Mapping[str, Gains]) -> str:
    """The order that gains most where it is better beyond doubt; empty if none is anywhere."""
    gained = {
        name: sum(float(gains[group].sum()) for group in better(gains))
        for name, gains in by_group.items()
    }
    name = max(gained, key=lambda one: gained[one], default="")
    return name if name and gained[name] > 0 else ""


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
