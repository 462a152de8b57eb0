"""What lists come from before a shop learned anything: no model, its items as they are known."""

import numpy as np

from recsys.bundle import Bundle
from recsys.catalog import Catalog
from recsys.interactions import Taste, Weighting
from recsys.pipeline import Pipeline
from recsys.scenes import SCENES
from recsys.stages import STAGES
from recsys.watching import WatchCurve

NO_BUNDLE = "none"


def bare_bundle() -> Bundle:
    """A bundle without items and models; all that the shop puts in stands behind it as new.

    So its lists are of what the shop has, newest first, or what shares tags, creators and cards
    with what a person did; every stage holds.
    """
    stages = tuple(STAGES)
    return Bundle(
        bundle_id=NO_BUNDLE,
        catalog=Catalog.of([]),
        models={},
        taste=Taste(
            weighting=Weighting(watch=WatchCurve.prior()), video_s=np.empty(0, dtype=np.float32)
        ),
        pipelines={name: Pipeline(name=NO_BUNDLE, sources=(), stages=stages) for name in SCENES},
        figures={},
        data_until_ms=0,
    )
