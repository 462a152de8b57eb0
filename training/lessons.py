"""What a scorer learns from: candidates of a person at a moment, and what each then brought."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.bundle import Bundle
from recsys.candidates import among
from recsys.catalog import Idxs, Kind
from recsys.evaluation import Case
from recsys.events import millis
from recsys.facts import Facts
from recsys.features import Asked, Racing, Values, features
from recsys.histories import known_items
from recsys.ids import Mask
from recsys.lookback import of_items
from recsys.reach import group_of
from recsys.recommend import Request, context_of, course_of

Floats = NDArray[np.float64]
# A scorer is judged by so long a beginning of the list.
JUDGED_K = 20


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Lesson:
    """Candidates of one kind for one person at one moment.

    Attributes
    ----------
    person
        A number of the person, to keep all lessons of one on one side.
    group
        Of the list that it would be, as `recsys.reach` names it.
    opinions
        Shape (n_sources, n).
    table
        Shape (n, n features).
    fused, gains
        Shape (n,). The score by reciprocal ranks, and what each candidate then brought.
    is_known
        Shape (n,). Which candidates the person had to do with before.
    best, best_new
        Discounted gain of the best list there could be, of items that are no candidates as well;
        the second of items new to the person only, 0 where none of these brought anything.
    """

    person: int
    group: str
    opinions: Values
    table: Values
    fused: Floats
    gains: Floats
    is_known: Mask
    best: float
    best_new: float

    def take(self, chosen: NDArray[Any]) -> "Lesson":
        """The same of some candidates."""
        return replace(
            self,
            opinions=self.opinions[:, chosen],
            table=self.table[chosen],
            fused=self.fused[chosen],
            gains=self.gains[chosen],
            is_known=self.is_known[chosen],
        )

    def ndcg(self, scores: Floats) -> float:
        """Normalised discounted gain of the list in the order of some scores."""
        return discounted(self.gains[np.argsort(-scores, kind="stable")]) / self.best

    def ndcg_new(self, scores: Floats) -> float:
        """The same where only what is new to the person counts; NaN where nothing is."""
        gains = np.where(self.is_known, 0.0, self.gains)[np.argsort(-scores, kind="stable")]
        return discounted(gains) / self.best_new if self.best_new else float("nan")


def _best(gains: Floats) -> float:
    return discounted(-np.sort(-gains))


def discounted(gains: Floats) -> float:
    """The gain of a list's beginning, less the later it stands (Järvelin and Kekäläinen 2002)."""
    seen = gains[:JUDGED_K]
    return float((seen / np.log2(np.arange(len(seen)) + 2)).sum())


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Teacher:
    """Makes lessons of one scene, with models and facts of before the moments asked about.

    Parameters
    ----------
    bundle
        What the candidates come from; its pipelines have no scorer.
    """

    bundle: Bundle
    facts: Facts
    scene: str

    def lessons(
        self,
        case: Case,
        person: int,
        brought: tuple[Idxs, Floats],
        shown: Idxs | None = None,
    ) -> Iterator[Lesson]:
        """One lesson a kind, where something was gained and something not.

        Parameters
        ----------
        brought
            What the person turned to after the moment of the case, and the gain of each.
        shown
            The items to learn about, where it is known what was shown.
        """
        items, gains = brought
        racing, asked = self.raced(case, shown)
        kind_of, known = self.bundle.catalog.kind, known_items(case.history)
        gained = gains_of(racing.items, items, gains)
        table = None
        for kind in Kind:
            chosen = kind_of[racing.items] == kind
            if not self._teaches(gained[chosen]):
                continue
            if table is None:
                table = features(racing, asked, self.bundle.catalog, self.facts)
            is_kind = kind_of[items] == kind
            yield Lesson(
                person=person,
                group=group_of(case.history, kind, self.bundle.catalog),
                opinions=racing.opinions[:, chosen],
                table=table[chosen],
                fused=racing.fused[chosen],
                gains=gained[chosen],
                is_known=among(racing.items[chosen], known),
                best=_best(gains[is_kind]),
                best_new=_best(gains[is_kind & ~among(items, known)]),
            )

    def raced(self, case: Case, shown: Idxs | None = None) -> tuple[Racing, Asked]:
        """The candidates of a case, or the items that were shown, as a scorer would get them."""
        request = Request(scene=self.scene, user_id=case.user_id, basket=case.basket)
        context = context_of(request, case.history, self.bundle, case.at)
        course = course_of(self.bundle, context)
        candidates = course.raced() if shown is None else of_items(course.sourced(), shown)
        racing = course.told_of(candidates)
        asked = Asked(row=context.row, basket=context.basket.items, at_ms=millis(case.at))
        return racing, asked

    def _teaches(self, gains: Floats) -> bool:
        """Whether some candidate brought more than another."""
        return len(gains) > 1 and bool(gains.max() > gains.min())


def gains_of(asked: Idxs, items: Idxs, gains: Floats) -> Floats:
    """Shape (n asked,). What each brought; `items` are ascending, others brought nothing."""
    if len(items) == 0:
        return np.zeros(len(asked))
    at = np.minimum(np.searchsorted(items, asked), len(items) - 1)
    return np.where(items[at] == asked, gains[at], 0.0)


def thinned(lessons: Sequence[Lesson], n_others: int, rng: np.random.Generator) -> list[Lesson]:
    """Everything that brought something, and at most so many of the others, any as likely."""
    found = []
    for lesson in lessons:
        kept = lesson.gains > 0
        others = np.flatnonzero(~kept)
        chosen = rng.choice(others, size=min(n_others, len(others)), replace=False)
        kept[chosen] = True
        found.append(lesson.take(kept))
    return found
