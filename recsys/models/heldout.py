"""Hiding some of what people did, to learn what predicts it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.catalog import Idxs, Kind
from recsys.errors import ConfigError
from recsys.histories import UNDATED
from recsys.ids import Mask
from recsys.interactions import Acts
from recsys.models.behaviours import Behaviours

# Of what somebody did so much is hidden, one act at the least.
SHARE_HIDDEN = 0.2
# Of the people with both kinds so many at most lose all of one kind.
SHARE_WITHOUT = 0.3
# Positions of random order fall in half of all steps; in less than this they are sorted.
FALLING = 0.1
HOLDOUTS = ("", "last", "random")


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Whose acts are hidden, and what they had come to.

    Attributes
    ----------
    kept
        Shape (n events,). Which acts are still known.
    asked
        For each kind: person, the items they came to, the items they had come to before.
    """

    kept: Mask
    asked: Mapping[Kind, list[tuple[int, Idxs, Idxs]]]

    def of_kind(self, kind: Kind) -> Iterator[tuple[int, Idxs, Idxs]]:
        """Those asked about one kind."""
        yield from self.asked[kind]


def held_out(
    acts: Acts,
    behaviours: Behaviours,
    aims: Mapping[Kind, int],
    kinds: NDArray[np.int8],
    how: tuple[str, int, int],
) -> HeldOut:
    """Hide some persons' aims of a kind, and others' whole past of it.

    Each person is asked about one kind, so that what is hidden of one is still known for another.

    Parameters
    ----------
    aims
        What counts as an aim of each kind.
    kinds
        Shape (n_items,).
    how
        Which acts are hidden, how many persons a kind are asked, and the seed of both.

    Raises
    ------
    ConfigError
        The first of `how` is no way to hide.
    """
    way, n_persons, seed = how
    if way not in HOLDOUTS:
        raise ConfigError(f"there is no holdout {way!r}; allowed: {', '.join(HOLDOUTS[1:])} or ''")
    way = way or ("last" if has_order(acts) else "random")
    rng = np.random.default_rng(seed)
    persons, event_kinds = acts.histories.persons(), kinds[acts.events.item]
    free = np.ones(len(acts.histories), dtype=np.bool_)
    kept = np.ones(len(persons), dtype=np.bool_)
    asked: dict[Kind, list[tuple[int, Idxs, Idxs]]] = {kind: [] for kind in Kind}
    for is_whole in (True, False):
        for kind, code in aims.items():
            aimed = behaviours.shown(acts, code) & (event_kinds == kind)
            who = free & _eligible(acts, aimed, event_kinds == kind, is_whole=is_whole)
            share = SHARE_WITHOUT if is_whole else 0.5
            n = min(n_persons, int(np.ceil(share * who.sum())))
            chosen = np.sort(rng.permutation(np.flatnonzero(who))[:n])
            free[chosen] = False
            for person in chosen.tolist():
                span = slice(*acts.histories.offsets[person : person + 2].tolist())
                items, mine = acts.events.item[span], aimed[span]
                whole = event_kinds[span] == kind
                hidden = whole if is_whole else _hidden(items, mine, way, rng)
                before = np.unique(items[mine & ~hidden])
                after = np.setdiff1d(items[mine & hidden], before)
                kept[span] &= ~hidden
                if len(after):
                    asked[kind].append((person, after, before))
    return HeldOut(kept, asked)


def has_order(acts: Acts) -> bool:
    """Whether acts are dated, or else at least not listed by the positions of their items."""
    if not (acts.events.at_ms == UNDATED).any():
        return True
    persons, types = acts.histories.persons(), acts.events.type
    follows = (np.diff(persons) == 0) & (np.diff(types) == 0)
    falls = np.diff(acts.events.item) < 0
    return bool((falls & follows).sum() > FALLING * follows.sum())


def _eligible(acts: Acts, aimed: Mask, of_kind: Mask, *, is_whole: bool) -> Mask:
    """Who has something to hide, and something left then."""
    persons, n = acts.histories.persons(), len(acts.histories)
    goals = np.bincount(persons[aimed], minlength=n)
    others = np.bincount(persons[~of_kind], minlength=n)
    every = np.bincount(persons, minlength=n)
    return (goals > 0) & (others > 0) if is_whole else (goals > 0) & (every > 1)


def _hidden(items: Idxs, aimed: Mask, way: str, rng: np.random.Generator) -> Mask:
    """Some of a person's aims with what followed: all of it, or undated, on the same item."""
    places = np.flatnonzero(aimed)
    n = max(1, int(SHARE_HIDDEN * len(places)))
    after = np.arange(len(items))
    if way == "last":
        return np.asarray(after >= places[-n])
    hidden = np.zeros(len(items), dtype=np.bool_)
    for place in rng.choice(places, n, replace=False):
        hidden |= (items == items[place]) & (after >= place)
    return hidden
