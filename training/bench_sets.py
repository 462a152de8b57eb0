"""Folders of public data → trials: the prefix of a folder's name is its protocol."""

from collections.abc import Callable
from pathlib import Path

import polars as pl

from training.bench_across import xd
from training.bench_baskets import nbr, retail
from training.bench_funnels import acts
from training.bench_pairs import cf, has_halves, mb
from training.bench_streams import sessions, sv
from training.bench_tables import BrokenSet, NothingToAsk
from training.bench_trial import Trial


def _mb(folder: Path) -> list[Trial]:
    return mb(folder) if has_halves(folder) else acts(folder)


PROTOCOLS: dict[str, Callable[[Path], list[Trial]]] = {
    "cf": cf,
    "mb": _mb,
    "sv": sv,
    "xd": xd,
    "nbr": nbr,
    "session": sessions,
    "retail": retail,
}


def protocol_of(folder: Path) -> str | None:
    """The protocol that a folder's name begins with; None if it begins with none."""
    prefix, separator, _ = folder.name.partition("_")
    return prefix if separator and prefix in PROTOCOLS else None


def trials(folder: Path) -> list[Trial]:
    """Every question of a set, the main one first.

    Raises
    ------
    NothingToAsk
        The protocol has no question for what the set holds.
    BrokenSet
        A table, a column or a value that the protocol needs is missing or cannot be read.
    """
    protocol = protocol_of(folder)
    if protocol is None:
        raise NothingToAsk(
            f"{folder.name} names no protocol; allowed: a prefix of "
            f"{', '.join(f'{prefix}_' for prefix in PROTOCOLS)}"
        )
    try:
        found = PROTOCOLS[protocol](folder)
    except (pl.exceptions.PolarsError, OSError) as cause:
        first = next(iter(str(cause).splitlines()), "")
        raise BrokenSet(f"{folder.name} cannot be read: {first}") from cause
    asked = [trial for trial in found if trial.targets]
    if not asked:
        raise BrokenSet(f"{folder.name} asks about nobody; allowed: one held-out item or more")
    return asked
