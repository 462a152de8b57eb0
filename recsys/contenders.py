"""Who races in an evaluation: bundles, and what becomes of a bundle when a source is missing."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recsys.bundle import Bundle
from recsys.catalog import Catalog, Idxs, Kind
from recsys.histories import History
from recsys.ids import IdMap, Ints, Mask
from recsys.interactions import Row, Rows
from recsys.models.base import Because, Model, Ranking, Scores
from recsys.pipeline import Pipeline, Source
from recsys.recommend import Request, recommend
from recsys.rules import Rule

# A contender of one source sends more than k, so that stages leave enough.
SINGLE_LIMIT = 1_000
_SILENT, _ALONE = "silent", "alone"


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


@dataclass(kw_only=True, slots=True, eq=False)
class Silent:
    """Never an opinion: what a source is replaced by to see what is lost without it."""

    is_personal: ClassVar[bool] = False

    def fit(self, _interactions: Rows, _catalog: Catalog) -> Self:
        """Nothing to learn."""
        return self

    def score(self, rows: Rows) -> Scores:
        """No opinion on anything."""
        return np.full((len(rows), rows.n_items), np.nan, dtype=np.float32)

    def candidates(self, _row: Row, _k: int, _within: Kind | None) -> Ranking:
        """No item."""
        return Ranking.none()

    def score_of(self, _row: Row, items: Idxs) -> Scores:
        """No opinion on any of them."""
        return np.full(len(items), np.nan, dtype=np.float32)

    def because(self, _row: Row, items: Idxs) -> list[Because | None]:
        """No reason."""
        return [None] * len(items)


@dataclass(frozen=True, slots=True, eq=False)
class Renumbering:
    """Positions in the catalogue of the questions ↔ positions in a bundle's own.

    Attributes
    ----------
    to_own, is_known
        Shape (n_items of the questions,). To be read only where known.
    to_theirs
        Shape (n_items of the bundle,).
    """

    to_own: Ints
    is_known: Mask
    to_theirs: Idxs

    @classmethod
    def of(cls, own: IdMap, theirs: IdMap) -> Self:
        """By ids; an item of a bundle that the questions' catalogue has not must not be shown."""
        to_own, is_known = own.translate(theirs)
        return cls(to_own, is_known, theirs.translate(own)[0].astype(np.int32))

    def history(self, history: History) -> History:
        """A history as the bundle numbers it, without what it does not know."""
        kept = history.take(self.is_known[history.item])
        return replace(kept, item=self.to_own[kept.item].astype(np.int32))


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """A bundle that answers questions, in the numbers of the questions' catalogue.

    Attributes
    ----------
    renumbering
        None where the bundle's catalogue is that of the questions.
    """

    bundle: Bundle
    renumbering: Renumbering | None = None

    @classmethod
    def foreign(cls, bundle: Bundle, catalog: Catalog) -> Self:
        """A bundle made of another catalogue; it shows what is on sale in this one."""
        renumbering = Renumbering.of(bundle.catalog.ids, catalog.ids)
        on_sale = np.zeros(len(bundle.catalog), dtype=np.bool_)
        on_sale[renumbering.to_own[renumbering.is_known]] = catalog.on_sale[renumbering.is_known]
        own = replace(bundle.catalog, on_sale=on_sale)
        return cls(replace(bundle, catalog=own), renumbering)

    def answer(self, request: Request, history: History, at: datetime) -> tuple[Idxs, bool]:
        """The list, best first, and whether it was personalised."""
        translated = history if self.renumbering is None else self.renumbering.history(history)
        # Rules draw by a list's id: each person's chance is their own, and the same again.
        list_id = f"evaluation of {request.user_id}"
        found = recommend(request, translated, self.bundle, at=at, list_id=list_id)
        items = found.items
        if self.renumbering is not None:
            items = self.renumbering.to_theirs[items]
        return items, found.served.personalised

    def by_popularity(self) -> "Contender | None":
        """The same with popularity alone as source; None where the bundle has none."""
        impersonal = [model for model in self.bundle.models.values() if not model.is_personal]
        return self._alone(impersonal[0]) if impersonal else None

    def by_chance(self, seed: int) -> "Contender":
        """The same with chance alone as source."""
        return self._alone(Chance(seed=seed).fit(Rows.of([], 0), self.bundle.catalog))

    def without(self, scene: str, source: str) -> "Contender":
        """The same with one source of a scene silent; everything else stays as it was learned."""
        return self._with_sources(
            scene,
            tuple(
                replace(one, model=_SILENT) if one.name == source else one
                for one in self.bundle.pipelines[scene].sources
            ),
        )

    def only(self, scene: str, source: str) -> "Contender":
        """The same with one source of a scene speaking, so that its order is the list's."""
        (kept,) = (one for one in self.bundle.pipelines[scene].sources if one.name == source)
        found = self._with_sources(scene, (replace(kept, weight=1.0, limit=SINGLE_LIMIT),))
        return found.by_ranks(scene)

    def ruled(self, rules: Iterable[Rule]) -> "Contender":
        """The same under a shop's rules."""
        return replace(self, bundle=self.bundle.ruled(rules))

    def by_ranks(self, scene: str) -> "Contender":
        """The same without a learned scorer in a scene: ordered by reciprocal ranks."""
        pipeline = replace(self.bundle.pipelines[scene], scorer="")
        return self._with_pipeline(scene, pipeline)

    def without_commission(self, scene: str) -> "Contender":
        """The same with no commission counted in a scene."""
        return self._with_pipeline(scene, replace(self.bundle.pipelines[scene], commission_loss=0))

    def _alone(self, model: Model) -> "Contender":
        source = Source(name=_ALONE, model=_ALONE, limit=SINGLE_LIMIT)
        pipelines = {
            scene: replace(pipeline, sources=(source,), scorer="")
            for scene, pipeline in self.bundle.pipelines.items()
        }
        bundle = replace(self.bundle, models={_ALONE: model}, pipelines=pipelines)
        return replace(self, bundle=bundle)

    def _with_sources(self, scene: str, sources: tuple[Source, ...]) -> "Contender":
        return self._with_pipeline(scene, replace(self.bundle.pipelines[scene], sources=sources))

    def _with_pipeline(self, scene: str, pipeline: Pipeline) -> "Contender":
        bundle = replace(
            self.bundle,
            models={**self.bundle.models, _SILENT: Silent()},
            pipelines={**self.bundle.pipelines, scene: pipeline},
        )
        return replace(self, bundle=bundle)
