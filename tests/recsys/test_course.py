"""A run of a pipeline where time is short, and what fills a list that came out short."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.catalog import Kind
from recsys.histories import History
from recsys.models.base import Ranking
from recsys.models.lists import ListsByKind, ScoredLists
from recsys.models.popularity import Popularity
from recsys.pipeline import FEW_SCORED, FULL_MS, SCORER_MS, SOURCE_MS
from recsys.recommend import Request, context_of, course_of, recommend
from serving.bench_world import histories, synthetic_bundle
from tests.recsys.test_recommend import NOW

N = 2_000


class Clock:
    """Time that is left, and what was begun when there was none."""

    def __init__(self, left_ms: float) -> None:
        self.left_ms = left_ms
        self.begun_late = 0

    def __call__(self) -> float:
        return self.left_ms


class Slow:
    """A model that takes its time; all of it from the clock."""

    is_personal = True

    def __init__(self, model, clock: Clock, takes_ms: float) -> None:
        self.model, self.clock, self.takes_ms = model, clock, takes_ms

    def candidates(self, row, k, within):
        self.clock.begun_late += self.clock.left_ms <= 0
        self.clock.left_ms -= self.takes_ms
        return self.model.candidates(row, k, within)

    def score_of(self, row, items):
        return self.model.score_of(row, items)

    def because(self, row, items):
        return self.model.because(row, items)


@pytest.fixture(scope="module")
def bundle():
    return synthetic_bundle(N, "bench-1")


@pytest.fixture(scope="module")
def own(bundle):
    ids = bundle.catalog.ids
    return History.of([(ids.find(event.item_id), event) for event in histories(N, 1, 60, NOW)])


def asked(bundle, own, left_ms, **said):
    said = {"k": 20, "remaining_ms": lambda: left_ms, **said}
    request = Request(scene="home", user_id="user-0", **said)
    return recommend(request, own, bundle, at=NOW, list_id="list-1")


@pytest.mark.parametrize(
    ("left_ms", "without"),
    [
        (FULL_MS, ()),
        (SCORER_MS, ("deadline:candidates",)),
        (SOURCE_MS, ("deadline:candidates", "deadline:scorer")),
        (0.0, ("deadline:sources", "deadline:candidates")),
    ],
)
def test_the_less_time_the_less_is_done_and_the_list_says_so(bundle, own, left_ms, without):
    served = asked(bundle, own, left_ms).served
    assert (len(served.items), served.degraded) == (20, without)


def test_few_candidates_are_scored_where_time_is_short(bundle, own):
    assert len(asked(bundle, own, SCORER_MS).scored.racing.items) == FEW_SCORED


def test_after_the_deadline_no_source_is_asked_and_what_is_popular_is_shown(bundle, own):
    answer = asked(bundle, own, -1.0)
    assert not answer.served.personalised
    assert {one.source for one in answer.served.items} == {"popular"}
    assert answer.rung == "popular"


@pytest.mark.parametrize("takes_ms", [1.0, 4.0, 30.0])
def test_nothing_is_begun_after_the_time_is_up(bundle, own, takes_ms):
    clock = Clock(10.0)
    slow = {
        name: Slow(one, clock, takes_ms) if one.is_personal else one
        for name, one in bundle.models.items()
    }
    request = Request(scene="home", user_id="user-0", k=20, remaining_ms=clock)
    slowed = replace(bundle, models=slow)
    served = recommend(request, own, slowed, at=NOW, list_id="list-1").served
    assert (clock.begun_late, len(served.items)) == (0, 20)


def test_the_candidates_that_are_scored_are_the_seats_of_one_long_list(bundle, own):
    course = course_of(bundle, context_of(Request(scene="home"), own, bundle, NOW))
    raced = course.raced()
    kinds = bundle.catalog.kind[raced.items]
    assert (len(raced), int((kinds == Kind.VIDEO).sum())) == (200, 100)


def test_where_nobody_likes_anything_the_newest_fill_the_list(bundle):
    silent = Popularity()
    silent.lists_ = ListsByKind.of(lambda _: ScoredLists.of([Ranking.none()]))
    silent.weights_ = np.zeros(N, dtype=np.float32)
    bare = replace(bundle, models={**bundle.models, "popular": silent})
    answer = asked(bare, History.empty(), 100.0, k=50)
    assert (len(answer.served.items), answer.rung) == (50, "newest")
