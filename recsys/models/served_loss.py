"""What answering from prepared lists loses against scoring every item."""

import numpy as np

from recsys.catalog import Catalog, Kind
from recsys.interactions import Rows
from recsys.models.base import Model, Ranking


def sampled(rows: Rows, n_rows: int, seed: int) -> Rows:
    """At most n_rows of the rows that like something, in their order; the same for a seed."""
    liking = np.array([p for p in range(len(rows)) if (rows[p].weights > 0).any()], dtype=np.int64)
    rng = np.random.default_rng(seed)
    chosen = rng.choice(liking, size=min(n_rows, len(liking)), replace=False)
    return Rows.of([rows[int(person)] for person in np.sort(chosen)], rows.n_items)


def served_recall(
    model: Model, rows: Rows, catalog: Catalog, *, kind: Kind | None, k: int
) -> float:
    """Mean share of the k best items by `score` that `candidates` finds too; NaN if none has any.

    Items scored 0 or less do not count: no model recommends them. Keep `rows` to a sample, as
    scores are dense.
    """
    allowed = np.arange(len(catalog)) if kind is None else catalog.of_kind(kind)
    shares = []
    for person, scores in enumerate(model.score(rows)[:, allowed]):
        wanted = scores > 0
        best = Ranking.best(allowed[wanted], scores[wanted], k)
        if len(best.items):
            served = model.candidates(rows[person], k, kind)
            # Of tied items either may be served, so the score decides, not the item.
            enough = np.isclose(served.scores, best.scores[-1], rtol=1e-4)
            hits = np.isin(served.items, best.items) | (served.scores > best.scores[-1]) | enough
            shares.append(min(1.0, hits.sum() / len(best.items)))
    return float(np.mean(shares)) if shares else float("nan")
