"""Compiled loops over seats: who of the candidates sits where, within limits."""

import numpy as np
from numpy.typing import NDArray

from recsys.kernels import (
    B1,
    F8,
    F8_2D,
    I1,
    I4,
    I4_2D,
    I8,
    INT,
    REAL,
    inside,
    kernel,
    place_of,
    slots_for,
)

# Rows of the table of limits, one column a group: so many others between two of the same label, so
# many of it in a row, so many and so few of it in the list, so many different labels, and how much
# it takes to give the group up. What takes `NEVER` is never given up.
APART, IN_A_ROW, AT_MOST, AT_LEAST, DISTINCT, LEVEL = range(6)
N_LIMITS, NEVER = 6, 9
# A list of so many is a page, on which neither kind is missing that has any share.
PAGE = 10
# What is kept for last comes before limits of this level are given up, not before those below.
LATE_LEVEL = 3

Ints2D = NDArray[np.int32]
# Seats, numbers of labels, how many of each sit, how many are left, limits.
Tables = tuple[NDArray[np.int32], Ints2D, Ints2D, Ints2D, Ints2D]


@inside
def _moved(order: NDArray[np.int32], moves: NDArray[np.int32]) -> None:
    """Sort one kind's places by rank less its move; who does not move keeps to the others."""
    keys = np.empty(len(order))
    for rank in range(len(order)):
        move = moves[order[rank]]
        keys[rank] = rank - move - 0.5 * np.sign(move)
    for at in range(1, len(order)):
        one, key, to = order[at], keys[at], at
        while to > 0 and keys[to - 1] > key:
            order[to], keys[to] = order[to - 1], keys[to - 1]
            to -= 1
        order[to], keys[to] = one, key


@inside
def _of_kind(is_video: NDArray[np.int8], wanted: int, moves: Ints2D) -> NDArray[np.int32]:
    """Places of one kind in the order in which they are to sit."""
    order, n = np.empty(len(is_video), dtype=np.int32), 0
    for place in range(len(is_video)):
        if is_video[place] == wanted:
            order[n] = place
            n += 1
    found = order[:n]
    _moved(found, moves)
    return found


@inside
def _numbered(labels: Ints2D) -> Ints2D:
    """Labels group by group as small numbers from 1; 0, no label, stays."""
    n, n_groups = labels.shape
    found = np.zeros((n_groups, n), dtype=np.int32)
    for group in range(n_groups):
        known, n_known = np.empty(n, dtype=np.int32), 0
        slots = slots_for(n)
        for place in range(n):
            label = labels[place, group]
            if label != 0:
                slot = place_of(slots, known, label)
                if slots[slot] < 0:
                    slots[slot], known[n_known] = n_known, label
                    n_known += 1
                found[group, place] = slots[slot] + 1
    return found


@inside
def _run(
    numbers: NDArray[np.int32], seats: NDArray[np.int32], seat: int, step: int, number: int
) -> int:
    """How many of a label sit side by side from a seat on, in one direction."""
    n, at = 0, seat + step
    while 0 <= at < len(seats) and seats[at] >= 0 and numbers[seats[at]] == number:
        n, at = n + 1, at + step
    return n


@inside
def _is_near(
    numbers: NDArray[np.int32], seats: NDArray[np.int32], seat: int, apart: int, number: int
) -> bool:
    """Whether one of the same label sits too near."""
    for at in range(max(0, seat - apart), min(len(seats), seat + apart + 1)):
        if seats[at] >= 0 and numbers[seats[at]] == number:
            return True
    return False


@inside
def _breaks(group: int, place: int, seat: int, n_free: int, tables: Tables) -> bool:
    """Whether a candidate at a seat breaks a limit of a group."""
    seats, numbers, counts, _, limits = tables
    own = numbers[group]
    number = own[place]
    limit = limits[:, group]
    if limit[AT_LEAST] > 0 and number == 0:
        # Members are due evenly, so that they do not all sit at the end.
        due = limit[AT_LEAST] * (seat + 1) // len(seats)
        if counts[group, 1] < due:
            return True
    if limit[DISTINCT] > 0 and (number == 0 or counts[group, number] > 0):
        n_different = 0
        for other in range(1, counts.shape[1]):
            n_different += counts[group, other] > 0
        if limit[DISTINCT] - n_different >= n_free:
            return True
    if number == 0:
        return False
    if counts[group, number] >= limit[AT_MOST]:
        return True
    if limit[APART] > 0 and _is_near(own, seats, seat, limit[APART], number):
        return True
    if limit[IN_A_ROW] < len(seats):
        run = 1 + _run(own, seats, seat, -1, number) + _run(own, seats, seat, 1, number)
        return bool(run > limit[IN_A_ROW])
    return False


@inside
def _strands(group: int, place: int, seat: int, n_left: int, tables: Tables) -> bool:
    """Whether, after a candidate took a seat, too many of one label are left to be kept apart.

    It matters only where candidates are scarce. The condition is that of scheduling with a pause
    between tasks of a kind; seats given away beforehand are not looked at.
    """
    seats, numbers, _, left, limits = tables
    apart, in_a_row, own = limits[APART, group], limits[IN_A_ROW, group], numbers[group]
    n_seats = min(len(seats) - seat - 1, n_left - 1)
    spare = n_left - 1 - n_seats
    for number in range(1, left.shape[1]):
        is_own = own[place] == number
        must = left[group, number] - is_own - spare
        if must <= 0:
            continue
        since = 0 if is_own else len(seats)
        if not is_own:
            for back in range(1, min(seat, apart) + 1):
                if seats[seat - back] >= 0 and own[seats[seat - back]] == number:
                    since = back
                    break
        first = max(0, apart - since)
        room = (n_seats - first + apart) // (apart + 1) if n_seats > first else 0
        run = 1 + _run(own, seats, seat, -1, number) if is_own else 0
        rows = in_a_row * (n_seats - must + 1) - run if in_a_row < len(seats) else n_seats
        if must > room or must > rows:
            return True
    return False


@inside
def _cost(place: int, seat: int, n_free: int, n_scarce: int, tables: Tables) -> int:
    """What has to be given up for a candidate at a seat; 0 is nothing."""
    level, strands, limits = 0, 0, tables[-1]
    for group in range(limits.shape[1]):
        if _breaks(group, place, seat, n_free, tables):
            level = max(level, limits[LEVEL, group])
        elif n_scarce > 0 and _strands(group, place, seat, n_scarce, tables):
            strands = 1
    return 2 * level + strands


@inside
def _is_scarce(seat: int, n_left: int, tables: Tables) -> bool:
    """Whether there are more of one label than the seats may do without."""
    k, left = len(tables[0]), tables[3]
    spare = n_left - 1 - min(k - seat - 1, n_left - 1)
    for group in range(len(left)):
        for number in range(1, left.shape[1]):
            if left[group, number] > spare:
                return True
    return False


@inside
def _chosen(
    order: NDArray[np.int32],
    seat: int,
    n_free: int,
    n_scarce: int,
    is_used: NDArray[np.bool_],
    late: NDArray[np.bool_],
    tables: Tables,
) -> tuple[int, int]:
    """The first of an order for whom least has to be given up, and how much; −1 for nobody."""
    best, least = -1, 2 * NEVER
    for place in order:
        if is_used[place]:
            continue
        cost = _cost(place, seat, n_free, n_scarce, tables)
        if late[place]:
            cost = max(cost, 2 * LATE_LEVEL)
        if cost < least:
            best, least = place, cost
            if cost == 0:
                break
    return best, least


@inside
def _add(counts: Ints2D, numbers: Ints2D, place: int, n: int) -> None:
    for group in range(len(numbers)):
        counts[group, numbers[group, place]] += n


@inside
def _begun(
    fixed: NDArray[np.int32], late: NDArray[np.bool_], numbers: Ints2D
) -> tuple[Ints2D, Ints2D, NDArray[np.bool_], int, int]:
    """Of each label who sits and who waits; who sits; how many seats are free, how many wait."""
    n_groups, n = numbers.shape
    most = numbers.max() if n * n_groups else 0
    counts = np.zeros((n_groups, most + 1), dtype=np.int32)
    left, is_used = np.zeros_like(counts), np.zeros(n, dtype=np.bool_)
    n_free, n_left = len(fixed), 0
    for place in fixed[fixed >= 0]:
        is_used[place], n_free = True, n_free - 1
        _add(counts, numbers, place, 1)
    for place in range(n):
        if not (is_used[place] or late[place]):
            n_left += 1
            _add(left, numbers, place, 1)
    return counts, left, is_used, n_free, n_left


@inside
def _is_a_videos(seat: int, n_before: int, n_sitting: int, last_of: int, share: float) -> bool:
    """Whether a seat is a video's by its share; with any, a kind has a seat of a page.

    `n_before` videos sit before it and `n_sitting` anywhere; `last_of` is the length of a page
    whose only free seat it is, or 0.
    """
    if last_of > 0 and n_sitting == last_of - 1 and share < 1:
        return False
    if last_of > 0 and n_sitting == 0 and share > 0:
        return True
    return bool(np.floor((seat + 1) * share + 0.5) > n_before)


@kernel(INT, INT, REAL, INT)
def seating(n_videos: int, n_products: int, video_share: float, k: int) -> NDArray[np.int64]:
    """Who sits where in a list without rules: places among all videos, and behind them products.

    Each kind is taken best first, and every beginning keeps the share to half a seat. A kind that
    runs out leaves its seats to the other, so there may be fewer than k.
    """
    k, videos = min(k, n_videos + n_products), 0
    found = np.empty(k, dtype=np.int64)
    for seat in range(k):
        last_of = k if seat == k - 1 and k >= PAGE else 0
        is_due = _is_a_videos(seat, videos, videos, last_of, video_share)
        if (is_due and videos < n_videos) or seat - videos == n_products:
            found[seat] = videos
            videos += 1
        else:
            found[seat] = n_videos + seat - videos
    return found


@kernel(I1, I4, I4, I4_2D, I4_2D, B1, REAL)
def seated(
    is_video: NDArray[np.int8],
    moves: NDArray[np.int32],
    fixed: NDArray[np.int32],
    labels: Ints2D,
    limits: Ints2D,
    late: NDArray[np.bool_],
    video_share: float,
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Give the seats: who is fixed sits there, the others follow by kind, order and limits.

    Parameters
    ----------
    is_video
        Shape (n,). Candidates stand in the order of their kind, best first.
    moves
        Shape (n,). How many places of its kind each moves up; below 0 down.
    fixed
        Shape (k,). The candidate whose seat it is; −1 where anybody may sit.
    labels
        Shape (n, n_groups). 0 is no label.
    limits
        Shape (N_LIMITS, n_groups).
    late
        Shape (n,). Who sits only where nobody else may.

    Returns
    -------
    Candidates by seat, and shape (n_groups + 1,): which groups' limits do not hold, and whether
    somebody who was to be kept for last sits.
    """
    k, n_groups = len(fixed), labels.shape[1]
    numbers, seats = _numbered(labels), fixed.copy()
    counts, left, is_used, n_free, n_left = _begun(fixed, late, numbers)
    videos, products = _of_kind(is_video, 1, moves), _of_kind(is_video, 0, moves)
    broken, n_videos = np.zeros(n_groups + 1, dtype=np.bool_), 0
    n_sitting, tables = is_video[fixed[fixed >= 0]].sum(), (seats, numbers, counts, left, limits)
    for seat in range(k):
        place = fixed[seat]
        if place < 0:
            last_of = k if n_free == 1 and k >= PAGE else 0
            is_due = _is_a_videos(seat, n_videos, n_sitting, last_of, video_share)
            first, second = (videos, products) if is_due else (products, videos)
            n_scarce = n_left if _is_scarce(seat, n_left, tables) else 0
            place, cost = _chosen(first, seat, n_free, n_scarce, is_used, late, tables)
            if cost > 0:
                other, less = _chosen(second, seat, n_free, n_scarce, is_used, late, tables)
                place = other if less < cost else place
            if place < 0:
                continue
            for group in range(n_groups):
                broken[group] |= _breaks(group, place, seat, n_free, tables)
            broken[-1] |= late[place]
            seats[seat], is_used[place], n_free = place, True, n_free - 1
            n_sitting += is_video[place]
            _add(counts, numbers, place, 1)
            if not late[place]:
                n_left -= 1
                _add(left, numbers, place, -1)
        n_videos += is_video[place]
    return seats[seats >= 0], broken


@inside
def _are_among(items: NDArray[np.int32], new: NDArray[np.int32]) -> NDArray[np.bool_]:
    slots, found = slots_for(len(new)), np.empty(len(items), dtype=np.bool_)
    for number in range(len(new)):
        slots[place_of(slots, new, new[number])] = number
    for at in range(len(items)):
        found[at] = slots[place_of(slots, new, items[at])] >= 0
    return found


@kernel(I4, F8, F8_2D, I4, I1, I4, I8, INT)
def joined(
    items: NDArray[np.int32],
    scores: NDArray[np.float64],
    parts: NDArray[np.float64],
    new: NDArray[np.int32],
    kind_of: NDArray[np.int8],
    kinds: NDArray[np.int32],
    firsts: NDArray[np.int64],
    every: int,
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """A list with new items at seats of their own, kind by kind, each kind's among its own.

    Of each kind the new ones have its seat in `firsts` and every `every`-th from there on; the old
    ones keep their order, less those that are new as well. A new one has the score of who stands
    before it, as it is of no scale with what others are ranked by.

    Returns
    -------
    Items, scores, and parts with one more row in which new items have 1; how many of each kind.
    """
    n, m, is_new = len(items), len(new), _are_among(items, new)
    found, counts = np.empty(n + m, dtype=np.int32), np.zeros(len(kinds), dtype=np.int64)
    found_scores, found_parts = np.empty(n + m), np.zeros((len(parts) + 1, n + m))
    end = 0
    for kind in range(len(kinds)):
        start, old_at, new_at, seat, last, is_begun = end, 0, 0, firsts[kind], 0.0, False
        while True:
            while old_at < n and (kind_of[items[old_at]] != kinds[kind] or is_new[old_at]):
                old_at += 1
            while new_at < m and kind_of[new[new_at]] != kinds[kind]:
                new_at += 1
            if old_at < n and not is_begun:
                last, is_begun = scores[old_at], True
            if new_at < m and (end - start == seat or old_at == n):
                found[end], found_scores[end], found_parts[len(parts), end] = new[new_at], last, 1.0
                new_at, seat = new_at + 1, seat + every
            elif old_at < n:
                last = scores[old_at]
                found[end], found_scores[end] = items[old_at], last
                found_parts[: len(parts), end] = parts[:, old_at]
                old_at += 1
            else:
                break
            end += 1
        counts[kind] = end - start
    return found[:end].copy(), found_scores[:end].copy(), found_parts[:, :end].copy(), counts
