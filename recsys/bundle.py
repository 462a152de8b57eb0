"""The hand-over from training to serving: everything a list needs, and no person.

How it lies on disk is `recsys.bundle_files`' business.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, get_type_hints

import numpy as np

from recsys.blend import Blend
from recsys.candidates import among
from recsys.catalog import Catalog, Idxs, Kind
from recsys.claims import Claims
from recsys.errors import BundleError
from recsys.facts import Facts
from recsys.features import Asked, Racing, features, names_of
from recsys.fresh import Fresh
from recsys.histories import known_items
from recsys.interactions import Taste
from recsys.mix import Mix
from recsys.models.base import Model
from recsys.overlay import Overlay
from recsys.pipeline import SCORERS, Context, Pipeline, Scored, Scorer
from recsys.ranker import Ranker, check_ranker
from recsys.reach import every_group, reached
from recsys.ruled import Ruled
from recsys.rules import Rule
from recsys.seals import check_name
from recsys.soundness import check_catalog, check_facts, check_model, check_positions, check_value
from recsys.stages import STAGES
from recsys.tiers import Tiers, Treatment
from recsys.watching import WatchCurve

# A blend's score of what no source has an opinion on; others are about 0 and above.
UNHEARD = -1.0


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Bundle:
    """One trained artefact in memory; its arrays may be memory-mapped.

    Parameters
    ----------
    models
        By the names that pipelines' sources use.
    taste
        How a history becomes a row; the same when learning and when answering.
    pipelines
        By scene.
    figures
        What its evaluation measured; free form, JSON values.
    data_until_ms
        Up to when events were learned from.
    origin
        Where it comes from, for people to read: when and by which code it was made, from how much
        data, what each model learned from, what was found out about its scorers; JSON values.
    rankers
        By scene, for the pipelines whose scorer is one.
    blends
        The same.
    reach
        By scene, the groups of lists that its scorer orders, as `recsys.reach` names them; where
        a scene is not named, all of them.
    facts
        What rankers know of each item.
    mixes
        By scene, how much of a mixed list is for sale; a scene without one keeps its pipeline's
        share.
    tiers
        What makes a member, and who is to be won back.
    treatments
        By scene and part of the people (`recsys.audience`), what is done for them.
    newest
        The items published last of each kind, the last first; None before it was written.
    fresh
        Items newer than the bundle, where the catalogue holds any; never written.
    claims
        Items that may claim seats; None before `ready`, never written.
    rules
        What the shop's rules ask of lists; never written.
    """

    bundle_id: str
    catalog: Catalog
    models: Mapping[str, Model]
    taste: Taste
    pipelines: Mapping[str, Pipeline]
    figures: Mapping[str, Any]
    data_until_ms: int
    origin: Mapping[str, Any] = field(default_factory=dict)
    rankers: Mapping[str, Ranker] = field(default_factory=dict)
    blends: Mapping[str, Blend] = field(default_factory=dict)
    reach: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    facts: Facts | None = None
    mixes: Mapping[str, Mix] = field(default_factory=dict)
    tiers: Tiers = field(default_factory=Tiers)
    treatments: Mapping[str, Mapping[str, Treatment]] = field(default_factory=dict)
    newest: Idxs | None = None
    fresh: Fresh | None = None
    claims: Claims | None = None
    rules: Ruled | None = None

    def answering(self, scene: str) -> str:
        """Whose pipeline answers a scene: its own, or home's where the bundle is older than it."""
        return scene if scene in self.pipelines else "home"

    def mix_for(self, context: Context) -> Mix | None:
        """The bounds of the share of products in one list; None if it is the pipeline's."""
        # A list of one kind has nothing to share.
        has_both = len(context.kinds) > 1
        mix = self.mixes.get(self.answering(context.scene)) if has_both else None
        treatment = None if self.claims is None else self.claims.treatment(context)
        if mix is None or treatment is None or treatment.ceiling >= mix.ceiling:
            return mix
        return replace(mix, ceiling=treatment.ceiling, floor=min(mix.floor, treatment.ceiling))

    def ready(self) -> "Bundle":
        """The same with what requests need prepared."""
        return replace(self, claims=Claims.of(self.catalog, self.treatments))

    def now_with(self, overlay: Overlay) -> "Bundle":
        """The same with items as they are now, and with those that came since."""
        if overlay.is_empty:
            return self
        catalog, n = overlay.catalog(), len(overlay.base)
        rules = None if self.rules is None else self.rules.over(catalog)
        if len(catalog) == n:
            return replace(self, catalog=catalog, fresh=None, rules=rules).ready()
        video_s = np.concatenate([self.taste.video_s[:n], catalog.duration_s[n:]])
        return replace(
            self,
            catalog=catalog,
            taste=replace(self.taste, video_s=video_s),
            fresh=Fresh.of(catalog, n, overlay.tag_counts),
            rules=rules,
        ).ready()

    def ruled(self, rules: Iterable[Rule]) -> "Bundle":
        """The same with these rules and no others."""
        return replace(self, rules=Ruled.of(rules, self.catalog))

    def scorer(self, context: Context) -> Scorer | None:
        """What orders the candidates of a list besides reciprocal ranks; None if nothing does."""
        ways = {"ranker": self._by_ranker, "blend": self._by_blend}
        scene, kinds = self.answering(context.scene), context.kinds
        by = ways.get(self.pipelines[scene].scorer)
        if by is None or scene not in self.reach:
            return by and partial(by, scene)
        spoken = reached(self.reach[scene], context.history, kinds, self.catalog)
        if len(spoken) == len(kinds):
            return partial(by, scene)
        return partial(self._by_both, partial(by, scene), spoken) if spoken else None

    def _by_both(
        self, scorer: Scorer, spoken: list[Kind], racing: Racing, context: Context
    ) -> Scored:
        # The order counts within a kind, so what the others are scored by needs no common scale.
        scored = scorer(racing, context)
        is_spoken = np.isin(self.catalog.kind[racing.items], spoken)
        return replace(scored, scores=np.where(is_spoken, scored.scores, racing.fused))

    def _by_blend(self, scene: str, racing: Racing, context: Context) -> Scored:
        # The scale of a source is told by its best of one kind, as when the blend was learned.
        known, kind_of = known_items(context.history), self.catalog.kind[racing.items]
        scores = np.empty(len(racing.items))
        for kind in context.kinds:
            chosen = np.flatnonzero(kind_of == kind)
            is_new = ~among(racing.items[chosen], known)
            scores[chosen] = self.blends[scene].scores(racing.opinions[:, chosen], is_new)
        return Scored(racing, np.nan_to_num(scores, nan=UNHEARD))

    def _by_ranker(self, scene: str, racing: Racing, context: Context) -> Scored:
        if self.facts is None:
            raise BundleError(f"{scene} has a ranker but the bundle has no facts of items")
        asked = Asked(row=context.row, basket=context.basket.items, at_ms=context.at_ms)
        table = features(racing, asked, self.catalog, self.facts)
        return Scored(racing, self.rankers[scene].scores(table), table, asked.basket)


def check(bundle: Bundle) -> None:
    """Raise BundleError unless lists can be made from a bundle."""
    n = len(bundle.catalog)
    check_catalog(bundle.catalog)
    check_value(bundle.taste.video_s, get_type_hints(Taste)["video_s"], "taste.video_s")
    check_value(bundle.taste.weighting.watch, WatchCurve, "taste.watch")
    if len(bundle.taste.video_s) != n:
        raise BundleError(f"taste.video_s has length {len(bundle.taste.video_s)}; allowed: {n}")
    for name, model in bundle.models.items():
        check_model(model, f"models.{check_name(name, 'a model')}", bundle.catalog)
    for scene, pipeline in bundle.pipelines.items():
        unknown = {s.model for s in pipeline.sources} - set(bundle.models)
        unknown |= set(pipeline.stages) - set(STAGES)
        unknown |= {pipeline.scorer} - {"", *SCORERS}
        if unknown:
            raise BundleError(f"pipeline {scene} names what is not there: {sorted(unknown)}")
        _check_scorer(bundle, scene, pipeline)
    if bundle.facts is not None:
        check_facts(bundle.facts, n)
    if bundle.newest is not None:
        check_positions(bundle.newest, n, "newest")


def _check_scorer(bundle: Bundle, scene: str, pipeline: Pipeline) -> None:
    unknown = set(bundle.reach.get(scene, ())) - set(every_group())
    if unknown:
        raise BundleError(f"the scorer of {scene} reaches lists of no known group: {unknown}")
    if pipeline.scorer == "blend":
        weights = bundle.blends[scene].weights if scene in bundle.blends else None
        if weights is None or weights.shape != (len(pipeline.sources),):
            raise BundleError(f"pipeline {scene} has no blend with one weight a source")
        check_value(bundle.blends[scene], Blend, f"blends.{scene}")
    if pipeline.scorer == "ranker":
        if scene not in bundle.rankers or bundle.facts is None:
            raise BundleError(f"pipeline {scene} has no ranker, or no facts for it to know")
        ranker, where = bundle.rankers[scene], f"rankers.{scene}"
        check_value(ranker, Ranker, where)
        check_ranker(ranker, names_of([source.name for source in pipeline.sources]), where)
