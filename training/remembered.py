"""A way to learn that does not learn the same twice, for who fits one shop often."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np

from recsys.arrays import flat
from recsys.catalog import Catalog
from recsys.interactions import Rows
from recsys.models.base import Model, learned_names, parameters
from training.fit import learned

# Learned models are remembered up to this size together.
REMEMBERED_BYTES = 400_000_000


@dataclass(slots=True, eq=False)
class Remembered:
    """Learns as `fit` does, but knows what it learned lately: of one catalogue only.

    Parameters
    ----------
    limit_bytes
        Size of all that is known; what was not asked for longest is forgotten first.
    """

    limit_bytes: int = REMEMBERED_BYTES
    _known: OrderedDict[object, tuple[Model, int]] = field(default_factory=OrderedDict)

    def __call__(self, model: Model, rows: Rows, catalog: Catalog) -> Model:
        """The model, learned now or before from the same rows with the same parameters."""
        key = (type(model).__name__, *parameters(model).items(), _digest(rows))
        if key not in self._known:
            fitted = learned(model, rows, catalog)
            self._known[key] = (fitted, _n_bytes(fitted))
        self._known.move_to_end(key)
        while len(self._known) > 1 and self.n_bytes > self.limit_bytes:
            self._known.popitem(last=False)
        return self._known[key][0]

    @property
    def models(self) -> list[Model]:
        """What is known, that asked for last at the end."""
        return [model for model, _ in self._known.values()]

    @property
    def n_bytes(self) -> int:
        """Size of all that is known."""
        return sum(size for _, size in self._known.values())


def _digest(rows: Rows) -> str:
    found = hashlib.blake2b(digest_size=16)
    weights = [] if rows.acts is None else [rows.acts.weights]
    for array in (rows.offsets, rows.items, rows.weights, *weights):
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def _n_bytes(model: Model) -> int:
    arrays = [flat(getattr(model, name), name) for name in learned_names(model)]
    return sum(array.nbytes for one in arrays for array in one.values())
