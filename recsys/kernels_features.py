"""Compiled loops over candidates: their features for one person."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.kernels import (
    F4,
    F4_2D,
    F8,
    F8_2D,
    I1,
    I4,
    I8,
    INT,
    inside,
    kernel,
    place_of,
    slots_for,
    together,
)

DAY_MS = 86_400_000.0
FACTS = together(F4_2D, INT)
CATALOG = together(I8, I1, I4, I4, I8, I4, I8, I4)
PERSON = together(I4, F8_2D, F8_2D, I8, I4, F8)
SAID = together(F8, F4_2D, F4_2D)
# The numbers of interests and of acts in `recsys.features`.
N_INTERESTS, N_OWN = 3, 4


@kernel(I4, I1, I8, F4, I8, I8)
def person_of(
    item: NDArray[np.int32],
    kind: NDArray[np.int8],
    at_ms: NDArray[np.int64],
    weights: NDArray[np.float32],
    interest_of: NDArray[np.int64],
    own_of: NDArray[np.int64],
) -> tuple[
    NDArray[np.int32],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.int64],
    NDArray[np.float64],
]:
    """What acts in the order of time come to: the fields of a person, item by item, ascending.

    Parameters
    ----------
    interest_of, own_of
        By event type the place of its interest and of its act; −1 in none.
    """
    ordered, n = np.sort(item), 0
    for number in range(len(ordered)):
        if number == 0 or ordered[number] != ordered[n - 1]:
            ordered[n] = ordered[number]
            n += 1
    items = ordered[:n].copy()
    interests, acts = np.zeros((N_INTERESTS, len(items))), np.zeros((N_OWN, len(items)))
    last_ms, mix = np.empty(len(items), dtype=np.int64), np.zeros(N_INTERESTS)
    for number in range(len(item)):
        place = np.searchsorted(items, item[number])
        interest, act = interest_of[kind[number]], own_of[kind[number]]
        last_ms[place] = at_ms[number]
        if interest >= 0:
            interests[interest, place] += max(weights[number], np.float32(0))
            mix[interest] += 1
        if act >= 0:
            acts[act, place] += 1
    for interest in range(N_INTERESTS):
        interests[interest] /= max(interests[interest].sum(), 1e-12)
        mix[interest] /= max(len(item), 1)
    return items, interests, acts, last_ms, mix


@inside
def _added(
    keys: NDArray[np.int32], owners: NDArray[np.int32], weights: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int32]]:
    """A table of keys with the sums of their owners' weights, and one row of zeros behind them."""
    slots, known, n = slots_for(len(keys)), np.empty_like(keys), 0
    sums = np.zeros((len(keys) + 1, len(weights)))
    for number in range(len(keys)):
        slot = place_of(slots, known, keys[number])
        if slots[slot] < 0:
            slots[slot], known[n] = n, keys[number]
            n += 1
        for row in range(len(weights)):
            sums[slots[slot], row] += weights[row, owners[number]]
    return known, sums, slots


@inside
def _row_of(known: NDArray[np.int32], slots: NDArray[np.int32], key: int) -> int:
    """The row of a key's sums; the last one, of zeros, for a key that is not in the table."""
    place = slots[place_of(slots, known, key)]
    return place if place >= 0 else len(known)


@inside
def _rows(
    offsets: NDArray[np.int64], targets: NDArray[np.int32], own: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The targets of some rows, and which of the rows each is of."""
    n = 0
    for item in own:
        n += offsets[item + 1] - offsets[item]
    found, owners, n = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32), 0
    for owner in range(len(own)):
        for at in range(offsets[own[owner]], offsets[own[owner] + 1]):
            found[n], owners[n] = targets[at], owner
            n += 1
    return found, owners


# How many columns `_own_acts`, `_price_gap` and `_by_card` fill, and all of the basket's.
N_OWN_COLUMNS, N_BASKET = N_OWN + 1, 3
Rows = NDArray[np.float32]
Linked = tuple[NDArray[np.int64], NDArray[np.int32]]


@inside
def _same_keys(
    found: Rows,
    keys: NDArray[np.int32],
    own: tuple[NDArray[np.int32], NDArray[np.float64]],
    column: NDArray[np.int32],
) -> None:
    """For each item the own weight of its key in a column; NaN where the key is 0, none."""
    own_keys, weights = own
    numbers = np.arange(len(own_keys), dtype=np.int32)
    known, sums, slots = _added(column[own_keys], numbers, weights)
    for number in range(len(keys)):
        key = column[keys[number]]
        told = _row_of(known, slots, key)
        for row in range(len(weights)):
            found[row, number] = np.nan if key == 0 else sums[told, row]


@inside
def _same_tags(
    found: Rows,
    items: NDArray[np.int32],
    own: tuple[NDArray[np.int32], NDArray[np.float64]],
    tagged: Linked,
) -> None:
    """The mean over an item's tags of the weight of own items with the tag; NaN without tags."""
    (own_items, weights), (offsets, tags) = own, tagged
    own_tags, owners = _rows(offsets, tags, own_items)
    known, sums, slots = _added(own_tags, owners, weights)
    totals = np.empty(len(weights))
    for number in range(len(items)):
        start, end = offsets[items[number]], offsets[items[number] + 1]
        totals[:] = 0
        for at in range(start, end):
            told = _row_of(known, slots, tags[at])
            for row in range(len(weights)):
                totals[row] += sums[told, row]
        for row in range(len(weights)):
            found[row, number] = totals[row] / (end - start) if end > start else np.nan


@inside
def _sold_by(
    found: Rows,
    items: NDArray[np.int32],
    own: tuple[NDArray[np.int32], NDArray[np.float64]],
    shown: Linked,
) -> None:
    """The weight of own items on whose cards each item is."""
    (own_items, even), (offsets, cards) = own, shown
    products, owners = _rows(offsets, cards, own_items)
    known, sums, slots = _added(products, owners, even)
    for number in range(len(items)):
        found[0, number] = sums[_row_of(known, slots, items[number]), 0]


@inside
def _shows(
    found: Rows,
    items: NDArray[np.int32],
    own: tuple[NDArray[np.int32], NDArray[np.float64]],
    shown: Linked,
) -> None:
    """The weight of own items on each item's own cards."""
    (own_items, even), (offsets, cards) = own, shown
    numbers = np.arange(len(own_items), dtype=np.int32)
    known, sums, slots = _added(own_items, numbers, even)
    for number in range(len(items)):
        total = 0.0
        for at in range(offsets[items[number]], offsets[items[number] + 1]):
            total += sums[_row_of(known, slots, cards[at]), 0]
        found[0, number] = total


@inside
def _own_acts(
    found: Rows,
    items: NDArray[np.int32],
    own: NDArray[np.int32],
    done: tuple[NDArray[np.float64], NDArray[np.int64]],
    at_ms: int,
) -> None:
    """What the person did with the very items, and days since; `own` ascends."""
    acts, last_ms = done
    for number in range(len(items)):
        place = np.searchsorted(own, items[number])
        is_own = place < len(own) and own[place] == items[number]
        for act in range(N_OWN):
            found[act, number] = acts[act, place] if is_own else 0
        # The smallest number there is stands for "undated".
        dated = is_own and last_ms[place] != np.iinfo(np.int64).min
        found[N_OWN, number] = (at_ms - last_ms[place]) / DAY_MS if dated else np.nan


@inside
def _price_gap(
    found: Rows,
    items: NDArray[np.int32],
    own: tuple[NDArray[np.int32], NDArray[np.float64]],
    price: NDArray[np.float32],
) -> None:
    """How far the price is from the usual one of what the person buys, else of what they view.

    Prices are logarithms, so the gap is one of proportion.
    """
    own_items, interests = own
    found[0] = np.nan
    for interest in (2, 0):
        total, usual = 0.0, 0.0
        for place in range(len(own_items)):
            told = price[own_items[place]]
            if told == told:
                total += interests[interest, place]
                usual += interests[interest, place] * told
        if total > 0:
            for number in range(len(items)):
                found[0, number] = price[items[number]] - usual / total
            return


@inside
def _told(
    found: Rows,
    said: NDArray[np.float64],
    kind_of: NDArray[np.int8],
    items: NDArray[np.int32],
) -> None:
    """What a source says, and its share of the best it says of the same kind."""
    most = np.zeros(2)
    for number in range(len(items)):
        found[0, number] = said[number]
        kind = kind_of[items[number]]
        if said[number] > most[kind]:
            most[kind] = said[number]
    for number in range(len(items)):
        top = most[kind_of[items[number]]]
        found[1, number] = said[number] / top if top > 0 else np.nan


@inside
def _of_own(
    found: Rows,
    items: NDArray[np.int32],
    own: tuple[NDArray[np.int32], NDArray[np.float64]],
    creator: NDArray[np.int32],
    linked: tuple[NDArray[np.int32], Linked, Linked],
) -> None:
    """Shares of each interest in items of the same traits, and of all in what is linked by card."""
    (category, tagged, shown), (own_items, interests) = linked, own
    _same_keys(found, items, own, creator)
    _same_keys(found[N_INTERESTS:], items, own, category)
    _same_tags(found[2 * N_INTERESTS :], items, own, tagged)
    even = np.zeros((1, len(own_items)))
    for interest in range(N_INTERESTS):
        even[0] += interests[interest] / N_INTERESTS
    _sold_by(found[3 * N_INTERESTS + 1 :], items, (own_items, even), shown)
    _shows(found[3 * N_INTERESTS + 2 :], items, (own_items, even), shown)


@inside
def _of_basket(
    found: Rows,
    items: NDArray[np.int32],
    basket: NDArray[np.int32],
    linked: tuple[NDArray[np.int32], Linked, Linked],
) -> None:
    """Links by card, same category and same tags as the basket's items; NaN without a basket."""
    if len(basket) == 0:
        found[:N_BASKET] = np.nan
        return
    category, tagged, shown = linked
    beside = basket, np.full((1, len(basket)), 1.0 / len(basket))
    _shows(found, items, beside, shown)
    _same_keys(found[1:], items, beside, category)
    _same_tags(found[2:], items, beside, tagged)


@inside
def _fetched(
    items: NDArray[np.int32], values: NDArray[np.float32], catalog: tuple[Any, ...]
) -> bool:
    """Ask the memory for all that is known of some items, before any is worked on; never true.

    What is known lies far apart; as nothing here depends on what comes, much is on its way at a
    time.
    """
    published_ms, kind_of, creator, category, tag_offsets, tags, card_offsets, cards = catalog
    total, part = 0, np.float32(0)
    for item in items:
        total += published_ms[item] + kind_of[item] + creator[item] + category[item]
        total += tag_offsets[item] + card_offsets[item]
        part += values[item, 0]
    for item in items:
        if tag_offsets[item] < len(tags):
            total += tags[tag_offsets[item]]
        if card_offsets[item] < len(cards):
            total += cards[card_offsets[item]]
    # The compiler does not know that nothing is so long ago, and so leaves nothing out.
    return bool(part < 0) and bool(total == np.iinfo(np.int64).min)


@kernel(I4, INT, FACTS, CATALOG, PERSON, SAID)
def features(
    items: NDArray[np.int32],
    at_ms: int,
    facts: tuple[NDArray[np.float32], int],
    catalog: tuple[Any, ...],
    person: tuple[Any, ...],
    said: tuple[Any, ...],
) -> NDArray[np.float32]:
    """Shape (n features, n items), in the order of `recsys.features.names_of`.

    Parameters
    ----------
    facts
        Of every item, and which column is the price.
    catalog
        Its columns published_ms, kind, creator and category, and the arrays of its tags and cards.
    person
        Items, interests, acts and last_ms of a person, the distinct items of the basket, and what
        is the same for all items.
    said
        The fused score, what each source says, and further columns.
    """
    values, price_column = facts
    published_ms, kind_of, creator, category, tag_offsets, tags, card_offsets, cards = catalog
    own, interests, acts, last_ms, basket, of_person = person
    fused, opinions, extra = said
    n, n_facts = len(items), values.shape[1]
    n_told, n_own = 2 * (1 + len(opinions)), N_OWN_COLUMNS + 3 * N_INTERESTS + 3
    n_found = n_facts + 2 + n_own + N_BASKET + len(of_person) + n_told + len(extra)
    found = np.empty((n_found, n), dtype=np.float32)
    if _fetched(items, values, catalog):
        found[:] = 0
    for number in range(n):
        for column in range(n_facts):
            found[column, number] = values[items[number], column]
        published = published_ms[items[number]]
        found[n_facts, number] = np.nan if published == 0 else (at_ms - published) / DAY_MS
        found[n_facts + 1, number] = kind_of[items[number]]
    to, tagged, shown = n_facts + 2, (tag_offsets, tags), (card_offsets, cards)
    _own_acts(found[to:], items, own, (acts, last_ms), at_ms)
    _price_gap(found[to + n_own - 3 :], items, (own, interests), values[:, price_column])
    linked = category, tagged, shown
    _of_own(found[to + N_OWN_COLUMNS :], items, (own, interests), creator, linked)
    _of_basket(found[to + n_own :], items, basket, linked)
    to += n_own + N_BASKET
    for column in range(len(of_person)):
        found[to + column] = of_person[column]
    to += len(of_person)
    _told(found[to:], fused, kind_of, items)
    for source in range(len(opinions)):
        _told(found[to + 2 * (source + 1) :], opinions[source].astype(np.float64), kind_of, items)
    found[to + n_told :] = extra
    return found
