"""Rules over a catalogue: what they mean for its positions, worked out once and not per request."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recsys.catalog import Catalog, Idxs, Kind
from recsys.errors import InvalidRule
from recsys.ids import Ints, Mask
from recsys.interactions import DAY_MS
from recsys.kernels_place import NEVER
from recsys.limits import NO_LIMIT, Limit
from recsys.pacing import MOST, Counts, Promise
from recsys.rules import By, Effect, Rule

# A spread is given up before a gap: two of one creator side by side is the worse page.
SPREAD_LEVEL = 1
LABELLED = (By.CATEGORY, By.CREATOR, By.SHOP)
Weights = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Exposing:
    """A promise of impressions, and whom they are owed.

    Attributes
    ----------
    members
        Shape (n,). Positions.
    owed
        Shape (n,), rising. Impressions owed to this one and all before it.
    new_ms
        Items older than this are not meant; 0 where age does not count.
    """

    promise: Promise
    members: Idxs
    owed: Weights
    opportunities: int
    new_ms: float

    def drawn(self, chances: Iterable[float]) -> Idxs:
        """One member a chance, who is owed more the likelier; some may come twice."""
        at = np.searchsorted(self.owed, np.array(list(chances)) * self.owed[-1], side="right")
        found: Idxs = self.members[np.minimum(at, len(self.members) - 1)]
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Capping:
    """How often in how many days one item may be on one person's screen.

    Attributes
    ----------
    is_member
        Shape (n_items,). Which items; None for all.
    """

    times: int
    days: int
    is_member: Mask | None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Orders:
    """What rules ask of one scene's lists for one tier at one time.

    Attributes
    ----------
    blocked
        Shape (n_items,). None where nothing is.
    moves
        Shape (n_items,). Places up; below 0 down. None where nobody moves.
    pins
        Seats from 0, and whose they are.
    explored
        Share of a list that chance fills.
    """

    blocked: Mask | None = None
    moves: NDArray[np.int32] | None = None
    pins: tuple[tuple[int, int], ...] = ()
    limits: tuple[Limit, ...] = ()
    exposing: tuple[Exposing, ...] = ()
    caps: tuple[Capping, ...] = ()
    explored: float = 0.0


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Ruled:
    """Rules and whom each means; never changed but for what it remembers.

    Attributes
    ----------
    members
        By rule, in their order: positions, ascending; None where a rule names nobody.
    counts
        By id of a rule that promises impressions.
    edges
        Moments at which a rule begins or ends, ascending.
    known
        Orders worked out already, by scene, tier and the number of edges passed.
    """

    rules: tuple[Rule, ...]
    catalog: Catalog
    members: tuple[Idxs | None, ...]
    counts: Mapping[str, Counts]
    edges: tuple[float, ...]
    known: dict[tuple[str, str, int], Orders] = field(default_factory=dict)

    @classmethod
    def of(cls, rules: Iterable[Rule], catalog: Catalog) -> Self:
        """The rules over a catalogue; what they name and it has not is nobody."""
        rules = tuple(rules)
        return cls(
            rules=rules,
            catalog=catalog,
            members=tuple(_members(rule, catalog) for rule in rules),
            counts={},
            edges=tuple(sorted({edge for rule in rules for edge in rule.span_ms})),
        )

    def over(self, catalog: Catalog) -> "Ruled":
        """The same rules over a catalogue as it is now; what did not change is not sought anew."""
        before = self.catalog
        same = ["ids", "tags", "category", "creator", "shop", "kind"]
        if any(rule.new_days for rule in self.rules):
            same.append("published_ms")
        if any(getattr(before, name) is not getattr(catalog, name) for name in same):
            return replace(Ruled.of(self.rules, catalog), counts=self.counts)
        return replace(self, catalog=catalog, known={})

    def counting(self, counts: Mapping[str, Counts]) -> "Ruled":
        """The same with impressions counted anew."""
        return replace(self, counts=counts, known={})

    @property
    def has_caps(self) -> bool:
        """Whether anything depends on what was on a person's screen."""
        return any(rule.effect is Effect.CAP for rule in self.rules)

    @property
    def has_promises(self) -> bool:
        """Whether impressions have to be counted."""
        return any(rule.effect is Effect.EXPOSE for rule in self.rules)

    def orders(self, scene: str, tier: str, at_ms: int) -> Orders:
        """What holds for a list."""
        key = scene, tier, bisect_right(self.edges, at_ms)
        if key not in self.known:
            self.known[key] = self._orders(scene, tier, at_ms)
        return self.known[key]

    def _orders(self, scene: str, tier: str, at_ms: int) -> Orders:
        held = [
            (rule, members)
            for rule, members in zip(self.rules, self.members, strict=True)
            if rule.holds_at(at_ms)
            and (not rule.scenes or scene in rule.scenes)
            and (not rule.tiers or tier in rule.tiers)
        ]
        by: dict[Effect, list[tuple[Rule, Idxs]]] = {effect: [] for effect in Effect}
        for rule, members in held:
            by[rule.effect].append((rule, _nobody() if members is None else members))
        pins = ((rule.seat or 0, items) for rule, items in by[Effect.PIN])
        return Orders(
            blocked=self._mask(by[Effect.BLOCK]),
            moves=self._moves([*by[Effect.BOOST], *by[Effect.BURY]]),
            pins=tuple((seat - 1, int(items[0])) for seat, items in pins if len(items)),
            limits=(
                *_limits([rule for rule, _ in held], self.catalog),
                *(self._quota(rule, members) for rule, members in by[Effect.QUOTA]),
            ),
            exposing=tuple(
                one for pair in by[Effect.EXPOSE] if (one := self._exposing(*pair)) is not None
            ),
            caps=tuple(self._cap(rule, members) for rule, members in held if rule.times),
            explored=sum(rule.share or 0.0 for rule, _ in by[Effect.EXPLORE]),
        )

    def _mask(self, found: list[tuple[Rule, Idxs]]) -> Mask | None:
        if not found:
            return None
        mask = np.zeros(len(self.catalog), dtype=np.bool_)
        for _, members in found:
            mask[members] = True
        return mask

    def _moves(self, found: list[tuple[Rule, Idxs]]) -> NDArray[np.int32] | None:
        if not found:
            return None
        moves = np.zeros(len(self.catalog), dtype=np.int32)
        for rule, members in found:
            places = rule.places or 0
            moves[members] += places if rule.effect is Effect.BOOST else -places
        # Bounded also where several rules mean one item.
        return np.clip(moves, -50, 50)

    def _quota(self, rule: Rule, members: Idxs) -> Limit:
        return Limit(
            name=rule.rule_id,
            members=self._mask([(rule, members)]),
            at_least=min(rule.at_least or 0, len(members)),
            at_most=NO_LIMIT if rule.at_most is None else rule.at_most,
        )

    def _cap(self, rule: Rule, members: Idxs | None) -> Capping:
        is_member = None if members is None else self._mask([(rule, members)])
        return Capping(rule.times or 1, rule.days or 1, is_member)

    def _exposing(self, rule: Rule, members: Idxs) -> Exposing | None:
        """Whom impressions are owed; None if nobody."""
        counts = self.counts.get(rule.rule_id, Counts(0, {}))
        units = self.catalog.creator[members] if rule.by is By.CREATOR else members
        shown = np.zeros(len(members))
        for place, item_id in enumerate(self.catalog.ids.raws(members)):
            shown[place] = counts.shown.get(item_id.decode(), 0)
        _, unit, sizes = np.unique(units, return_inverse=True, return_counts=True)
        owed = np.maximum((rule.impressions or 0) - np.bincount(unit, weights=shown), 0.0)
        each = (owed / sizes)[unit]
        if not each.any():
            return None
        begins, ends = rule.span_ms
        most = MOST if rule.share is None else rule.share
        promise = Promise(begins_ms=begins, ends_ms=ends, most=most)
        new_ms = (rule.new_days or 0) * DAY_MS
        return Exposing(promise, members, np.cumsum(each), counts.opportunities, new_ms)


def _nobody() -> Idxs:
    return np.empty(0, dtype=np.int32)


def _limits(rules: list[Rule], catalog: Catalog) -> list[Limit]:
    """What lists are held to by columns; of several rules of one column and kinds the strictest."""
    found: dict[tuple[By, tuple[Kind, ...]], Limit] = {}
    for rule in rules:
        if rule.by is None or rule.effect is Effect.EXPOSE:
            continue
        n_labels = _n_labels(rule.by, catalog)
        if n_labels < 2 and rule.by in LABELLED:
            # Where everything is of one shop, that two items are of one shop says nothing.
            continue
        kinds = rule.kinds or tuple(Kind)
        old = found.get((rule.by, kinds), Limit(name=rule.by, by=rule.by, kinds=kinds, level=0))
        found[rule.by, kinds] = replace(
            old,
            apart=max(old.apart, rule.apart or 0),
            in_a_row=min(old.in_a_row, rule.in_a_row or NO_LIMIT),
            share=min(old.share, 1.0 if rule.share is None else rule.share),
            distinct=min(n_labels, max(old.distinct, rule.distinct or 0)),
            level=max(old.level, _level(rule)),
        )
    return list(found.values())


def _level(rule: Rule) -> int:
    if rule.effect is not Effect.SPREAD:
        return SPREAD_LEVEL + 1
    return NEVER if rule.by is By.AD else SPREAD_LEVEL


def _n_labels(by: By, catalog: Catalog) -> int:
    """How many labels there are; position 0 of a column is none."""
    names = {By.CATEGORY: catalog.categories, By.CREATOR: catalog.creators, By.SHOP: catalog.shops}
    return len(names[by]) - 1 if by in names else 1


def _members(rule: Rule, catalog: Catalog) -> Idxs | None:
    """The positions a rule means; None if it names nobody."""
    if not rule.said() & {"items", "tags", "categories", "creators", "shops", "new_days"}:
        return None
    named = [catalog.ids.find_all(rule.items)]
    if rule.tags:
        named.append(_tagged(catalog, catalog.tag_names.find_all(rule.tags)))
    columns = (
        (catalog.category, _filed(rule.categories, catalog)),
        (catalog.creator, places_of(rule.creators, catalog.creators.all())),
        (catalog.shop, places_of(rule.shops, catalog.shops.all())),
    )
    named += [np.flatnonzero(np.isin(column, wanted)) for column, wanted in columns if len(wanted)]
    found = np.unique(np.concatenate(named)).astype(np.int32)
    if rule.new_days is not None:
        has_names = rule.said() & {"items", "tags", "categories", "creators", "shops"}
        new = _new(rule, catalog)
        found = np.intersect1d(found, new) if has_names else new
    return found[np.isin(catalog.kind[found], rule.kinds)] if rule.kinds else found


def _tagged(catalog: Catalog, wanted: Ints) -> Ints:
    # Rows of the bundle first and those of new items apart, so that the first are read as a whole.
    n = len(catalog.tags.offsets) - 1
    found = []
    for start, stop in ((0, n), (n, len(catalog))):
        owners, tags = catalog.tags.rows(np.arange(start, stop))
        found.append(owners[np.isin(tags, wanted)] + start)
    return np.concatenate(found)


def _filed(categories: tuple[str, ...], catalog: Catalog) -> Ints:
    """Positions of the paths that are one of these or below it."""
    if not categories:
        return np.empty(0, dtype=np.int64)
    below = tuple(f"{one}/" for one in categories)
    paths = catalog.categories.all()
    return np.array([n for n, path in enumerate(paths) if f"{path}/".startswith(below)], np.int64)


def places_of(names: tuple[str, ...], there: list[str]) -> Ints:
    """Positions of those names that are there."""
    if not names:
        return np.empty(0, dtype=np.int64)
    wanted = set(names)
    return np.array([n for n, name in enumerate(there) if name in wanted], dtype=np.int64)


def _new(rule: Rule, catalog: Catalog) -> Idxs:
    """Items that are new at some time of a rule: themselves, or by their creator's first one."""
    first_ms = catalog.published_ms.astype(np.float64)
    first_ms[first_ms == 0] = np.nan
    if rule.by is By.CREATOR:
        firsts = np.full(len(catalog.creators), np.inf)
        np.fmin.at(firsts, catalog.creator, first_ms)
        first_ms = firsts[catalog.creator]
        first_ms[catalog.creator == 0] = np.nan
    begins = rule.span_ms[0] - (rule.new_days or 0) * DAY_MS
    return np.flatnonzero(first_ms >= begins).astype(np.int32)


def check_known(rule: Rule, catalog: Catalog) -> None:
    """Raise InvalidRule if a rule names what no item of a catalogue is or has.

    Raises
    ------
    InvalidRule
        A misspelt name would be a rule that does nothing.
    """
    asked: tuple[tuple[str, Callable[[tuple[str, ...]], Iterable[Any]]], ...] = (
        ("items", lambda names: catalog.ids.look_up(names)[1]),
        ("tags", lambda names: catalog.tag_names.look_up(names)[1]),
        ("categories", lambda names: (len(_filed((one,), catalog)) > 0 for one in names)),
        ("creators", lambda names: np.isin(names, catalog.creators.all())),
        ("shops", lambda names: np.isin(names, catalog.shops.all())),
    )
    for name, are_known in asked:
        names: tuple[str, ...] = getattr(rule, name)
        unknown = [
            one for one, is_known in zip(names, are_known(names), strict=True) if not is_known
        ]
        if unknown:
            told = ", ".join(map(repr, unknown[:5]))
            raise InvalidRule(
                f"rule {rule.rule_id}: {name} are unknown, got {told:.200}; "
                "allowed: what an item of the catalogue is or has"
            )
