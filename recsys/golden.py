"""Requests whose answers a bundle carries: asked again before it is used, to be answered alike.

A signature says that the arrays are those that were written; this says that the code at hand makes
of them what was made when they were learned. Nobody's history is in it: the persons are made up.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from recsys.bundle import Bundle
from recsys.catalog import Kind
from recsys.errors import BundleError
from recsys.events import Event, EventType, moment
from recsys.histories import History
from recsys.recommend import Request, recommend

N_PERSONS = 24
K = 20
# Sums may end otherwise in the last bit on another processor, and two items change places.
SAME = 0.9
FIGURE = "golden"


def golden(bundle: Bundle, *, seed: int = 0) -> list[dict[str, Any]]:
    """Requests of made-up persons with their answers, as JSON values."""
    return [
        one | {"answer": answer_of(bundle, one["scene"], one["history"])}
        for one in _asked(bundle, seed)
    ]


def _asked(bundle: Bundle, seed: int = 0) -> list[dict[str, Any]]:
    """A stranger, and persons of one item each, drawn from what is on sale."""
    on_sale = np.flatnonzero(bundle.catalog.on_sale)
    drawn = np.random.default_rng(seed).permutation(on_sale)[:N_PERSONS].tolist()
    histories: list[list[int]] = [[], *([item_idx] for item_idx in drawn)]
    scenes = [scene for scene in ("home",) if scene in bundle.pipelines]
    return [{"scene": scene, "history": items} for scene in scenes for items in histories]


def answer_of(bundle: Bundle, scene: str, items: list[int]) -> list[int]:
    """The items a bundle gives to who has just done something with these, and nothing else.

    Raises
    ------
    BundleError
        A source failed, or scores are not finite.
    """
    history = History.of([(item_idx, _act(item_idx, bundle)) for item_idx in items])
    at = moment(bundle.data_until_ms)
    request = Request(scene=scene, k=K)
    answer = recommend(request, history, bundle, at=at, list_id=FIGURE)
    served = answer.served
    if served.degraded or not all(np.isfinite(item.score) for item in served.items):
        raise BundleError(
            f"bundle {bundle.bundle_id} does not answer a golden request of {scene}, "
            f"got degraded={list(served.degraded)}; allowed: every source, finite scores"
        )
    return [int(item_idx) for item_idx in answer.items]


def check_golden(bundle: Bundle, *, between: Callable[[], object] = lambda: None) -> None:
    """Raise BundleError unless a bundle answers its golden requests as when it was made.

    A bundle that carries none is asked all the same, and must answer.

    Parameters
    ----------
    between
        Called after each request: a room where others wait lets them go first.
    """
    said: list[dict[str, Any]] = bundle.figures.get(FIGURE) or _asked(bundle)
    kept, n_items = 0, 0
    for one in said:
        now = answer_of(bundle, one["scene"], one["history"])
        wanted = one.get("answer", now)
        kept += len(set(now) & set(wanted))
        n_items += max(len(now), len(wanted))
        between()
    if kept < SAME * n_items:
        raise BundleError(
            f"bundle {bundle.bundle_id} answers its golden requests with other items than when it "
            f"was made, got {kept} of {n_items} alike; allowed: {SAME:.0%} or more"
        )


def _act(item_idx: int, bundle: Bundle) -> Event:
    is_video = bundle.catalog.kind[item_idx] == Kind.VIDEO
    return Event(
        event_id=FIGURE,
        user_id=FIGURE,
        item_id=bundle.catalog.ids[item_idx],
        type=EventType.PLAY if is_video else EventType.VIEW,
        at=None,
    )
