"""Lists in which what is for sale does not crowd: only so much of it in a row."""

from collections import deque
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from recsys.bundle import Bundle
from recsys.candidates import Candidates
from recsys.catalog import Catalog, Idxs, Kind
from recsys.ids import Mask
from recsys.ladder import filled
from recsys.pipeline import (
    Course,
    Placed,
)


def uncrowded(placed: Placed, course: Course, bundle: Bundle) -> Placed:
    """The list with no more commercial items (products, ads) in a row than may be.

    Where it holds too few others to stand between them, the last commercial ones make room for
    videos from the ladder; only a shop that has no more videos to show keeps a longer row.
    """
    catalog, mix = course.catalog, bundle.mix_for(course.context)
    in_row = 0 if mix is None else mix.in_row
    if not is_crowded(_are_commercial(placed.candidates.items, catalog), in_row):
        return placed
    placed = _in_order(placed, catalog, in_row)
    excess = _last_run(_are_commercial(placed.candidates.items, catalog)) - in_row
    if excess <= 0:
        return placed
    kept = placed.candidates.take(np.arange(len(placed.candidates) - excess))
    more = _others(replace(placed, candidates=kept), course, bundle)
    n_more = min(excess, len(more))
    kept = placed.candidates.take(np.arange(len(placed.candidates) - n_more))
    both = Candidates(
        np.concatenate([kept.items, more.items[:n_more]]),
        np.concatenate([kept.scores, more.scores[:n_more]]),
        np.concatenate([kept.parts, more.parts[:, :n_more]], axis=1),
    )
    return _in_order(replace(placed, candidates=both), catalog, in_row)


def _others(placed: Placed, course: Course, bundle: Bundle) -> Candidates:
    """What the ladder has that is neither for sale nor in the list."""
    context = replace(course.context, kinds=(Kind.VIDEO,), k=2 * course.context.k)
    found = filled(placed, replace(course, context=context), bundle).candidates
    more = found.take(np.arange(len(placed.candidates), len(found)))
    return more.without(_are_commercial(more.items, course.catalog))


def _are_commercial(items: Idxs, catalog: Catalog) -> Mask:
    return np.asarray((catalog.kind[items] == Kind.PRODUCT) | catalog.ad[items])


def _in_order(placed: Placed, catalog: Catalog, in_row: int) -> Placed:
    order = spaced(_are_commercial(placed.candidates.items, catalog), in_row)
    return replace(placed, candidates=placed.candidates.take(order))


def _last_run(is_commercial: Mask) -> int:
    others = np.flatnonzero(~is_commercial)
    return len(is_commercial) - (int(others[-1]) + 1 if len(others) else 0)


def spaced(is_commercial: Mask, in_row: int) -> NDArray[np.intp]:
    """The places of a list in an order in which no more than `in_row` commercial ones follow.

    Where too many do, the next that is none comes forward, as long as there is one; all else keeps
    its order.
    """
    n = len(is_commercial)
    waiting = deque(np.flatnonzero(is_commercial).tolist())
    others = deque(np.flatnonzero(~is_commercial).tolist())
    order: list[int] = []
    run = 0
    while waiting and others:
        if waiting[0] < others[0] and run < in_row:
            order.append(waiting.popleft())
            run += 1
        else:
            order.append(others.popleft())
            run = 0
    order += (*waiting, *others)
    return np.array(order, dtype=np.intp) if order else np.arange(n)


def is_crowded(is_commercial: Mask, in_row: int) -> bool:
    """Whether more commercial items follow each other than may."""
    if in_row == 0 or len(is_commercial) <= in_row:
        return False
    window = np.ones(in_row + 1, dtype=np.int64)
    return bool((np.convolve(is_commercial, window, "valid") > in_row).any())
