"""Rules an operator can read: what each says, and what no rule may say."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from itertools import combinations
from typing import NamedTuple

from recsys.catalog import Kind
from recsys.errors import InvalidRule
from recsys.events import TEXT_LIMITS, check_text
from recsys.limits import PER
from recsys.scenes import SCENES

TIERS = ("new", "returning", "member")
# What a rule names items by; an item is meant if any of these does.
TARGETS = ("items", "tags", "categories", "creators", "shops")
# More chance than this is no recommendation any more.
MAX_CHANCE = 0.5
MAX_NAMES, MAX_RULES, WHY_LIMIT = 1_000, 500, 300


class Effect(StrEnum):
    """What a rule does."""

    PIN = "pin"
    BOOST = "boost"
    BURY = "bury"
    BLOCK = "block"
    QUOTA = "quota"
    EXPOSE = "expose"
    CAP = "cap"
    GAP = "gap"
    RUN = "run"
    SPREAD = "spread"
    EXPLORE = "explore"


class By(StrEnum):
    """What two items of a list have in common, where that is what a rule is about."""

    CATEGORY = "category"
    CREATOR = "creator"
    SHOP = "shop"
    AD = "ad"
    COMMERCIAL = "commercial"


class Shape(NamedTuple):
    """Which fields an effect needs, and which it may have besides; the rest means nothing to it."""

    needs: frozenset[str]
    may: frozenset[str] = frozenset()
    needs_target: bool = False


def _shape(*needs: str, may: Iterable[str] = (), target: bool = False) -> Shape:
    more = TARGETS if target else ()
    return Shape(frozenset(needs), frozenset((*may, *more)), target)


SHAPES: dict[Effect, Shape] = {
    Effect.PIN: _shape("items", "seat"),
    Effect.BOOST: _shape("places", target=True),
    Effect.BURY: _shape("places", target=True),
    Effect.BLOCK: _shape(target=True),
    Effect.QUOTA: _shape(may=("at_least", "at_most"), target=True),
    Effect.EXPOSE: _shape(
        "impressions", "from", "until", may=("by", "new_days", "share"), target=True
    ),
    Effect.CAP: _shape("times", "days", may=TARGETS),
    Effect.GAP: _shape("by", "apart"),
    Effect.RUN: _shape("by", "in_a_row"),
    Effect.SPREAD: _shape("by", may=("share", "distinct")),
    Effect.EXPLORE: _shape("share"),
}
# The smallest and largest number allowed, both included.
BOUNDS: dict[str, tuple[float, float]] = {
    "seat": (1, 100),
    "places": (1, 50),
    "at_least": (1, PER),
    "at_most": (0, PER),
    "share": (0, 1),
    "distinct": (2, PER),
    "apart": (1, PER),
    "in_a_row": (1, PER),
    "times": (1, 1_000),
    "days": (1, 365),
    "impressions": (1, 1_000_000_000),
    "new_days": (1, 365),
}
# Fields whose name in a file or a body is a word of the language here.
OUTSIDE = {"from_at": "from", "until_at": "until"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing an operator wants of lists.

    Parameters
    ----------
    scenes, tiers, kinds
        Where, for whom and of which kind of items it holds; empty means everywhere, everybody and
        both.
    items, tags, categories, creators, shops
        Which items it is about, by ids and names; a category means all that is filed below it.
    seat
        Which place, from 1.
    places
        How many places of its kind an item moves at the most.
    at_least, at_most
        Places of 20 that are these items'; in lists of another length in proportion.
    share
        Of a list: most for one label of a spread, for an exposure, what exploration gets.
    by
        What items have in common; of an exposure "creator": impressions are each creator's, and
        newness is that of a creator's first item.
    distinct
        How many different ones a list of 20 has at least.
    apart
        How many others stand between two of the same at least.
    in_a_row
        How many of the same stand side by side at most.
    times, days
        An item is on one person's screen so many times in so many days at most.
    impressions
        How often each item is to be on a screen until the rule ends.
    new_days
        Only items published at most so many days ago.
    who, why
        Whose rule it is and what for.

    Raises
    ------
    InvalidRule
        A field is missing, means nothing to this effect, is of the wrong kind or out of bounds.
    """

    rule_id: str
    effect: Effect
    who: str
    why: str
    scenes: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    items: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    creators: tuple[str, ...] = ()
    shops: tuple[str, ...] = ()
    seat: int | None = None
    places: int | None = None
    at_least: int | None = None
    at_most: int | None = None
    share: float | None = None
    by: By | None = None
    distinct: int | None = None
    apart: int | None = None
    in_a_row: int | None = None
    times: int | None = None
    days: int | None = None
    impressions: int | None = None
    new_days: int | None = None
    from_at: datetime | None = None
    until_at: datetime | None = None

    def __post_init__(self) -> None:
        """Check every field, and that together they mean something."""
        for name, limit in (("rule_id", 64), ("who", 64), ("why", WHY_LIMIT)):
            check_text(name, getattr(self, name), limit=limit, error=InvalidRule)
        for name, allowed in (("scenes", tuple(SCENES)), ("tiers", TIERS)):
            for one in getattr(self, name):
                self._check(one in allowed, f"{name} is unknown, got {one!r}", ", ".join(allowed))
        self._check_names()
        for name, (low, high) in BOUNDS.items():
            value = getattr(self, name)
            fits = value is None or low <= value <= high
            self._check(fits, f"{name} is out of range, got {value}", f"{low:g} to {high:g}")
        self._check_times()
        self._check_shape()

    def _check(self, holds: bool, wrong: str, allowed: str) -> None:
        if not holds:
            raise InvalidRule(f"rule {self.rule_id}: {wrong}; allowed: {allowed}")

    def _check_names(self) -> None:
        for name in TARGETS:
            values = getattr(self, name)
            few = len(values) <= MAX_NAMES
            self._check(few, f"{name} are too many, got {len(values)}", f"up to {MAX_NAMES}")
            for value in values:
                check_text(name, value, limit=TEXT_LIMITS["item_id"] * 4, error=InvalidRule)

    def _check_times(self) -> None:
        for name in OUTSIDE:
            at = getattr(self, name)
            zoned = at is None or at.tzinfo is not None
            self._check(zoned, f"{OUTSIDE[name]} has no time zone, got {at}", "an aware time")
        if self.from_at is not None and self.until_at is not None:
            ends = self.from_at < self.until_at
            self._check(ends, f"it ends at {self.until_at} before it begins", "until after from")

    def _check_shape(self) -> None:
        shape, said = SHAPES[self.effect], self.said() - {"from", "until"}
        missing = shape.needs - self.said()
        self._check(not missing, f"a {self.effect} lacks {_names(missing)}", _names(shape.needs))
        odd = said - shape.needs - shape.may
        meant = _names(shape.needs | shape.may) or "nothing"
        self._check(not odd, f"{_names(odd)} means nothing to a {self.effect}", meant)
        if shape.needs_target:
            named = said & {*TARGETS, "new_days"}
            self._check(bool(named), f"a {self.effect} names no items", ", ".join(TARGETS))
        self._check_sense()

    def _check_sense(self) -> None:
        if self.effect is Effect.PIN:
            self._check(len(self.items) == 1, f"a pin has {len(self.items)} items", "one")
        if self.effect is Effect.QUOTA:
            low, high = self.at_least or 0, PER if self.at_most is None else self.at_most
            told = f"a quota of at least {low} and at most {high}"
            is_one = {"at_least", "at_most"} & self.said()
            self._check(bool(is_one) and low <= high, told, "one of the two, or low to high")
        if self.effect is Effect.SPREAD:
            is_one = {"share", "distinct"} & self.said()
            self._check(bool(is_one), "a spread says nothing", "share, distinct or both")
            is_many = self.by not in (By.AD, By.COMMERCIAL) or self.distinct is None
            self._check(is_many, f"distinct of {self.by} means nothing", "category, creator, shop")
        if self.effect is Effect.EXPOSE:
            is_known = self.by in (None, By.CREATOR)
            self._check(is_known, f"an exposure by {self.by} means nothing", "creator, or no by")
        if self.effect is Effect.EXPLORE:
            few = self.share is not None and self.share <= MAX_CHANCE
            self._check(few, f"a share of {self.share} is left to chance", f"0 to {MAX_CHANCE:g}")

    def said(self) -> set[str]:
        """The names, as callers use them, of what is said besides where, who and why."""
        where = {"rule_id", "effect", "who", "why", "scenes", "tiers", "kinds"}
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in where}
        return {
            OUTSIDE.get(name, name) for name, value in values.items() if value not in (None, ())
        }

    def holds_at(self, at_ms: int) -> bool:
        """Whether a moment is in its time; the end is not."""
        begins, ends = self.span_ms
        return begins <= at_ms < ends

    @property
    def span_ms(self) -> tuple[float, float]:
        """From when until when it holds, in milliseconds since 1970."""
        begins = -float("inf") if self.from_at is None else self.from_at.timestamp() * 1000
        ends = float("inf") if self.until_at is None else self.until_at.timestamp() * 1000
        return begins, ends


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def check_together(rules: Iterable[Rule]) -> None:
    """Raise InvalidRule if rules contradict each other: no list could keep them all."""
    rules = list(rules)
    if len(rules) > MAX_RULES:
        raise InvalidRule(f"there are too many rules, got {len(rules)}; allowed: {MAX_RULES}")
    for one, other in combinations(rules, 2):
        if one.effect == other.effect and _meet(one, other):
            _check_pair(one, other)
    _check_sum(rules, Effect.QUOTA, "at_least", PER)
    _check_sum(rules, Effect.EXPLORE, "share", MAX_CHANCE)


def _check_pair(one: Rule, other: Rule) -> None:
    both = f"rules {one.rule_id} and {other.rule_id}"
    if one.effect is Effect.PIN:
        if one.seat == other.seat:
            raise InvalidRule(f"{both} pin to seat {one.seat} at once; allowed: one a seat")
        if one.items == other.items:
            raise InvalidRule(f"{both} pin {one.items[0]!r} at once; allowed: one seat an item")


def _check_sum(rules: list[Rule], effect: Effect, name: str, most: float) -> None:
    """Raise if what rules take of one list is more than there is."""
    mine = [rule for rule in rules if rule.effect is effect]
    for rule in mine:
        # Of rules that all hold somewhere at some time one begins last: that is the moment asked.
        met = [other for other in mine if _meet(rule, other)]
        total = sum(getattr(other, name) or 0 for other in met if other.holds_at(_start(rule)))
        if total > most:
            told = ", ".join(other.rule_id for other in met)
            raise InvalidRule(
                f"{effect} rules {told} take {total:g} of a list together; allowed: {most:g}"
            )


def _start(rule: Rule) -> int:
    begins = rule.span_ms[0]
    return -(2**62) if begins == -float("inf") else int(-(-begins // 1))


def _meet(one: Rule, other: Rule) -> bool:
    """Whether both may hold for one list at one moment."""
    for name in ("scenes", "tiers", "kinds"):
        mine, theirs = set(getattr(one, name)), set(getattr(other, name))
        if mine and theirs and not mine & theirs:
            return False
    (begins, ends), (begins_too, ends_too) = one.span_ms, other.span_ms
    return begins < ends_too and begins_too < ends


_WHY = "a page shows more than one interest (the figures of C10)"
# What holds in every shop until a rule of the same id says otherwise.
DEFAULTS: tuple[Rule, ...] = (
    Rule(
        rule_id="default-home-category",
        effect=Effect.SPREAD,
        scenes=("home",),
        by=By.CATEGORY,
        share=0.4,
        distinct=6,
        who="dapei",
        why=_WHY,
    ),
    *(
        Rule(
            rule_id=f"default-home-{by}",
            effect=Effect.RUN,
            scenes=("home",),
            by=by,
            in_a_row=2,
            who="dapei",
            why=_WHY,
        )
        for by in (By.CREATOR, By.SHOP)
    ),
    Rule(
        rule_id="default-home-explore",
        effect=Effect.EXPLORE,
        scenes=("home",),
        share=0.1,
        who="dapei",
        why="tastes nobody has seen yet can show, and lists can be judged without guessing",
    ),
)


def with_defaults(
    rules: Iterable[Rule], dropped: Iterable[str] = (), defaults: Iterable[Rule] = DEFAULTS
) -> tuple[Rule, ...]:
    """A shop's own rules, and those defaults that it neither replaced by id nor dropped."""
    own = {rule.rule_id: rule for rule in rules}
    gone = {*own, *dropped}
    return (*(one for one in defaults if one.rule_id not in gone), *own.values())
