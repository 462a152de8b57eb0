"""`sv_` sets once more: in which order to show what was shown, judged person by person.

The log of impressions is cut at the moment by which half of it had happened. Everything about a
person and an item is as of the beginning of the half that is asked about: the history for the first
half, which teaches; the history and the first half for the second, which judges. What happened
within a half is never looked at: with few impressions a person, the outcomes of the earlier ones
would give away those of the later ones among people who have both.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from recsys.catalog import Catalog
from recsys.events import EventType
from recsys.facts import Facts
from recsys.features import Asked, Racing, Values, features
from recsys.histories import Histories
from recsys.ids import Ints, Mask
from recsys.interactions import Acts, Rows, Taste
from recsys.metrics import Estimate
from recsys.models.base import Model
from training.bench_figures import DENSE, Figure
from training.bench_log import OUTCOMES, Shown, Stream
from training.bench_trial import chosen, taste_of
from training.config import ModelConfig

Floats = NDArray[np.float64]
BASELINE, RANKER = "tab, duration and hour", "ranker"
GAIN = f"{RANKER} − {BASELINE}"
HOUR_MS = 3_600_000
SCORED_AT_ONCE = 1_000
# A play that is not called a long one was broken off early; no set says after how many seconds.
SHORT_S = 3.0
# The mean of a few rankers that differ in the draws of features they were learned with.
N_RANKERS = 3
# Rare outcomes leave few people to learn from; the trees they get are fewer.
FEW_PEOPLE, N_TREES_OF_FEW, N_TREES = 2_000, 40, 100
PARAMETERS: dict[str, Any] = {
    "objective": "lambdarank",
    "learning_rate": 0.05,
    "num_leaves": 8,
    "max_depth": 3,
    "min_data_in_leaf": 50,
    "lambda_l2": 10.0,
    "feature_fraction": 0.5,
    "lambdarank_truncation_level": 100,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbose": -1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """A model asked for its opinion, and what of the histories it learns from and is asked with."""

    name: str
    model: str
    types: frozenset[EventType]
    is_long: bool = False


VOICES = (
    Voice(name="watched", model="item_knn", types=frozenset({EventType.PLAY})),
    Voice(name="long", model="item_knn", types=frozenset({EventType.PLAY}), is_long=True),
    Voice(name="liked", model="item_knn", types=frozenset({EventType.LIKE})),
    Voice(name="als", model="als", types=frozenset({EventType.PLAY, EventType.LIKE})),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Half:
    """Impressions with their features, person by person.

    Attributes
    ----------
    table
        Shape (n, n features).
    plain
        Shape (n, 3): tab, duration and hour.
    """

    shown: Shown
    table: Values
    plain: Floats
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listener:
    """Learned voices and the taste they were learned with."""

    catalog: Catalog
    taste: Taste
    voices: tuple[tuple[Voice, Model], ...]

    @classmethod
    def learned(cls, stream: Stream, seed: int) -> Self:
        """From what people did before the log."""
        taste = taste_of(stream.catalog)
        rows = taste.rows(stream.until(None), 0)
        voices = [
            (voice, _seeded(voice.model, seed).fit(heard(rows, voice), stream.catalog))
            for voice in VOICES
        ]
        return cls(catalog=stream.catalog, taste=taste, voices=tuple(voices))

    def half(self, shown: Shown, histories: Histories, at_ms: int) -> Half:
        """The features of some impressions, as of a moment before all of them."""
        shown = shown.take(np.lexsort((shown.at_ms, shown.persons)))
        rows = self.taste.rows(histories, at_ms)
        facts = Facts.learned(_told_short(histories), self.taste, self.catalog, at_ms)
        opinions = self._opinions(shown, rows)
        hour = (shown.at_ms // HOUR_MS % 24).astype(np.float64)
        parts: list[Values] = []
        names: tuple[str, ...] = ()
        for who, span in _by_person(shown.persons):
            racing = Racing(
                items=shown.items[span].astype(np.int32),
                fused=np.zeros(span.stop - span.start),
                opinions=opinions[:, span],
                sources=[voice.name for voice, _ in self.voices],
                extra={"tab": shown.tab[span], "shown_hour": hour[span]},
            )
            asked = Asked(row=rows[who], basket=np.empty(0, np.int32), at_ms=at_ms)
            parts.append(features(racing, asked, self.catalog, facts))
            names = racing.names
        plain = np.column_stack([shown.tab, self.catalog.duration_s[shown.items], hour])
        return Half(shown=shown, table=np.concatenate(parts), plain=plain, names=names)

    def _opinions(self, shown: Shown, rows: Rows) -> Values:
        """Shape (n voices, n impressions)."""
        who, where = np.unique(shown.persons, return_inverse=True)
        found = np.empty((len(self.voices), len(shown)), dtype=np.float32)
        for start in range(0, len(who), SCORED_AT_ONCE):
            asked = chosen(rows, who[start : start + SCORED_AT_ONCE])
            here = np.flatnonzero((where >= start) & (where < start + SCORED_AT_ONCE))
            for number, (voice, model) in enumerate(self.voices):
                scores = model.score(heard(asked, voice))
                found[number, here] = scores[where[here] - start, shown.items[here]]
        return found


def _seeded(name: str, seed: int) -> Model:
    return ModelConfig(model=name).new(seed)


def _told_short(histories: Histories) -> Histories:
    """The same with few seconds for plays of which only is known that they were not long."""
    events = histories.events
    is_short = (events.type == EventType.PLAY) & np.isnan(events.value)
    value = np.where(is_short, np.float32(SHORT_S), events.value)
    return Histories(replace(events, value=value), histories.offsets)


def heard(rows: Rows, voice: Voice) -> Rows:
    """The part of people's rows that a voice learns from."""
    acts = rows.acts
    if acts is None:
        return rows
    kept = np.isin(acts.events.type, list(voice.types))
    if voice.is_long:
        kept &= ~np.isnan(acts.events.value)
    left = Acts(acts.histories.keeping(kept), acts.weights[kept], acts.at_ms)
    return Rows.of_acts(left, rows.n_items)


def _by_person(persons: Ints) -> Iterator[tuple[int, slice]]:
    """Each person with where their impressions stand; `persons` is ascending."""
    starts = np.flatnonzero(np.diff(persons, prepend=-1))
    ends = np.append(starts[1:], len(persons))
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        yield int(persons[start]), slice(start, end)


def halves(folder: Path, seed: int) -> tuple[Half, Half]:
    """The half of the impressions that teaches, and the half that judges."""
    stream = Stream.read(folder)
    listener = Listener.learned(stream, seed)
    cut_ms = int(np.median(stream.shown.at_ms))
    first = stream.shown.take(stream.shown.at_ms < cut_ms)
    second = stream.shown.take(stream.shown.at_ms >= cut_ms)
    begun_ms = int(stream.shown.at_ms[0]) - 1
    return (
        listener.half(first, stream.until(None), begun_ms),
        listener.half(second, stream.until(first), cut_ms - 1),
    )


def impressions(folder: Path, *, seed: int = 1) -> list[Figure]:
    """How well impressions are put in order, by a ranker and by tab, duration and hour alone.

    For each outcome the area under the curve (AUC) of each person who has both outcomes among their
    impressions, as a mean over persons and weighted by impressions; and how much better than the
    baseline the ranker is, person by person.

    Raises
    ------
    BrokenSet
        A table or a column is missing.
    """
    first, second = halves(folder, seed)
    found: list[Figure] = []
    for outcome in OUTCOMES:
        if not first.shown.outcomes[outcome].any():
            continue
        judged = {
            name: aucs(second.shown, outcome, order(first, second, outcome, seed))
            for name, order in ORDERED_BY.items()
        }
        weights = judged[RANKER][1]
        gain = judged[RANKER][0] - judged[BASELINE][0]
        for name, values in {**{n: v for n, (v, _) in judged.items()}, GAIN: gain}.items():
            found += _figures(name, outcome, values, weights)
    return found


def by_features(first: Half, second: Half, outcome: str, seed: int) -> Floats:
    """Scores of the second half's impressions by a ranker that the first half taught.

    Only people with both outcomes teach, each by what they preferred among their own.
    """
    wanted = first.shown.outcomes[outcome]
    taught = has_both(first.shown.persons, wanted)
    persons = first.shown.persons[taught]
    starts = np.flatnonzero(np.diff(persons, prepend=-1))
    said = {"group": np.diff(np.append(starts, len(persons)))}
    n_trees = N_TREES if len(starts) >= FEW_PEOPLE else N_TREES_OF_FEW
    parameters = PARAMETERS | {"seed": seed}
    data = (first.table[taught], wanted[taught])
    return _boosted(data, second.table, parameters, n_trees, said)


def by_place(first: Half, second: Half, outcome: str, seed: int) -> Floats:
    """The same by tab, duration and hour alone, learned from every impression.

    As a probability: with so few columns that does better than to learn preferences.
    """
    parameters = PARAMETERS | {"objective": "binary", "seed": seed}
    data = (first.plain, first.shown.outcomes[outcome])
    return _boosted(data, second.plain, parameters, N_TREES, {})


def _boosted(
    data: tuple[NDArray[Any], Mask],
    asked: NDArray[Any],
    parameters: dict[str, Any],
    n_trees: int,
    said: dict[str, Any],
) -> Floats:
    import lightgbm

    table, wanted = data
    learned = lightgbm.Dataset(table, wanted, params={"verbose": -1}, free_raw_data=False, **said)
    scores = np.zeros(len(asked))
    for number in range(N_RANKERS):
        drawn = parameters | {"seed": parameters["seed"] + number}
        model = lightgbm.train(drawn, learned, n_trees)
        scores += np.asarray(model.predict(asked, raw_score=True)) / N_RANKERS
    return scores


ORDERED_BY: dict[str, Callable[[Half, Half, str, int], Floats]] = {
    RANKER: by_features,
    BASELINE: by_place,
}


def has_both(persons: Ints, outcome: Mask) -> Mask:
    """Shape (n,). Whether an impression's person has both outcomes among theirs."""
    _, where = np.unique(persons, return_inverse=True)
    counts, came = np.bincount(where), np.bincount(where, outcome)
    return np.asarray(((came > 0) & (came < counts))[where])


def aucs(shown: Shown, outcome: str, scores: Floats) -> tuple[Floats, Floats]:
    """The area under the curve of each person with both outcomes, and how many impressions."""
    wanted = shown.outcomes[outcome]
    kept = has_both(shown.persons, wanted)
    found = [
        (_auc(wanted[kept][span], scores[kept][span]), span.stop - span.start)
        for _, span in _by_person(shown.persons[kept])
    ]
    values = np.array(found, dtype=np.float64).reshape(-1, 2)
    return values[:, 0], values[:, 1]


def _auc(wanted: Mask, scores: Floats) -> float:
    """How often a wanted one stands before another (Mann and Whitney 1947); ties count half."""
    n = int(wanted.sum())
    below = rankdata(scores)[wanted].sum() - n * (n + 1) / 2
    return float(below / (n * (len(wanted) - n)))


def _figures(model: str, outcome: str, values: Floats, weights: Floats) -> list[Figure]:
    word = {"long": "long view"}.get(outcome, outcome)
    return [
        Figure(model=model, form=DENSE, metric=f"GAUC {word}", estimate=Estimate.of(values)),
        Figure(
            model=model,
            form=DENSE,
            metric=f"GAUC {word}, by impressions",
            estimate=Estimate.of_ratio(values * weights, weights),
        ),
    ]
