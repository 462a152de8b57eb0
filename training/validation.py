"""What tuning may look at: a split inside the past, test persons, and how a configuration answers.

The last events, on which `dapei train` and `dapei evaluate` test, are taken away before anything
else is done, so that the figures these print for a tuned configuration are of events nobody tuned
on.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from recsys.bundle import Bundle
from recsys.catalog import Idxs, Kind
from recsys.errors import ConfigError
from recsys.evaluation import Case, Question
from recsys.events import EventType, moment
from recsys.histories import UNDATED, Histories
from recsys.ids import Ints, Mask
from recsys.metrics import METRICS, judge
from recsys.recommend import Request, recommend
from recsys.scenes import scene_named
from training.cases import checkout_cases, home_cases
from training.config import TrainConfig
from training.fit import fit, learned_taste
from training.remembered import Remembered
from training.shop import HELD_OUT_SHARE, Shop
from training.space import Knob, KnobPath, Value, knobs, turned

Floats = NDArray[np.float64]
# With fewer persons than this on one side, all of them are searched with and none are kept apart.
MIN_APART = 30
SEARCHED_SHARE = 2 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What is made better.

    Parameters
    ----------
    kinds
        What lists show and which targets count; None means what the scene shows.
    metric
        A name in the table of metrics.
    k
        Length of the lists.
    people
        At most so many test persons search, and as many others confirm; 0 means everybody.
    seed
        Of the choice of persons and of the search; learners keep that of the configuration.
    """

    scene: str = "home"
    kinds: tuple[Kind, ...] | None = None
    metric: str = "ndcg"
    k: int = 20
    people: int = 1_000
    seed: int = 1

    @property
    def metric_word(self) -> str:
        """Like ndcg@20."""
        return f"{self.metric}@{self.k}"

    @property
    def question(self) -> Question:
        """The same as evaluation asks it."""
        kinds = self.kinds or scene_named(self.scene).kinds
        return Question(scene=self.scene, kinds=kinds, ks=(self.k,))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Split:
    """The past cut in two: what is learned from, and what is asked about.

    Attributes
    ----------
    split_ms
        The moment that lists are made at.
    word
        How it was cut, for people to read.
    """

    before: Shop
    since: Shop
    split_ms: int
    word: str


def inner_split(shop: Shop, config: TrainConfig) -> Split:
    """The last part of what is left without the held-out events; undated: what persons found last.

    Raises
    ------
    ConfigError
        There are too few events.
    """
    if shop.dated_ms() is None:
        before, since = last_found(shop)
        return Split(
            before=before,
            since=since,
            split_ms=shop.until_ms,
            word="undated events: asked about the last tenth of the items that each person found",
        )
    held_ms = shop.split_ms(config.holdout_days)
    past = shop.before(held_ms)
    split_ms = past.split_ms(config.holdout_days)
    return Split(
        before=past.before(split_ms),
        since=past.since(split_ms),
        split_ms=split_ms,
        word=(
            f"learned before {moment(split_ms).isoformat()}, asked about what came until "
            f"{moment(held_ms).isoformat()}; what came after is held out"
        ),
    )


def last_found(shop: Shop) -> tuple[Shop, Shop]:
    """The shop without, and with only, the items that each person turned to last."""
    is_last = _last_found(shop.histories, len(shop.catalog))
    if not is_last.any():
        raise ConfigError("nobody had to do with two items; allowed: a home with longer histories")
    before, since = (shop.histories.keeping(chosen) for chosen in (~is_last, is_last))
    return replace(shop, histories=before), replace(shop, histories=since)


def _last_found(histories: Histories, n_items: int) -> Mask:
    """Which events are of the last tenth of a person's items, in the order of first events."""
    cells = histories.persons() * n_items + histories.events.item
    _, firsts, where = np.unique(cells, return_index=True, return_inverse=True)
    persons = histories.persons()[firsts]
    order = np.argsort(firsts, kind="stable")
    n_own = np.bincount(persons, minlength=len(histories))
    # Firsts in order run person by person, so a place minus its person's first place is a rank.
    starts = np.cumsum(n_own) - n_own
    rank = np.empty(len(firsts), dtype=np.int64)
    rank[order] = np.arange(len(firsts)) - starts[persons[order]]
    n_held = np.maximum(1, np.round(n_own * HELD_OUT_SHARE)) * (n_own > 1)
    return np.asarray((rank >= (n_own - n_held)[persons])[where])


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """One test person and the targets that count."""

    case: Case
    targets: Idxs


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Validation:
    """A home's past as a task to tune on.

    Attributes
    ----------
    searched, apart
        Test persons that the search asks, and others that confirm what it found.
    """

    config: TrainConfig
    aim: Aim
    split: Split
    knobs: tuple[Knob, ...]
    searched: tuple[Asked, ...]
    apart: tuple[Asked, ...]
    remembered: Remembered = field(default_factory=Remembered)

    @classmethod
    def of(cls, shop: Shop, config: TrainConfig, aim: Aim) -> "Validation":
        """Cut the shop and choose the persons.

        Raises
        ------
        ConfigError
            Nothing can be asked.
        """
        split = inner_split(shop, config)
        searched, apart = _persons(split, config, aim)
        events = split.before.histories.events
        counts = Counter(map(EventType, events.type.tolist()))
        is_dated = bool((events.at_ms != UNDATED).any())
        return cls(
            config=config,
            aim=aim,
            split=split,
            knobs=knobs(config, aim.scene, counts, is_dated=is_dated),
            searched=searched,
            apart=apart,
        )

    def turned(self, found: Mapping[KnobPath, Value]) -> TrainConfig:
        """The configuration with some knobs at other values."""
        return turned(self.config, found)

    def answering(self, found: Mapping[KnobPath, Value]) -> Callable[[Sequence[Asked]], Floats]:
        """Learn with some knobs at other values; what is given then asks persons."""
        # Scorers are learned from what models say: once, when these are settled.
        return self._answering(self.turned(found).unscored)

    def confirming(self, found: Mapping[KnobPath, Value]) -> Callable[[Sequence[Asked]], Floats]:
        """The same with scorers, as `dapei train` learns them."""
        return self._answering(self.turned(found))

    def _answering(self, config: TrainConfig) -> Callable[[Sequence[Asked]], Floats]:
        bundle = fit(
            self.split.before,
            config,
            bundle_id="tuning",
            as_of_ms=self.split.split_ms,
            learn=self.remembered,
        )
        return lambda persons: self._values(bundle, persons)

    def _values(self, bundle: Bundle, persons: Sequence[Asked]) -> Floats:
        """Shape (n persons,). The metric of each one's list."""
        question, metric = self.aim.question, METRICS[self.aim.metric]
        found = np.zeros(len(persons))
        for place, asked in enumerate(persons):
            case = asked.case
            request = Request(
                scene=question.scene,
                user_id=case.user_id,
                k=self.aim.k,
                kinds=question.kinds,
                basket=case.basket,
            )
            answer = recommend(request, case.history, bundle, at=case.at, list_id="tuning")
            if answer.served.degraded:
                raise ConfigError(
                    f"sources failed, got {', '.join(answer.served.degraded)}; "
                    "allowed: parameters with which every source answers"
                )
            found[place] = metric(judge(answer.items, asked.targets), self.aim.k)
        return found


def _persons(
    split: Split, config: TrainConfig, aim: Aim
) -> tuple[tuple[Asked, ...], tuple[Asked, ...]]:
    """Who is searched with and who is kept apart, any as likely."""
    question = aim.question
    pairs = (
        (case, question.targets(case, split.before.catalog)) for case in _cases(split, config, aim)
    )
    asked = [Asked(case, targets) for case, targets in pairs if len(targets)]
    if not asked:
        raise ConfigError(
            f"nobody can be asked about {aim.scene}, {question.kinds_word}: no one has a target "
            "that is new to them; allowed: another scene, other kinds or more events"
        )
    first, second = (
        tuple(asked[int(place)] for place in places)
        for places in parted(len(asked), aim.people, aim.seed)
    )
    return first, second


def parted(n: int, people: int, seed: int) -> tuple[Ints, Ints]:
    """Which of n persons search and which confirm, any as likely; at most `people` of each."""
    order = np.random.default_rng(seed).permutation(n)
    n_searched = round(n * SEARCHED_SHARE)
    if n - n_searched < MIN_APART:
        n_searched = n
    limit = people or n
    return order[: min(n_searched, limit)], order[n_searched : n_searched + limit]


def _cases(split: Split, config: TrainConfig, aim: Aim) -> Iterator[Case]:
    taste = learned_taste(split.before, config, split.split_ms)
    if not scene_named(aim.scene).has_basket:
        return home_cases(split.before, split.since, taste, split.split_ms)
    if split.before.dated_ms() is None:
        raise ConfigError(f"{aim.scene} needs events with times; allowed: another scene")
    return checkout_cases(split.before, split.since, taste)
