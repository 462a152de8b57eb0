"""What is told of a race: estimates of every metric, of whom, and differences to look at."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from recsys.comparison import Look
from recsys.metrics import METRICS, Estimate, PerPerson
from recsys.race import COARSE, COLD, EVERYBODY, LISTS, PARTS, Race

PIPELINE, POPULARITY, CHANCE, GAIN = "pipeline", "popularity", "random", "pipeline − popularity"
TARGETS, AGAINST, COMMISSION = "targets", "against", "commission"
# The pipeline under the rules of the shop.
RULED = "under rules"
# The metric that verdicts are taken from, at the longest list; all others are described.
MAIN = "ndcg"
# What is told of parts of the people, and along the length of the list.
OF_PARTS = ("recall", "ndcg", "hit_rate")
CURVED, CURVE_KS = ("recall", "ndcg"), (1, 2, 3, 5, 10, 20, 30, 50, 100)
# The metric whose k is a rank.
BY_RANK = "commerce_at"
# List metrics that need a mix of kinds, and those that popularity and chance have not.
OF_MIXED, OF_PIPELINE = ("commerce",), ("impersonal",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One estimate: which contender, at which metric and length of list, of whom.

    Parameters
    ----------
    k
        Length of list; of BY_RANK the rank, counting from 1.
    people
        "all", or a part of them: by how many events they had before, or by platform.
    """

    contender: str
    metric: str
    k: int
    estimate: Estimate
    people: str = EVERYBODY


def without(source: str) -> str:
    """What the pipeline without a source is called."""
    return f"without {source}"


def alone(source: str) -> str:
    """What a source alone is called."""
    return f"{source} alone"


def _usual_of(race: Race) -> list[str]:
    return [name for name in (PIPELINE, POPULARITY, CHANCE) if name in race.shown]


def figures(race: Race, ks: Sequence[int], *, is_detailed: bool) -> list[Figure]:
    """Every figure of a race that is defined for anybody, of a part of the people for two.

    Parameters
    ----------
    is_detailed
        Whether figures along the list and of finer parts of the people are among them.
    """
    found = [one for k in ks for one in _at_length(race, k)]
    if is_detailed:
        found += _of_parts(race, (*PARTS, *race.platforms()), ks, OF_PARTS)
        found += [*_curves(race, ks), *_by_rank(race, ks)]
    else:
        found += _of_parts(race, COARSE, ks[-1:], (MAIN,))
    return [one for one in found if one.estimate.n > (one.people != EVERYBODY)]


def _at_length(race: Race, k: int) -> list[Figure]:
    """Every metric of every usual contender, and the pipeline's lead over popularity."""
    found = []
    for name in _usual_of(race):
        measured = {metric: race.values(name, metric, k) for metric in METRICS}
        measured |= {metric: race.values(name, metric, k) for metric in _described(race)}
        if name != PIPELINE:
            measured = {m: one for m, one in measured.items() if m not in OF_PIPELINE}
        estimates = {metric: one.estimate() for metric, one in measured.items()}
        estimates |= race.pooled(name, k)
        found += [_figure(name, metric, k, one) for metric, one in estimates.items()]
    for metric, one in race.of_targets().items():
        found.append(_figure(TARGETS, metric, k, one.estimate()))
    if POPULARITY in race.shown:
        for metric in METRICS:
            found.append(_figure(GAIN, metric, k, _lead(race, metric, k).estimate()))
    return found


def _figure(
    contender: str, metric: str, k: int, estimate: Estimate, people: str = EVERYBODY
) -> Figure:
    return Figure(contender=contender, metric=metric, k=k, estimate=estimate, people=people)


def _described(race: Race) -> list[str]:
    """The metrics, beyond those of hits, that the kinds and the catalogue give a meaning."""
    known = race.traits.takers is not None
    cold = [*COLD, "cold_shown"]
    popular = ["novelty", "popularity", "popularity_lift"]
    return [
        metric
        for metric in (*COLD, *LISTS)
        if (race.is_mixed or metric not in OF_MIXED) and (known or metric not in [*cold, *popular])
    ]


def _lead(race: Race, metric: str, k: int) -> PerPerson:
    return race.values(PIPELINE, metric, k).minus(race.values(POPULARITY, metric, k))


def _of_parts(
    race: Race, parts: Iterable[str], ks: Sequence[int], metrics: Sequence[str]
) -> list[Figure]:
    """People apart by how much of them was known, and by where they are."""
    found = []
    for people in parts:
        persons = race.part(people)
        for metric, k in product(metrics, ks):
            values = {name: race.values(name, metric, k) for name in _usual_of(race)}
            if POPULARITY in values:
                values[GAIN] = _lead(race, metric, k)
            found += [
                _figure(name, metric, k, one.among(persons).estimate(), people)
                for name, one in values.items()
            ]
    return found


def _curves(race: Race, ks: Sequence[int]) -> list[Figure]:
    """How hits grow with the list, between the lengths asked for."""
    ks = [k for k in CURVE_KS if k < max(ks) and k not in ks]
    return [
        _figure(name, metric, k, race.values(name, metric, k).estimate())
        for k in ks
        for metric in CURVED
        for name in _usual_of(race)
    ]


def _by_rank(race: Race, ks: Sequence[int]) -> list[Figure]:
    """The share of products at each place of a mixed list."""
    if not race.is_mixed:
        return []
    return [
        _figure(PIPELINE, BY_RANK, rank + 1, race.commerce_at(PIPELINE, rank).estimate())
        for rank in range(max(ks))
    ]


def looks(
    race: Race, ks: Sequence[int], rival: str, *, is_judged: bool
) -> list[tuple[Look, PerPerson]]:
    """Differences of the pipeline and a rival: hits at every length, the rest at the longest."""
    longest = max(ks)
    wanted = [(metric, k, EVERYBODY) for k in ks for metric in METRICS]
    wanted += [(metric, longest, EVERYBODY) for metric in _described(race)]
    wanted += [(MAIN, longest, people) for people in PARTS]
    found = []
    for metric, k, people in wanted:
        ours, theirs = race.values(PIPELINE, metric, k), race.values(rival, metric, k)
        look = Look(
            ours=PIPELINE,
            theirs=rival,
            metric=metric,
            k=k,
            people=people,
            is_judged=is_judged and (metric, k, people) == (MAIN, longest, EVERYBODY),
        )
        found.append((look, ours.minus(theirs).among(race.part(people))))
    return [one for one in found if one[1].counts.any()]
