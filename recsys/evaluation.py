"""How good a bundle's lists are for test persons, against popularity, chance and other bundles.

Every contender goes through `recommend`, with the same stages, as the service does.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np

from recsys.bundle import Bundle
from recsys.catalog import Catalog, Idxs, Kind
from recsys.comparison import Comparison, compare
from recsys.contenders import Contender
from recsys.events import PLATFORM_NUMBERS, PLATFORMS, EventType, Platform
from recsys.figures import (
    AGAINST,
    BY_RANK,
    CHANCE,
    COMMISSION,
    PIPELINE,
    POPULARITY,
    RULED,
    Figure,
    alone,
    figures,
    looks,
    without,
)
from recsys.histories import History
from recsys.links import Links
from recsys.metrics import Estimate
from recsys.race import EVERYBODY, Race, Shown
from recsys.recommend import Request
from recsys.rules import Rule
from recsys.variety import Takers, Traits

Progress = Callable[[int, int], None]


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
        The order just made, where the scene is about one.
    """

    user_id: str
    history: History
    at: datetime
    targets: Idxs
    basket: tuple[str, ...] = ()

    @property
    def n_acts(self) -> int:
        """How many events the person had; what was only on a screen is no act of theirs."""
        return int((self.history.type != EventType.IMPRESSION).sum())

    @property
    def platform(self) -> int:
        """Where they did most of it, a position in `recsys.events.PLATFORMS`."""
        acts = self.history.platform[self.history.type != EventType.IMPRESSION]
        counts = np.bincount(acts, minlength=len(PLATFORMS))
        return int(np.argmax(counts)) if len(acts) else PLATFORM_NUMBERS[Platform.OTHER]


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

    def request(self, case: Case) -> Request:
        """What is asked for one test person."""
        return Request(
            scene=self.scene,
            user_id=case.user_id,
            k=max(self.ks),
            kinds=self.kinds,
            basket=case.basket,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What was found out about one question.

    Parameters
    ----------
    n_persons
        Test persons with a target.
    n_strangers
        Those among them who had done nothing before.
    comparisons
        Of the pipeline with other bundles, where there were any.
    """

    question: Question
    n_persons: int
    n_strangers: int
    figures: tuple[Figure, ...]
    comparisons: tuple[Comparison, ...] = ()

    def find(self, contender: str, metric: str, k: int, people: str = EVERYBODY) -> Estimate:
        """One estimate; KeyError if it was not measured."""
        return self.of(people)[contender, metric, k]

    def of(self, people: str = EVERYBODY) -> dict[tuple[str, str, int], Estimate]:
        """Every estimate about a part of the people, by contender, metric and k."""
        return {
            (one.contender, one.metric, one.k): one.estimate
            for one in self.figures
            if one.people == people
        }

    def plain(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "scene": self.question.scene,
            "kinds": [kind.word for kind in self.question.kinds],
            "new_only": self.question.new_only,
            "per_pair": self.question.per_pair,
            "persons": self.n_persons,
            "strangers": self.n_strangers,
            **self._plain_figures(),
            "comparisons": [one.plain() for one in self.comparisons],
        }

    def _plain_figures(self) -> dict[str, list[dict[str, Any]]]:
        """Of everybody at the lengths asked for; of parts of the people; along the list."""
        found: dict[str, list[dict[str, Any]]] = {"figures": [], "parts": [], "along": []}
        for figure in self.figures:
            is_asked = figure.k in self.question.ks and figure.metric != BY_RANK
            where = "figures" if is_asked else "along"
            found["parts" if figure.people != EVERYBODY else where].append(asdict(figure))
        return found


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Contest:
    """Who answers questions, and what is known of the items; the same for all questions.

    Parameters
    ----------
    bundle
        Whose lists are called those of the pipeline.
    against
        A second bundle, compared with the first.
    is_ablated
        Whether the pipeline is compared with itself without each source, and with each alone.
    rules
        Those of the shop: where the pipeline is compared with itself, also with itself under them.
    n_verdicts
        How many verdicts are given on all questions together.
    is_detailed
        Whether figures along the list and of finer parts of the people are told.
    """

    bundle: Contender
    catalog: Catalog
    traits: Traits
    against: Contender | None = None
    is_ablated: bool = False
    rules: tuple[Rule, ...] = ()
    n_verdicts: int = 1
    is_detailed: bool = True
    seed: int = 0

    def answers(
        self, question: Question, cases: Iterable[Case], progress: Progress | None = None
    ) -> Answers:
        """Lists of every contender for every test person who has a target, judged."""
        asked = _asked(question, cases, self.catalog, self.seed)
        rivals = self._rivals(question.scene)
        race = self._race(question, asked, {**self._usual(), **rivals}, progress)
        return Answers(
            question=question,
            n_persons=len(race),
            n_strangers=int((race.n_acts == 0).sum()),
            figures=tuple(figures(race, question.ks, is_detailed=self.is_detailed)),
            comparisons=self._comparisons(question, race, list(rivals)),
        )

    def _usual(self) -> dict[str, Contender]:
        """The bundle, and the same bundle with popularity alone or chance alone as its source."""
        found = {PIPELINE: self.bundle, CHANCE: self.bundle.by_chance(self.seed)}
        popular = self.bundle.by_popularity()
        return found if popular is None else {**found, POPULARITY: popular}

    def _rivals(self, scene: str) -> dict[str, Contender]:
        """Who is compared with the pipeline."""
        found = {} if self.against is None else {AGAINST: self.against}
        pipeline = self.bundle.bundle.pipelines[scene]
        names = [source.name for source in pipeline.sources]
        if pipeline.commission_loss:
            found[without(COMMISSION)] = self.bundle.without_commission(scene)
        if self.is_ablated and self.rules:
            found[RULED] = self.bundle.ruled(self.rules)
        if self.is_ablated and pipeline.scorer:
            found[without(pipeline.scorer)] = self.bundle.by_ranks(scene)
        if self.is_ablated and len(names) > 1:
            found |= {without(name): self.bundle.without(scene, name) for name in names}
            found |= {alone(name): self.bundle.only(scene, name) for name in names}
        return found

    def _race(
        self,
        question: Question,
        asked: list[tuple[Case, Idxs]],
        racing: Mapping[str, Contender],
        progress: Progress | None,
    ) -> Race:
        shown: dict[str, Shown] = {}
        total = len(racing) * len(asked)
        for name, contender in racing.items():
            answered = []
            for case, _ in asked:
                answered.append(contender.answer(question.request(case), case.history, case.at))
                if progress is not None:
                    progress(len(shown) * len(asked) + len(answered), total)
            shown[name] = Shown(
                Links.of(items for items, _ in answered),
                np.array([is_personal for _, is_personal in answered], dtype=np.bool_),
            )
        return Race(
            shown=shown,
            targets=Links.of(targets for _, targets in asked),
            n_acts=np.array([case.n_acts for case, _ in asked], dtype=np.int64),
            traits=self.traits,
            kinds=question.kinds,
            per_pair=question.per_pair,
            platform=np.array([case.platform for case, _ in asked], dtype=np.int8),
        )

    def _comparisons(
        self, question: Question, race: Race, rivals: list[str]
    ) -> tuple[Comparison, ...]:
        found = [
            one
            for rival in rivals
            for one in looks(race, question.ks, rival, is_judged=rival == AGAINST)
        ]
        return compare(found, n_verdicts=self.n_verdicts, seed=self.seed)


def evaluate(
    question: Question,
    cases: Iterable[Case],
    bundle: Bundle,
    *,
    takers: Takers | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Answers:
    """One bundle's answers to one question.

    Parameters
    ----------
    takers
        Without it nothing is said of popularity and of items new to everybody.
    """
    contest = Contest(
        bundle=Contender(bundle),
        catalog=bundle.catalog,
        traits=Traits.of(bundle.catalog, takers),
        seed=seed,
    )
    return contest.answers(question, cases, progress)


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
