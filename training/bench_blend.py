"""Several models as one contender: a blend whose weights a trial's own validation taught.

The validation asks what the trial asks and sees nothing of its answers, so a blend for purchases is
learned on purchases, one for the next item of a session on next items.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from recsys.blend import Blend, Blended, ByLength
from recsys.catalog import Catalog, Idxs, Kind
from recsys.interactions import Row, Rows
from recsys.models.base import Because, Model, Ranking, Scores
from training.bench_trial import FOLDED, Trial, chosen, some
from training.blend import MOST_PEOPLE, Held, Makers, all_fitted, blend_for, times


@dataclass(slots=True, eq=False)
class Blending:
    """Makes blends of the same members for one trial after the other.

    Folds take the weights learned for the part they belong to, and what learned from some rows is
    not made to learn from them again.

    Parameters
    ----------
    makers
        By name, what makes a member that has not learned.

    Attributes
    ----------
    blends
        By part of the set.
    """

    makers: Makers
    seed: int
    blends: dict[str, Blend | ByLength] = field(default_factory=dict)
    last: tuple[Rows, dict[str, Model]] | None = None

    # Two questions of one set want other weights, though they share the rows.
    is_per_trial: ClassVar[bool] = True

    def __call__(self, trial: Trial) -> "Contender":
        """A blend before it learns."""
        return Contender(trial, self)

    def blend_for(self, trial: Trial) -> Blend | ByLength:
        """The weights for a trial, learned when they are first asked for."""
        part = trial.part.removesuffix(FOLDED).strip()
        if part not in self.blends:
            self.blends[part] = blend_for(
                self.makers, helds_of(trial, self.seed), trial.catalog, kind=trial.kind, k=trial.k
            )
        return self.blends[part]

    def fitted(self, trial: Trial, rows: Rows, catalog: Catalog) -> Blended:
        """The members that have a weight in a trial, learned from some rows, as one."""
        blend = self.blend_for(trial)
        if self.last is None or self.last[0] is not rows:
            self.last = rows, {}
        learned, kept = self.last[1], np.flatnonzero(blend.is_used)
        named = [list(self.makers)[place] for place in kept]
        missing = [name for name in named if name not in learned]
        models = all_fitted((self.makers[name] for name in missing), rows, catalog)
        learned |= dict(zip(missing, models, strict=True))
        return Blended([learned[name] for name in named], blend.among(kept))


def helds_of(trial: Trial, seed: int) -> Iterator[Held]:
    """Validations of a trial: one, or several with other items hidden if few people are asked."""
    cut = trial.validation(seed)
    yield held_of(cut, seed)
    for more in range(1, times(len(cut.known))):
        yield held_of(trial.validation(seed + more), seed + more)


def held_of(cut: Trial, seed: int) -> Held:
    """Some of the people of a validation, as learning a blend wants them."""
    asked = some(np.arange(len(cut.known)), MOST_PEOPLE, seed)
    return Held(
        train=cut.train,
        known=chosen(cut.known, asked),
        targets=[cut.targets[int(person)] for person in asked],
        excluded=[cut.excluded[int(person)] for person in asked],
    )


@dataclass(slots=True, eq=False)
class Contender:
    """A blend as a model among others.

    Parameters
    ----------
    trial
        What it is to answer.

    Attributes
    ----------
    both
        What has learned.
    """

    trial: Trial
    blending: Blending
    both: Blended = field(init=False, repr=False)
    is_personal: ClassVar[bool] = True

    def fit(self, interactions: Rows, catalog: Catalog) -> Self:
        """Learn the weights on a cut of the rows, then who has one on all of them."""
        self.both = self.blending.fitted(self.trial, interactions, catalog)
        return self

    def score(self, rows: Rows) -> Scores:
        """The blend of all items' scores."""
        return self.both.score(rows)

    def candidates(self, row: Row, k: int, within: Kind | None) -> Ranking:
        """The best of what the members send."""
        return self.both.candidates(row, k, within)

    def score_of(self, row: Row, items: Idxs) -> Scores:
        """The blend for some items."""
        return self.both.score_of(row, items)

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """The reason of the member that says most."""
        return self.both.because(row, items)
