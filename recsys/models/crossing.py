"""Several behaviours: what viewing, carting, watching say for buying, each as far as it does."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recsys.catalog import Catalog, Idxs, Kind
from recsys.interactions import Acts, Row, Rows
from recsys.models.base import Because, Ranking, Scores, check_fitted
from recsys.models.behaviours import ANYTHING, WORDS, Behaviours, acts_of, code_of
from recsys.models.effects import Choices, Doubles, Numbers, learn
from recsys.models.evidence import EXTRA, Evidence, features_of, names, prior
from recsys.models.gathering import Gathering
from recsys.models.heldout import HeldOut, held_out
from recsys.models.lists import has_liked

# Of the items nobody chose so many with the most evidence stand for themselves, and so many others
# for all the rest.
N_LIKELY = N_OTHERS = 100
# Persons whose signals tell how large a usual one is.
N_SCALED = 300
WITHIN, WITHOUT = 0, 1


@dataclass(kw_only=True, slots=True, eq=False)
class Crossing:
    """Cross-occurrence of behaviours whose effects are learned, one by one.

    For each behaviour it is counted how many persons who did it on one item came to the aim (to
    buy, to watch) on another, and kept where that is more than chance (Dunning 1993; the use for
    several behaviours is that of correlated cross-occurrence, Schelter et al. 2012). The same for
    the aim on the very item. Then what some persons did is hidden, and a choice model learns how
    much each of these says for what they did: so viewing counts for buying only as far as it leads
    there. Who has nothing of a kind yet has effects of their own, learned from people whose
    past of that kind was hidden whole.

    Parameters
    ----------
    target, video_target
        The aim for products and for videos: an event's word, or "watched" for a play of most of
        the video. Where nobody did it, any act that speaks for an item is the aim.
    n_neighbours
        How many items of each kind are kept for each item, each behaviour, and each filter.
    significance
        Log-likelihood ratios below this are chance; 3.84 is exceeded by chance once in twenty.
    ridge
        Of the filter among items of one kind, in mean diagonals.
    ridge_between
        Of the filter from one kind to the other, in lengths of a person's row.
    carry
        How much what the filter between kinds says of an item counts for those that go with it; 0
        leaves it with the item.
    most_filtered
        The filter among items of one kind covers so many of the most frequent: its cost grows with
        the third power.
    n_learners
        The effects are learned from what so many persons did, at most half of all.
    caution
        How many choices' worth of certainty the prior of the effects has.
    holdout
        Which acts are hidden: "last", "random", or "" for the last ones where acts have an order:
        where they are dated, or not listed by item.
    novelty
        Added to the log-odds of what is new to the person: likeliest next is often what they have
        met, and a list of only that shows them nothing; 0 ranks by chance alone.
    seed
        Of who is asked and what is hidden.

    Attributes
    ----------
    evidence_
        What behaviours say of items.
    effects_
        Shape (2 kinds, 2, n_features). For who has items of the kind, and for who has none.
    worth_
        Shape (2 kinds, 2, n_behaviours). What predictions lose without a behaviour, in nats of
        log-likelihood a choice, on the choices learned from.
    """

    target: str = "order"
    video_target: str = "watched"
    n_neighbours: int = 200
    significance: float = 3.84
    ridge: float = 4.0
    ridge_between: float = 30.0
    carry: float = 8.0
    most_filtered: int = 12_000
    n_learners: int = 4_000
    caution: float = 10.0
    holdout: str = ""
    novelty: float = 1.0
    seed: int = 0

    evidence_: Evidence = field(init=False, repr=False)
    effects_: Numbers = field(init=False, repr=False)
    worth_: Numbers = field(init=False, repr=False)
    is_personal: ClassVar[bool] = True

    def fit(self, interactions: Rows, catalog: Catalog) -> Self:
        """Learn effects with some of what people did hidden, then items from all of it."""
        gathering = Gathering(**{f.name: getattr(self, f.name) for f in fields(Gathering)})
        acts = acts_of(interactions, self.seed)
        behaviours = Behaviours.of(acts, catalog.duration_s)
        aims = self._aims(acts, behaviours, catalog)
        hidden = held_out(
            acts, behaviours, aims, catalog.kind, (self.holdout, self.n_learners, self.seed)
        )
        rest = Acts(acts.histories.keeping(hidden.kept), acts.weights[hidden.kept], acts.at_ms)
        evidence = gathering.evidence(rest, behaviours, aims, catalog)
        self._learn_effects(evidence, Rows.of_acts(rest, len(catalog)), hidden, aims)
        whole = gathering.evidence(acts, behaviours, aims, catalog)
        self.evidence_ = replace(whole, scales=self.evidence_.scales)
        return self

    def _aims(self, acts: Acts, behaviours: Behaviours, catalog: Catalog) -> dict[Kind, int]:
        """The code of what is aimed at for each kind."""
        wanted = {Kind.PRODUCT: code_of(self.target), Kind.VIDEO: code_of(self.video_target)}
        kinds = catalog.kind[acts.events.item]
        return {
            kind: code if (behaviours.shown(acts, code) & (kinds == kind)).any() else ANYTHING
            for kind, code in wanted.items()
        }

    def _learn_effects(
        self, evidence: Evidence, rows: Rows, hidden: HeldOut, aims: dict[Kind, int]
    ) -> None:
        self.evidence_ = replace(evidence, scales=_scales(evidence, rows, hidden, self.seed))
        n_features, n = len(names(evidence.behaviours)), len(evidence.behaviours)
        self.effects_ = np.zeros((len(Kind), 2, n_features), dtype=np.float32)
        self.worth_ = np.zeros((len(Kind), 2, n), dtype=np.float32)
        for kind in Kind:
            before = prior(evidence.behaviours, aims[kind])
            for group in (WITHIN, WITHOUT):
                choices = Choices.of(self._choices(rows, hidden, (kind, group), before), n_features)
                effects = learn(choices, before, self.caution)
                self.effects_[kind, group] = effects
                self.worth_[kind, group] = self._worth(choices, before, effects)
                before = before if group == WITHOUT else effects

    def _worth(self, choices: Choices, before: Doubles, effects: Doubles) -> list[float]:
        """For each behaviour the nats a choice that are lost without it, others relearned."""
        n = len(self.evidence_.behaviours)
        if len(choices) == 0:
            return [0.0] * n
        losses = []
        for place in range(n):
            free = ~features_of(self.evidence_.behaviours, place)
            losses.append(choices.chances(learn(choices, before * free, self.caution, free))[1])
        return [(loss - choices.chances(effects)[1]) / len(choices) for loss in losses]

    def _choices(
        self, rows: Rows, hidden: HeldOut, of: tuple[Kind, int], before: Doubles
    ) -> Iterator[tuple[Numbers, Doubles, Doubles]]:
        """What people chose of what there was evidence for."""
        kind, group = of
        rng = np.random.default_rng(self.seed)
        for person, chosen, done in hidden.of_kind(kind):
            row = rows[person]
            if _group(self.evidence_, row, kind) != group:
                continue
            signals = self.evidence_.signals(row, kind)
            options = np.flatnonzero(~np.isin(signals.items, done))
            is_chosen = np.isin(signals.items[options], chosen)
            if not is_chosen.any() or is_chosen.all():
                continue
            features = self.evidence_.features(signals)[options]
            offset = np.zeros(len(options))
            stays = is_chosen | signals.own[:, options].any(axis=0)
            rest = np.flatnonzero(~stays)
            rest = rest[np.argsort(-(features[rest] @ before), kind="stable")][N_LIKELY:]
            stays[:] = True
            if len(rest) > N_OTHERS:
                drawn = rng.choice(rest, N_OTHERS, replace=False)
                stays[rest], stays[drawn] = False, True
                offset[drawn] = np.log(len(rest) / N_OTHERS)
            yield features[stays], (is_chosen / is_chosen.sum())[stays], offset[stays]

    def _ranked(self, row: Row, kind: Kind) -> tuple[Idxs, Scores]:
        """Every item of a kind that anything speaks for, ascending, with scores."""
        return row.once((self.evidence_, "ranked", kind), lambda: self._rank(row, kind))

    def _rank(self, row: Row, kind: Kind) -> tuple[Idxs, Scores]:
        if not (row.weights > 0).any():
            return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
        signals = self.evidence_.signals(row, kind)
        effects = self.effects_[kind, _group(self.evidence_, row, kind)]
        sums = self.evidence_.features(signals) @ effects
        sums += np.float32(self.novelty) * ~signals.own.any(axis=0)
        # Above 0 whatever speaks against it, and in the order of the chances.
        return signals.items, np.logaddexp(0, sums).astype(np.float32)

    def score(self, rows: Rows) -> Scores:
        """For each item how likely it is next, on a scale of its own; NaN without evidence."""
        check_fitted(self)
        scores = np.full((len(rows), rows.n_items), np.nan, dtype=np.float32)
        for person in np.flatnonzero(has_liked(rows)):
            row = rows[int(person)]
            for kind in Kind:
                items, said = self._ranked(row, kind)
                scores[person, items] = said
        return scores

    def candidates(self, row: Row, k: int, within: Kind | None) -> Ranking:
        """The likeliest of the items that anything speaks for."""
        check_fitted(self)
        found = [self._ranked(row, kind) for kind in (Kind if within is None else (within,))]
        items = np.concatenate([items for items, _ in found])
        return Ranking.best(items, np.concatenate([scores for _, scores in found]), k)

    def score_of(self, row: Row, items: Idxs) -> Scores:
        """As in candidates; NaN where nothing speaks for an item."""
        check_fitted(self)
        scores = np.full(len(items), np.nan, dtype=np.float32)
        for kind in Kind:
            listed, said = self._ranked(row, kind)
            if len(listed):
                at = np.minimum(np.searchsorted(listed, items), len(listed) - 1)
                is_listed = listed[at] == items
                scores[is_listed] = said[at[is_listed]]
        return scores

    def contributions(self) -> dict[Kind, dict[str, float]]:
        """For each kind what predictions for who has items of it lose without a behaviour.

        In nats of log-likelihood a choice, of those learned from, the other effects relearned; 0.69
        is a guess between two made sure.
        """
        check_fitted(self)
        words = [WORDS[code] for code in self.evidence_.behaviours.codes]
        return {
            kind: dict(zip(words, self.worth_[kind, WITHIN].tolist(), strict=True)) for kind in Kind
        }

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """The row's item that says most for each, by the size of its evidence."""
        check_fitted(self)
        keys = self.evidence_.strongest(row, items)
        return [None if key is None else Because(item_idx=key) for key in keys]


def _group(evidence: Evidence, row: Row, kind: Kind) -> int:
    """Whether somebody has items of a kind, or none."""
    return WITHIN if (evidence.kind[row.items[row.weights > 0]] == kind).any() else WITHOUT


def _scales(evidence: Evidence, rows: Rows, hidden: HeldOut, seed: int) -> Numbers:
    """The median of each sum that is not 0, over some persons."""
    n = len(evidence.scales)
    found: list[NDArray[np.float32]] = []
    asked = [(p, kind) for kind in Kind for p, _, _ in hidden.of_kind(kind)]
    for place in np.random.default_rng(seed).permutation(len(asked))[:N_SCALED]:
        person, kind = asked[int(place)]
        found.append(evidence.signals(rows[person], kind).sums)
    sums = np.concatenate([np.zeros((n, 0), np.float32), *found], axis=1)
    medians = [float(np.median(one[one > 0])) if (one > 0).any() else 1.0 for one in sums]
    # Latest crossings are added up in the behaviours' own scales, and so need none.
    medians[-len(EXTRA)] = 1.0
    return np.array(medians, dtype=np.float32)
