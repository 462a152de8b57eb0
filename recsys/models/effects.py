"""How much each piece of evidence says about what comes next: a choice model, learned.

Of the items somebody could have turned to they turned to one; the chance of each is e to the sum of
its evidence times the effects, over the same of all of them (conditional logit, McFadden 1974).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float32]
Doubles = NDArray[np.float64]
MAX_STEPS = 30
# Newton steps end when the loss of a choice falls by less than this, in nats.
ENOUGH = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """Choices that were made, one behind the other.

    Attributes
    ----------
    evidence
        Shape (n options, n_features).
    chosen
        Shape (n options,). Share of the choice that each option got; sums to 1 in each choice.
    offset
        Shape (n options,). Added to each option's sum: the log of how many options it stands for.
    starts
        Shape (n choices,). Where each choice's options begin.
    """

    evidence: Numbers
    chosen: Doubles
    offset: Doubles
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, parts: Iterable[tuple[Numbers, Doubles, Doubles]], n_features: int) -> Self:
        """Evidence, shares and offsets of each choice."""
        there = list(parts)
        lengths = [len(chosen) for _, chosen, _ in there]
        nothing = np.empty(0)
        return cls(
            np.concatenate([np.empty((0, n_features), np.float32), *(e for e, _, _ in there)]),
            np.concatenate([nothing, *(chosen for _, chosen, _ in there)]),
            np.concatenate([nothing, *(offset for _, _, offset in there)]),
            np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)[: len(there)],
        )

    def __len__(self) -> int:
        """How many there are."""
        return len(self.starts)

    def chances(self, effects: Doubles) -> tuple[Doubles, float]:
        """Of each option its chance, and the sum of −log chance of what was chosen, in nats."""
        sums = self.evidence @ effects.astype(np.float32) + self.offset
        lengths = np.diff(np.append(self.starts, len(sums)))
        highest = np.maximum.reduceat(sums, self.starts)
        grown = np.exp(sums - np.repeat(highest, lengths))
        total = np.add.reduceat(grown, self.starts)
        loss = float((np.log(total) + highest).sum() - self.chosen @ sums)
        return grown / np.repeat(total, lengths), loss


def learn(choices: Choices, prior: Doubles, caution: float, free: Any = None) -> Doubles:
    """The effects that make the choices likeliest, drawn towards a prior.

    Parameters
    ----------
    prior
        Shape (n_features,). What is believed before any choice is seen.
    caution
        How many choices' worth of certainty the prior has.
    free
        Which effects may differ from 0; None means all. Serves to ask what a feature is worth.
    """
    places = np.arange(len(prior)) if free is None else np.flatnonzero(free)
    effects = np.zeros(len(prior))
    effects[places] = prior[places]
    if len(choices) == 0 or len(places) == 0:
        return effects
    loss = _penalised(choices, effects, prior, caution)
    for _ in range(MAX_STEPS):
        step = _newton_step(choices, effects, prior, caution, places)
        size, before = 1.0, loss
        while True:
            tried = effects.copy()
            tried[places] -= size * step
            loss = _penalised(choices, tried, prior, caution)
            if loss <= before or size < 1e-3:
                break
            size /= 2
        if loss > before:
            break
        effects = tried
        if before - loss < ENOUGH * len(choices):
            break
    return effects


def _penalised(choices: Choices, effects: Doubles, prior: Doubles, caution: float) -> float:
    away = effects - prior
    return choices.chances(effects)[1] + caution / 2 * float(away @ away)


def _newton_step(
    choices: Choices, effects: Doubles, prior: Doubles, caution: float, places: NDArray[Any]
) -> Doubles:
    chance, _ = choices.chances(effects)
    evidence = choices.evidence[:, places]
    slope = (chance - choices.chosen).astype(np.float32) @ evidence
    slope = slope.astype(np.float64) + caution * (effects - prior)[places]
    weighted = evidence * chance.astype(np.float32)[:, None]
    means = np.add.reduceat(weighted, choices.starts, axis=0).astype(np.float64)
    bend = (weighted.T @ evidence).astype(np.float64) - means.T @ means
    bend[np.diag_indices_from(bend)] += caution
    return np.asarray(np.linalg.solve(bend, slope))
