"""Learning a blend: hold back some of what people did, and find the weights that rank it best."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from recsys.blend import N_BEST, Blend, Blended, ByLength, unitless
from recsys.catalog import Catalog, Idxs, Kind
from recsys.ids import Ints
from recsys.interactions import Acts, Rows
from recsys.models.base import Model, Scores

# So many people tell the weights at a time; a fifth of their items is held back.
MOST_PEOPLE, SHARE_HELD, LEAST_ITEMS = 2_000, 0.2, 5
# Where there are fewer people, other items of theirs are held back again, up to so many times.
MOST_TIMES = 4
# Weights move by these shares of the largest, first far, then near.
STEPS = (1.0, 0.5, 0.25, 0.1, 0.05)
LEAST_GAIN = 1e-5
# So many models learn side by side: most of the work is done where other threads may run.
AT_ONCE = 2
# Weights are learned apart for so many lengths of histories, where each has so many people.
N_LENGTHS, LEAST_PEOPLE = 3, 300
# What every source says of a place beyond the end of a race.
NOWHERE = -1e6

Makers = Mapping[str, Callable[[], Model]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Held:
    """People some of whose items were held back.

    Attributes
    ----------
    train
        What is left to learn from.
    known
        What is left of the people asked.
    targets
        Shape (n asked,). What was held back of each.
    excluded
        Shape (n asked,). Items that are not to be shown to each.
    """

    train: Rows
    known: Rows
    targets: Sequence[Idxs]
    excluded: Sequence[Idxs]


def held_back(rows: Rows, seed: int) -> Held:
    """Some of the items that some people like, any as likely; the same for a seed."""
    rng = np.random.default_rng(seed)
    liked = np.flatnonzero(rows.weights > 0)
    owner = np.repeat(np.arange(len(rows)), np.diff(rows.offsets))[liked]
    able = np.flatnonzero(np.bincount(owner, minlength=len(rows)) >= LEAST_ITEMS)
    asked = np.sort(rng.choice(able, min(MOST_PEOPLE, len(able)), replace=False))
    kept, targets = np.ones(len(rows.items), dtype=np.bool_), []
    for person in asked:
        own = liked[np.searchsorted(owner, person) : np.searchsorted(owner, person + 1)]
        held = rng.choice(own, max(1, round(SHARE_HELD * len(own))), replace=False)
        kept[held] = False
        targets.append(np.sort(rows.items[held]))
    train = _keeping(rows, kept)
    known = Rows.of([train[int(person)] for person in asked], rows.n_items)
    excluded = [known[place].items for place in range(len(asked))]
    return Held(train=train, known=known, targets=targets, excluded=excluded)


def _keeping(rows: Rows, kept: NDArray[np.bool_]) -> Rows:
    """The same people with some of their items only."""
    owner = np.repeat(np.arange(len(rows)), np.diff(rows.offsets))
    offsets: Ints = np.concatenate([[0], np.cumsum(np.bincount(owner[kept], minlength=len(rows)))])
    acts = None if rows.acts is None else _acts_of(rows, rows.acts, owner[kept], kept)
    return Rows(offsets, rows.items[kept], rows.weights[kept], rows.n_items, acts)


def _acts_of(rows: Rows, acts: Acts, owner: Ints, kept: NDArray[np.bool_]) -> Acts:
    """The acts on what is kept, so that what was held back is nowhere to be seen."""
    cells = owner * rows.n_items + rows.items[kept]
    has_kept = np.isin(acts.histories.persons() * rows.n_items + acts.events.item, cells)
    return replace(acts, histories=acts.histories.keeping(has_kept), weights=acts.weights[has_kept])


@dataclass(frozen=True, slots=True, eq=False)
class Races:
    """Many people's candidates with what each source says of them, padded to one length.

    Attributes
    ----------
    parts
        Shape (n_sources, n people, n). Without unit; far below 0 beyond the end of a race.
    gains
        Shape (n people, n). Of an item held back 1 over the best gain there could be, else 0.
    k
        How long the lists are that count.
    """

    parts: Scores
    gains: Scores
    k: int

    @classmethod
    def of(cls, models: Sequence[Model], held: Held, kind: Kind | None, k: int) -> "Races":
        """What fitted models say of what they would send."""
        both = Blended(models, Blend(np.ones(len(models), dtype=np.float32)))
        raced = [_raced(both, held, place, kind, k) for place in range(len(held.known))]
        longest = max([k, *(len(gains) for _, gains in raced)])
        parts = np.full((len(models), len(raced), longest), NOWHERE, dtype=np.float32)
        every = np.zeros((len(raced), longest), dtype=np.float32)
        for place, (told, gains) in enumerate(raced):
            parts[:, place, : len(gains)] = told
            every[place, : len(gains)] = gains
        return cls(parts, every, k)

    @classmethod
    def together(cls, several: Sequence["Races"]) -> "Races":
        """The races of several times as one."""
        longest = max(one.gains.shape[1] for one in several)
        wider = [((0, 0), (0, 0), (0, longest - one.gains.shape[1])) for one in several]
        told = [
            np.pad(one.parts, by, constant_values=NOWHERE)
            for one, by in zip(several, wider, strict=True)
        ]
        gains = [np.pad(one.gains, by[1:]) for one, by in zip(several, wider, strict=True)]
        return cls(np.concatenate(told, axis=1), np.concatenate(gains), several[0].k)

    def among(self, people: NDArray[np.bool_]) -> "Races":
        """The races of some of the people."""
        return Races(self.parts[:, people], self.gains[people], self.k)

    def gain(self, weights: Scores) -> float:
        """Mean NDCG of the lists that some weights make."""
        scores = np.tensordot(weights, self.parts, axes=1)
        top = np.argpartition(-scores, self.k - 1, axis=1)[:, : self.k]
        order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
        gains = np.take_along_axis(self.gains, np.take_along_axis(top, order, axis=1), axis=1)
        return float((gains / np.log2(np.arange(2, self.k + 2))).sum(axis=1).mean())


def _raced(
    both: Blended, held: Held, place: int, kind: Kind | None, k: int
) -> tuple[Scores, Scores]:
    row, targets = held.known[place], held.targets[place]
    items = both.brought(row, max(k, N_BEST), kind)
    is_shown = np.isin(items, held.excluded[place], invert=True)
    is_new = np.isin(items, row.items, invert=True)
    told = unitless(both.parts(row, items), is_new)[:, is_shown]
    ideal = (1 / np.log2(np.arange(2, 2 + min(k, len(targets))))).sum()
    return told, (np.isin(items[is_shown], targets) / ideal).astype(np.float32)


def learned_weights(races: Races, may_oppose: Sequence[bool] = ()) -> Scores:
    """Coordinate ascent on NDCG (Metzler and Croft 2007) from the best single source; sum 1.

    Parameters
    ----------
    may_oppose
        Shape (n_sources,). Which weights may fall below 0; none where nothing is said.
    """
    least = [-np.inf if may else 0.0 for may in may_oppose] or [0.0] * len(races.parts)
    alone = np.eye(len(races.parts), dtype=np.float32)
    weights = alone[int(np.argmax([races.gain(one) for one in alone]))]
    best = races.gain(weights)
    for step in STEPS:
        while True:
            before = best
            for place in range(len(weights)):
                for sign in (1, -1):
                    moved = weights.copy()
                    moved[place] = max(least[place], moved[place] + sign * step)
                    gain = races.gain(moved) if moved.sum() > 0 else 0.0
                    if gain > best + LEAST_GAIN:
                        weights, best = moved, gain
            if best <= before:
                break
    return np.asarray(weights / weights.sum(), dtype=np.float32)


def blend_by_length(
    races: Races, n_items: Ints, may_oppose: Sequence[bool] = ()
) -> Blend | ByLength:
    """Weights for who has few items, more, and many, drawn half way to those of everybody.

    What fewer people tell is less sure, so theirs and everybody's count alike.

    Parameters
    ----------
    n_items
        Shape (n people,). How many items each has that are not held back.
    may_oppose
        As for `learned_weights`.
    """
    pooled = learned_weights(races, may_oppose)
    shares = np.arange(1, N_LENGTHS) / N_LENGTHS
    bounds = np.unique(np.ceil(np.quantile(n_items, shares)).astype(np.int64))
    group = np.searchsorted(bounds, n_items, side="right")
    if np.bincount(group, minlength=len(bounds) + 1).min() < LEAST_PEOPLE:
        return Blend(pooled)
    own = [learned_weights(races.among(group == one), may_oppose) for one in range(len(bounds) + 1)]
    return ByLength(bounds, tuple(Blend(np.float32(0.5) * (pooled + weights)) for weights in own))


def learn_blend(
    makers: Makers, train: Rows, catalog: Catalog, *, kind: Kind | None, k: int, seed: int
) -> Blend | ByLength:
    """Weights of models for one another; who calls lets the models learn from everything after.

    Parameters
    ----------
    makers
        By name, what makes a model that has not learned.
    kind
        What is ranked; None: both.
    k
        How long the lists are.

    Returns
    -------
    With weights in the order of `makers`; alike for all if nobody has enough items to hold back.
    """
    first = held_back(train, seed)
    more = (held_back(train, seed + n) for n in range(1, times(len(first.targets))))
    return blend_for(makers, chain([first], more), catalog, kind=kind, k=k)


def times(n_people: int) -> int:
    """How often items are held back where so many people have enough of them."""
    return min(MOST_TIMES, -(-MOST_PEOPLE // max(1, n_people)))


def all_fitted(makers: Iterable[Callable[[], Model]], rows: Rows, catalog: Catalog) -> list[Model]:
    """Models that have learned from the same rows, two at a time; none depends on another."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda make: make().fit(rows, catalog), makers))


def blend_for(
    makers: Makers, helds: Iterable[Held], catalog: Catalog, *, kind: Kind | None, k: int
) -> Blend | ByLength:
    """The same, for people whose held-back items are given, once or several times.

    A model that says the same to everybody may count against: where what was held back is less
    popular than what the others bring, or where they overrate the popular.
    """
    races, lengths, models = [], list[Ints](), list[Model]()
    for held in helds:
        if held.targets:
            models = all_fitted(makers.values(), held.train, catalog)
            races.append(Races.of(models, held, kind, k))
            lengths.append(np.diff(held.known.offsets))
    if not races:
        return Blend(np.full(len(makers), 1 / len(makers), dtype=np.float32))
    may_oppose = [not model.is_personal for model in models]
    return blend_by_length(Races.together(races), np.concatenate(lengths), may_oppose)
