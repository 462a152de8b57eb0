"""How good a bundle's lists are for test persons, against popularity and chance.

Every contender goes through `recommend`, with the same stages, as the service does.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recsys.bundle import Bundle
from recsys.catalog import Catalog, Idxs, Kind
from recsys.histories import History
from recsys.interactions import Row, Rows
from recsys.metrics import METRICS, Estimate, coverage, judge, novelty
from recsys.models.base import Because, Model, Ranking, Scores
from recsys.pipeline import Source
from recsys.recommend import Request, recommend

PIPELINE, POPULARITY, CHANCE, GAIN = "pipeline", "popularity", "random", "pipeline − popularity"
# A contender of one source sends more than k, so that stages leave enough.
SINGLE_LIMIT = 1_000

Progress = Callable[[int, int], None]
# By metric, shape (n_persons,).
Values = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Case:
    """One test person at one moment.

    Parameters
    ----------
    history
        What they did before; items are positions in the bundle's catalogue.
    targets
        What they did after, distinct. A position beyond the catalogue stands for an item that no
        list can hold; it counts as missed.
    basket
        The order just made, where the scene has one.
    """

    user_id: str
    history: History
    at: datetime
    targets: Idxs
    basket: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is measured.

    Parameters
    ----------
    kinds
        What lists show and which targets count.
    ks
        Lengths of list; the longest one is asked for, the others are its beginnings.
    new_only
        Whether a target the person already had to do with is left out, as in protocols that ask
        for what was not watched before. Lists are not changed by it.
    people
        At most so many persons, any as likely; 0 means everybody who has a target.
    per_pair
        Whether each target is judged alone and all targets weigh alike, as protocols of held-out
        pairs do it, instead of all persons.
    """

    scene: str
    kinds: tuple[Kind, ...]
    ks: tuple[int, ...] = (10, 20)
    new_only: bool = True
    people: int = 0
    per_pair: bool = False

    @property
    def kinds_word(self) -> str:
        """The kinds as reports write them."""
        return "+".join(kind.word for kind in self.kinds)

    def targets(self, case: Case, catalog: Catalog) -> Idxs:
        """Those targets of a case that this question is about."""
        targets = case.targets
        if self.new_only:
            targets = targets[~np.isin(targets, case.history.item)]
        is_here = targets < len(catalog)
        is_wanted = ~is_here
        is_wanted[is_here] = np.isin(catalog.kind[targets[is_here]], self.kinds)
        return targets[is_wanted]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One estimate: which contender, at which metric and length of list."""

    contender: str
    metric: str
    k: int
    estimate: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What was found out about one question.

    Parameters
    ----------
    n_persons
        Test persons with a target.
    n_strangers
        Those among them without any history.
    """

    question: Question
    n_persons: int
    n_strangers: int
    figures: tuple[Figure, ...]

    def find(self, contender: str, metric: str, k: int) -> Estimate:
        """One estimate; KeyError if it was not measured."""
        for figure in self.figures:
            if (figure.contender, figure.metric, figure.k) == (contender, metric, k):
                return figure.estimate
        raise KeyError((contender, metric, k))

    def plain(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "scene": self.question.scene,
            "kinds": [kind.word for kind in self.question.kinds],
            "new_only": self.question.new_only,
            "per_pair": self.question.per_pair,
            "persons": self.n_persons,
            "strangers": self.n_strangers,
            "figures": [asdict(figure) for figure in self.figures],
        }


@dataclass(kw_only=True, slots=True, eq=False)
class Chance:
    """Any items, each as likely: what a list is worth that knows nothing.

    Parameters
    ----------
    seed
        Of the whole series of answers.
    """

    seed: int
    kind_: NDArray[np.int8] = field(init=False, repr=False)
    rng: np.random.Generator = field(init=False, repr=False)
    is_personal: ClassVar[bool] = False

    def fit(self, _interactions: Rows, catalog: Catalog) -> Self:
        """Know what items there are."""
        self.kind_, self.rng = catalog.kind, np.random.default_rng(self.seed)
        return self

    def score(self, rows: Rows) -> Scores:
        """Any numbers."""
        return self.rng.random((len(rows), rows.n_items), dtype=np.float32)

    def candidates(self, _row: Row, k: int, within: Kind | None) -> Ranking:
        """Any k items of the kind."""
        is_wanted = np.full(len(self.kind_), True) if within is None else self.kind_ == within
        items = np.flatnonzero(is_wanted)
        chosen = self.rng.choice(items, size=min(k, len(items)), replace=False)
        scores = np.arange(len(chosen), 0, -1, dtype=np.float32)
        return Ranking(chosen.astype(np.int32), scores)

    def score_of(self, _row: Row, items: Idxs) -> Scores:
        """Any numbers."""
        return self.rng.random(len(items), dtype=np.float32)

    def because(self, _row: Row, items: Idxs) -> list[Because | None]:
        """No reason."""
        return [None] * len(items)


def contenders(bundle: Bundle, *, seed: int) -> dict[str, Bundle]:
    """The bundle, and the same bundle with popularity alone or chance alone as its source."""
    impersonal = [name for name, model in bundle.models.items() if not model.is_personal]
    found = {PIPELINE: bundle}
    if impersonal:
        found[POPULARITY] = _alone(bundle, bundle.models[impersonal[0]])
    found[CHANCE] = _alone(bundle, Chance(seed=seed).fit(Rows.of([], 0), bundle.catalog))
    return found


def _alone(bundle: Bundle, model: Model) -> Bundle:
    source = Source(name="alone", model="alone", limit=SINGLE_LIMIT)
    pipelines = {
        scene: replace(pipeline, sources=(source,)) for scene, pipeline in bundle.pipelines.items()
    }
    return replace(bundle, models={"alone": model}, pipelines=pipelines)


def evaluate(
    question: Question,
    cases: Iterable[Case],
    bundle: Bundle,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Answers:
    """Lists of every contender for every test person who has a target, judged."""
    asked = _asked(question, cases, bundle.catalog, seed)
    lists: dict[str, list[Idxs]] = {}
    racing = contenders(bundle, seed=seed)
    for name, contender in racing.items():
        lists[name] = []
        for case, _ in asked:
            lists[name].append(_listed(question, case, contender))
            if progress is not None:
                progress(sum(map(len, lists.values())), len(racing) * len(asked))
    return Answers(
        question=question,
        n_persons=len(asked),
        n_strangers=sum(len(case.history) == 0 for case, _ in asked),
        figures=tuple(_figures(question, lists, [targets for _, targets in asked], bundle)),
    )


def _asked(
    question: Question, cases: Iterable[Case], catalog: Catalog, seed: int
) -> list[tuple[Case, Idxs]]:
    """The persons asked, each with their targets."""
    paired = ((case, question.targets(case, catalog)) for case in cases)
    asked = [(case, targets) for case, targets in paired if len(targets)]
    if question.people and len(asked) > question.people:
        rng = np.random.default_rng(seed)
        chosen = rng.choice(len(asked), size=question.people, replace=False)
        asked = [asked[int(place)] for place in np.sort(chosen)]
    return asked


def _listed(question: Question, case: Case, bundle: Bundle) -> Idxs:
    request = Request(
        scene=question.scene,
        user_id=case.user_id,
        k=max(question.ks),
        kinds=question.kinds,
        order_items=case.basket,
    )
    return recommend(request, case.history, bundle, at=case.at, list_id="evaluation").items


def _figures(
    question: Question, lists: Mapping[str, list[Idxs]], targets: list[Idxs], bundle: Bundle
) -> list[Figure]:
    popularity = _popularity(bundle)
    n_shown = int((bundle.catalog.on_sale & np.isin(bundle.catalog.kind, question.kinds)).sum())
    parts = [_parts(one, question.per_pair) for one in targets]
    counts = np.array([len(one) for one in parts])
    found = []
    for k in question.ks:
        for name, by_metric in _values(lists, parts, k).items():
            estimates = {m: Estimate.of_ratio(sums, counts) for m, sums in by_metric.items()}
            if name in lists:
                estimates["coverage"] = coverage(lists[name], k, n_shown)
                estimates["novelty"] = novelty(lists[name], k, popularity)
            found += [
                Figure(contender=name, metric=metric, k=k, estimate=estimate)
                for metric, estimate in estimates.items()
            ]
    return found


def _parts(targets: Idxs, per_pair: bool) -> list[Idxs]:
    """The sets of targets that a list is judged by: one of all, or one of each."""
    return [targets[place : place + 1] for place in range(len(targets))] if per_pair else [targets]


def _values(lists: Mapping[str, list[Idxs]], parts: list[list[Idxs]], k: int) -> dict[str, Values]:
    """For each contender, and for the pipeline's lead, each metric's sum for each person."""
    values = {}
    for name, ranking in lists.items():
        judged = [[judge(r, one) for one in own] for r, own in zip(ranking, parts, strict=True)]
        values[name] = {
            metric: np.array([sum(of(one, k) for one in own) for own in judged], dtype=np.float64)
            for metric, of in METRICS.items()
        }
    if POPULARITY in values:
        ours, theirs = values[PIPELINE], values[POPULARITY]
        values[GAIN] = {metric: ours[metric] - theirs[metric] for metric in METRICS}
    return values


def _popularity(bundle: Bundle) -> NDArray[np.float64]:
    """Each item's share of all weight, as the bundle's own popularity has it."""
    nobody = Rows.of([Row(np.empty(0, np.int32), np.empty(0, np.float32))], len(bundle.catalog))
    for model in bundle.models.values():
        if not model.is_personal:
            scores = np.nan_to_num(model.score(nobody)[0].astype(np.float64))
            return np.asarray(scores / max(scores.sum(), 1e-12))
    return np.zeros(len(bundle.catalog))
