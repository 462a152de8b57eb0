"""Learns a ranker from lessons: boosted trees that put first what brought something."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.ranker import Ranker, flattened
from training.lessons import Lesson, thinned

Floats = NDArray[np.float64]

# Candidates of a list that brought nothing teach little more when there are more of them.
OTHERS = 60
LEVELS = 30
MANY_ROWS = 200_000
# Small trees: lists to learn from are few, and a request asks every tree.
N_TREES, DEPTH = 80, 4
LAMBDARANK: dict[str, Any] = {
    "objective": "lambdarank",
    "learning_rate": 0.06,
    "num_leaves": 12,
    "max_depth": DEPTH,
    "min_data_in_leaf": 50,
    "lambda_l2": 10.0,
    "feature_fraction": 0.6,
    "lambdarank_truncation_level": 30,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}


def learned_ranker(
    lessons: Sequence[Lesson], names: Sequence[str], seed: int
) -> tuple[Ranker, dict[str, float]]:
    """Trees that order candidates by gain, by LambdaMART (Burges 2010) as LightGBM has it.

    Returns
    -------
    The ranker, and the features that helped most, with their shares of all that features helped.
    """
    import lightgbm

    thin = thinned(lessons, OTHERS, np.random.default_rng(seed))
    labels, levels = _labels(np.concatenate([lesson.gains for lesson in thin]))
    data = lightgbm.Dataset(
        np.concatenate([lesson.table for lesson in thin]),
        labels,
        group=[len(lesson.gains) for lesson in thin],
        feature_name=list(names),
        params={"verbose": -1},
    )
    # Threads that wait for each other at every node cost more than they share on few rows.
    n_threads = 1 if len(labels) < MANY_ROWS else 2
    said = {**LAMBDARANK, "seed": seed, "label_gain": levels, "num_threads": n_threads}
    model = lightgbm.train(said, data, N_TREES)
    helped = model.feature_importance("gain")
    shares = helped / max(float(helped.sum()), 1e-12)
    told = {names[i]: round(float(shares[i]), 4) for i in np.argsort(-shares)[:10]}
    return Ranker.of(flattened(model.dump_model()["tree_info"], DEPTH), names), told


def _labels(gains: Floats) -> tuple[NDArray[np.int64], list[float]]:
    """Gains as a few levels, as LightGBM wants them: the level of each, and what a level gains."""
    levels = np.unique(gains[gains > 0])
    if len(levels) > LEVELS:
        levels = np.unique(np.quantile(levels, np.linspace(0, 1, LEVELS), method="nearest"))
    labels = np.searchsorted(levels, gains, side="right")
    return labels.astype(np.int64), [0.0, *levels.tolist()]
