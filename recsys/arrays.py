"""Frozen dataclasses of arrays ↔ folders of .npy files, memory-mapped when read; never pickle."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
T = TypeVar("T")


def flat(value: object, name: str) -> Arrays:
    """All arrays inside a value by dotted name; a value is an array or a dataclass of values."""
    if isinstance(value, np.ndarray):
        return {name: value}
    if not is_dataclass(value):
        raise TypeError(f"{name} is neither array nor dataclass, got {type(value).__name__}")
    found: Arrays = {}
    for f in fields(value):
        found |= flat(getattr(value, f.name), f"{name}.{f.name}")
    return found


def built(cls: type[T], arrays: Mapping[str, NDArray[Any]], name: str) -> T:
    """The value of class `cls` whose arrays `flat` named so; KeyError if one is missing."""
    if not is_dataclass(cls):
        return arrays[name]  # type: ignore[return-value]
    hints = get_type_hints(cls)
    make: Callable[..., T] = cls
    return make(**{f.name: built(hints[f.name], arrays, f"{name}.{f.name}") for f in fields(cls)})


def save(arrays: Mapping[str, NDArray[Any]], folder: Path) -> None:
    """One file an array; the folder must be there."""
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)


def load(folder: Path) -> Arrays:
    """Every array of a folder, memory-mapped: nothing is read before it is used."""
    # Plain arrays over the same map: slicing a np.memmap costs several times as much.
    return {
        path.stem: np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        for path in sorted(folder.glob("*.npy"))
    }
