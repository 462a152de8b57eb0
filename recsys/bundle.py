"""The hand-over from training to serving: everything a list needs, and no person."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recsys.catalog import Catalog
from recsys.interactions import Taste
from recsys.models.base import Model
from recsys.pipeline import Pipeline


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
    """

    bundle_id: str
    catalog: Catalog
    models: Mapping[str, Model]
    taste: Taste
    pipelines: Mapping[str, Pipeline]
    figures: Mapping[str, Any]
    data_until_ms: int
