"""People with one of several tastes each, for models that learn items from rows."""

import numpy as np

from recsys.catalog import Catalog, Kind
from recsys.interactions import Row, Rows
from tests.planted import item

N_ITEMS, N_TASTES = 120, 6
EACH = N_ITEMS // N_TASTES
CATALOG = Catalog.of([item(n, Kind(n % 2)) for n in range(N_ITEMS)])


def rows_of(weights) -> Rows:
    people = [np.array(one, dtype=np.float32) for one in weights]
    return Rows.of(
        [Row(np.flatnonzero(w).astype(np.int32), w[w != 0]) for w in people], len(people[0])
    )


def people(n=300, seed=0, disliked=0.1) -> Rows:
    """Each likes some items of one taste, most of them its popular ones; some are dislikes."""
    rng = np.random.default_rng(seed)
    weights = np.zeros((n, N_ITEMS), dtype=np.float32)
    for person in range(n):
        near = np.minimum(rng.geometric(0.12, size=8) - 1, EACH - 1)
        own = np.unique((person % N_TASTES) * EACH + near)
        sign = np.where(rng.random(len(own)) < disliked, -1, 1)
        weights[person, own] = rng.uniform(0.1, 3, size=len(own)) * sign
    return rows_of(weights)


def share_of_taste(model, k=5) -> float:
    """How many of the best k items not in the row are of the person's taste."""
    rows, hits = people(60, seed=9, disliked=0), []
    for person in range(len(rows)):
        row = rows[person]
        found = model.candidates(row, k + len(row), None).items
        new = found[~np.isin(found, row.items)][:k]
        hits.append(np.mean(new // EACH == person % N_TASTES))
    return float(np.mean(hits))
