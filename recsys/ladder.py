"""What fills a list that came out short: what is popular in the scene, then anywhere, then new.

A page is never empty for want of an opinion; the stages hold on every rung.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from recsys.bundle import Bundle
from recsys.candidates import Candidates, among
from recsys.catalog import Idxs
from recsys.pipeline import Course, Placed

# So many of the most popular of each kind are looked at: few first, and more if that is too few.
POPULAR_LOOKS = (200, 2_000)
POPULAR, NEWEST = "popular", "newest"


def filled(placed: Placed, course: Course, bundle: Bundle) -> Placed:
    """The list, with what is missing taken from one rung after the other."""
    rungs = _rungs(course, bundle)
    while (missing := course.context.k - len(placed.candidates)) > 0:
        rung, more = next(rungs, (NEWEST, None))
        if more is None:
            break
        found = _allowed(more, placed.candidates.items, course)
        if rung == POPULAR:
            found = course.seated(found, missing)
        found = found.take(np.arange(min(missing, len(found))))
        if len(found):
            placed = replace(placed, candidates=_behind(placed.candidates, found), rung=rung)
    return placed


def followed(placed: Placed, more: Placed, k: int) -> Placed:
    """The list, and where it is short what another has besides, behind it."""
    extra = more.candidates.without(among(more.candidates.items, placed.candidates.items))
    extra = extra.take(np.arange(min(max(0, k - len(placed.candidates)), len(extra))))
    if len(extra) == 0:
        return placed
    # What rules add are sources behind the others, and may be there in one of the lists only.
    parts = np.zeros((len(placed.candidates.parts), len(extra)))
    n = min(len(parts), len(extra.parts))
    parts[:n] = extra.parts[:n]
    return replace(placed, candidates=_behind(placed.candidates, replace(extra, parts=parts)))


def _rungs(course: Course, bundle: Bundle) -> Iterator[tuple[str, Candidates]]:
    """Rung and candidates, the best first; nothing is asked before it is needed."""
    names = dict.fromkeys((*(one.model for one in course.pipeline.sources), *bundle.models))
    for name in names:
        if name in bundle.models and not bundle.models[name].is_personal:
            for n in POPULAR_LOOKS:
                yield POPULAR, _popular(course, name, n)
    if bundle.newest is not None:
        yield NEWEST, _in_order(bundle.newest, course)
    yield NEWEST, _in_order(bundle.catalog.newest(), course)


def _popular(course: Course, name: str, n: int) -> Candidates:
    row, model = course.context.row, course.models[name]
    rankings = [model.candidates(row, n, kind) for kind in course.context.kinds]
    items = np.concatenate([one.items for one in rankings])
    # Ranks, so that what is popular of one kind can be seated beside the other.
    scores = np.concatenate([-np.arange(len(one.items), dtype=np.float64) for one in rankings])
    parts = np.zeros((len(course.pipeline.sources), len(items)))
    for number, source in enumerate(course.pipeline.sources):
        if source.model == name:
            parts[number] = np.finfo(np.float64).tiny
    return Candidates(items, scores, parts)


def _in_order(items: Idxs, course: Course) -> Candidates:
    catalog = course.catalog
    items = items[np.isin(catalog.kind[items], course.context.kinds)]
    parts = np.zeros((len(course.pipeline.sources), len(items)))
    return Candidates(items, np.zeros(len(items)), parts)


def _allowed(candidates: Candidates, present: Idxs, course: Course) -> Candidates:
    """Those that are not in the list yet and that the stages let through."""
    items = candidates.items
    return candidates.without(course.bars.removed(items) | among(items, present))


def _behind(candidates: Candidates, more: Candidates) -> Candidates:
    # A scorer's scores may be below 0, and what only fills must not seem better than they are.
    lowest = min(0.0, float(candidates.scores.min(initial=0.0)))
    return Candidates(
        np.concatenate([candidates.items, more.items]),
        np.concatenate([candidates.scores, np.full(len(more), lowest)]),
        np.concatenate([candidates.parts, more.parts], axis=1),
    )
