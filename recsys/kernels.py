"""Loops that numpy would need many passes for, compiled once: hashed sums, selections, trees.

Nothing here knows items from tags; the rooms that call it do. A compiled kernel is kept beside its
source and made anew when its own file changes: who changes `slots_for` or `place_of`, which kernels
of other files use, clears `__pycache__`.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

Function = Callable[..., Any]
F = TypeVar("F", bound=Function)

# Golden-ratio hashing (Knuth 1973, 6.4) with a factor below 2^31, so that no product overflows.
FACTOR, SHIFT = 1_640_531_527, 13
# Ranges up to so many entries are sorted by insertion.
FEW = 12
# Sums may be taken in another order, so that dot products use the whole width of the machine; NaN
# and infinity keep their meaning.
FAST = {"reassoc", "contract", "nsz"}

I1, U1, I4, I8, F4, F8, B1 = (
    types.Array(one, 1, "C", readonly=True)
    for one in (
        types.int8,
        types.uint8,
        types.int32,
        types.int64,
        types.float32,
        types.float64,
        types.boolean,
    )
)
I1_2D, I4_2D, F4_2D, F8_2D, B1_2D = (
    types.Array(one, 2, "C", readonly=True)
    for one in (types.int8, types.int32, types.float32, types.float64, types.boolean)
)
INT, REAL = types.int64, types.float64


def together(*kinds: Any) -> Any:
    """The type of several values that go in as one parameter, a tuple."""
    return types.Tuple(kinds)  # type: ignore[no-untyped-call]


class Kernel:
    """A function of arrays of fixed types, compiled when it is first called, or by `warm`.

    One form takes arrays that may be written and memory-mapped ones that may not. Arrays of another
    size of number, or that are not contiguous, are copied first.

    Parameters
    ----------
    plain
        The function as written.
    signature
        The types of its parameters.
    """

    def __init__(self, plain: Function, signature: tuple[Any, ...]) -> None:
        self.plain = plain
        self._signature = signature
        self._compiled: Function | None = None

    def __call__(self, *args: Any) -> Any:
        """What the function gives; TypeError if an argument is of another sort than asked for."""
        compiled = self._compiled or self.warm()
        try:
            return compiled(*args)
        except TypeError:
            return compiled(*map(_fitted, args, self._signature))

    def warm(self) -> Function:
        """Compile now, or read what was compiled before and lies beside the source."""
        if self._compiled is None:
            self._compiled = _compiled(self.plain, self._signature)
        return self._compiled


def _fitted(value: Any, wanted: Any) -> Any:
    if not isinstance(wanted, types.Array):
        return value
    return np.asarray(value).astype(str(wanted.dtype), order="C", casting="same_kind", copy=False)


_KERNELS: list[Kernel] = []


def kernel(*signature: Any) -> Callable[[Function], Kernel]:
    """Make a kernel of a function."""

    def of(plain: Function) -> Kernel:
        made = Kernel(plain, signature)
        _KERNELS.append(made)
        return made

    return of


def warm() -> None:
    """Have every kernel ready: before workers are forked, so that they share them."""
    for one in _KERNELS:
        one.warm()


def _compiled(plain: Function, signature: tuple[Any, ...]) -> Function:
    try:
        compiled: Function = njit(signature, cache=True, fastmath=FAST)(plain)
    except RuntimeError:
        # Nowhere to keep it: neither beside the source nor in the user's cache may be written.
        compiled = njit(signature, fastmath=FAST)(plain)
    return compiled


def inside(plain: F) -> F:
    """A function that kernels call; it is compiled into them."""
    return cast(F, njit(plain, fastmath=FAST))


@inside
def home_of(key: int, mask: int) -> int:
    """Where the search for a key begins."""
    return int((np.int64(key) * FACTOR >> SHIFT) & mask)


@inside
def slots_for(n: int) -> NDArray[np.int32]:
    """An empty table for up to n keys; −1 is free."""
    size = 16
    while size < 2 * n:
        size *= 2
    return np.full(size, -1, dtype=np.int32)


@inside
def place_of(slots: NDArray[np.int32], known: NDArray[np.int32], key: int) -> int:
    """The slot of a key, or the free one where it belongs."""
    mask = len(slots) - 1
    slot = home_of(key, mask)
    while slots[slot] >= 0 and known[slots[slot]] != key:
        slot = (slot + 1) & mask
    return slot


@inside
def _comes_before(a: int, b: int, scores: NDArray[Any], items: NDArray[np.int32]) -> bool:
    if scores[a] != scores[b]:
        return bool(scores[a] > scores[b])
    return bool(items[a] < items[b])


@inside
def _sink(
    order: NDArray[np.int32], start: int, end: int, scores: NDArray[Any], items: NDArray[np.int32]
) -> None:
    """Sort a few places by insertion."""
    for at in range(start + 1, end):
        one, to = order[at], at
        while to > start and _comes_before(one, order[to - 1], scores, items):
            order[to] = order[to - 1]
            to -= 1
        order[to] = one


@inside
def _part(
    order: NDArray[np.int32], start: int, end: int, scores: NDArray[Any], items: NDArray[np.int32]
) -> int:
    """Part a range around a middle value (Hoare 1961): where its second half begins."""
    middle = order[(start + end) // 2]
    left, right = start - 1, end
    while True:
        left += 1
        while _comes_before(order[left], middle, scores, items):
            left += 1
        right -= 1
        while _comes_before(middle, order[right], scores, items):
            right -= 1
        if left >= right:
            return right + 1
        order[left], order[right] = order[right], order[left]


@inside
def put_first(
    order: NDArray[np.int32], n: int, scores: NDArray[Any], items: NDArray[np.int32]
) -> None:
    """Bring the n places of highest score to the front, in order; ties: the lower item.

    Quicksort that leaves alone what lies wholly behind the n-th place.
    """
    stack = np.empty((64, 2), dtype=np.int64)
    stack[0, 0], stack[0, 1], depth = 0, len(order), 1
    while depth:
        depth -= 1
        start, end = stack[depth, 0], stack[depth, 1]
        while end - start > FEW:
            cut = _part(order, start, end, scores, items)
            if cut < n:
                # The larger part waits, so that never more parts wait than the length has bits.
                if end - cut > cut - start:
                    stack[depth, 0], stack[depth, 1], end = cut, end, cut
                else:
                    stack[depth, 0], stack[depth, 1], start = start, cut, cut
                depth += 1
            else:
                end = cut
        _sink(order, start, end, scores, items)
