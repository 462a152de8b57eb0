"""Sets of two domains with shared people, `xd_`: who has a past in one is asked for the other."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsys.catalog import Catalog, Item, Kind
from recsys.events import EventType
from recsys.ids import Ints
from recsys.interactions import Rows
from training.bench_pairs import Pairs, cut_of
from training.bench_tables import BrokenSet, coded, read, said, tables
from training.bench_trial import FOLDED, Log, Setting, Trial, keeping, log_of, taste_of

METRICS = ("HR@10", "NDCG@10")
ACTS = {Kind.PRODUCT: EventType.ORDER, Kind.VIDEO: EventType.PLAY}
# A play of which nothing is said counts half, so a pair of either domain weighs 1.
WEIGHTS = {EventType.ORDER: 1.0, EventType.PLAY: 2.0}
N_FOLDS = 10
WATCHED = r"video|movie|film|clip|music|song"
SHARED = (
    r"\b0\s*(?:\.{2,3}|-|–|to)\s*([\d,]+)[^.]*?\b(?:same|shared)\b",
    r"\b(?:same|shared)\b[^.]*?\b0\s*(?:\.{2,3}|-|–|to)\s*([\d,]+)",
)
SHARED_BELOW = (
    r"\bbelow\s+([\d,]+)[^.]*?\b(?:same|shared)\b",
    r"\b(?:same|shared)\b[^.]*?\bbelow\s+([\d,]+)",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Domain:
    """One of the two: its tables' name, what its items are, and its pairs by table."""

    stem: str
    kind: Kind
    parts: dict[str, Pairs]


def shared_below(text: str, name: str) -> int:
    """The number below which a user id names the same person in both domains.

    Raises
    ------
    BrokenSet
        The text does not say it.
    """
    for patterns, more in ((SHARED, 1), (SHARED_BELOW, 0)):
        for pattern in patterns:
            found = re.search(pattern, text, re.IGNORECASE)
            if found:
                return int(found.group(1).replace(",", "")) + more
    raise BrokenSet(
        f"{name} does not say which people are shared, got {len(text)} characters of ABOUT.md; "
        "allowed: 'User ids 0..99 are the SAME persons' or 'ids below 100 are shared'"
    )


def xd(folder: Path) -> list[Trial]:
    """`xd_`: A_B_train and B_A_train to learn from together, each domain's test asked alone.

    Every pair held out weighs alike and all items of its domain are ranked. Since a test holds few
    people, all shared people are asked in ten folds besides: each in turn loses their whole past in
    the domain asked for.
    """
    n_shared = shared_below(said(folder), folder.name)
    domains, n_persons, n_items = _domains(folder, n_shared)
    catalog = _catalog(domains, n_items)
    taste = taste_of(catalog, WEIGHTS)
    train = taste.rows(_log(domains, ("train",)).histories(n_persons), as_of_ms=0)
    trials = [_trial(folder.name, domain, catalog, train) for domain in domains]
    whole = _log(domains, ("train", "valid", "test")).histories(n_persons)

    def folds(seed: int) -> Iterator[Trial]:
        return _folds(trials, taste.rows(whole, as_of_ms=0), n_shared, seed)

    return [replace(trials[0], folds=folds), *trials[1:]]


def _trial(name: str, domain: Domain, catalog: Catalog, train: Rows) -> Trial:
    setting = Setting(
        name=name,
        part=domain.stem,
        catalog=catalog,
        kind=domain.kind,
        metrics=METRICS,
        hides=frozenset({ACTS[domain.kind]}),
        is_per_pair=True,
    )
    test = domain.parts["test"]
    cut = cut_of(setting, train, domain.parts.get("valid"), ACTS[domain.kind], _wholly)
    return setting.trial(train, test.persons, test.items, cut=cut)


def _wholly(persons: Ints, seed: int) -> NDArray[np.bool_]:
    """All acts of a random tenth of the persons."""
    who = np.unique(persons)
    return np.isin(persons, np.random.default_rng(seed).permutation(who)[: max(1, len(who) // 10)])


def _folds(trials: list[Trial], whole: Rows, n_shared: int, seed: int) -> Iterator[Trial]:
    """Ten times: other tenths of the shared people are asked for each of the domains."""
    log = log_of(whole)
    tenth = np.full(len(whole), -1)
    tenth[:n_shared] = np.random.default_rng(seed).permutation(n_shared) % N_FOLDS
    for fold in range(N_FOLDS):
        hidden = [
            (log.events.type == ACTS[trial.kind])
            & (tenth[log.persons] == (fold + number) % N_FOLDS)
            for number, trial in enumerate(trials)
        ]
        train = keeping(whole, ~np.logical_or.reduce(hidden))
        for mine, trial in zip(hidden, trials, strict=True):
            setting = Setting(
                name=trial.name,
                part=f"{trial.part} {FOLDED}".strip(),
                catalog=trial.catalog,
                kind=trial.kind,
                metrics=trial.metrics,
                is_per_pair=True,
            )
            yield setting.trial(train, log.persons[mine], log.events.item[mine])


def _domains(folder: Path, n_shared: int) -> tuple[list[Domain], int, int]:
    """Both domains, how many persons there are and how many items; own people get own numbers."""
    stems = [stem.removesuffix("_train") for stem in tables(folder) if stem.endswith("_train")]
    if len(stems) != 2:
        raise BrokenSet(
            f"{folder.name} has no two domains, got {', '.join(stems) or 'none'}; "
            "allowed: the tables A_B_train and B_A_train with their _test"
        )
    kinds = _kinds(stems, said(folder))
    domains: list[Domain] = []
    n_persons, n_items = n_shared, 0
    for stem in stems:
        there = [part for part in ("train", "valid", "test") if f"{stem}_{part}" in tables(folder)]
        if "test" not in there:
            raise BrokenSet(f"{folder.name} has no {stem}_test; allowed: one for each _train")
        frames = [read(tables(folder)[f"{stem}_{part}"], "person", "item") for part in there]
        people, persons = coded(*(frame["person"] for frame in frames))
        items, places = coded(*(frame["item"] for frame in frames))
        if not people.dtype.is_integer():
            raise BrokenSet(
                f"{folder.name}: {stem} has users like {people[0]!r}; allowed: whole numbers, for "
                "who is shared is said by a number"
            )
        raw = people.to_numpy()
        own = np.where(raw < n_shared, raw, n_persons + np.arange(len(raw)))
        parts = {
            part: Pairs(persons=own[who], items=what + n_items)
            for part, who, what in zip(there, persons, places, strict=True)
        }
        domains.append(Domain(stem=stem, kind=kinds[stem], parts=parts))
        n_persons, n_items = n_persons + len(raw), n_items + len(items)
    return domains, n_persons, n_items


def _kinds(stems: list[str], text: str) -> dict[str, Kind]:
    """What each domain's items are: one counts as videos, so that each can be ranked alone."""

    def named(stem: str) -> str:
        found = re.search(rf"{re.escape(stem)}_\*\W+target\s+(\w+)", text)
        return found.group(1) if found else stem.partition("_")[0]

    watched = [stem for stem in stems if re.search(WATCHED, named(stem), re.IGNORECASE)]
    video = watched[0] if watched else stems[1]
    return {stem: Kind.VIDEO if stem == video else Kind.PRODUCT for stem in stems}


def _catalog(domains: list[Domain], n_items: int) -> Catalog:
    kinds = np.zeros(n_items, dtype=np.int8)
    for domain in domains:
        for pairs in domain.parts.values():
            kinds[pairs.items] = domain.kind
    return Catalog.of(
        [Item(item_id=f"item-{number}", kind=Kind(int(kind))) for number, kind in enumerate(kinds)]
    )


def _log(domains: list[Domain], names: tuple[str, ...]) -> Log:
    parts = [
        (pairs, ACTS[domain.kind])
        for domain in domains
        for name, pairs in domain.parts.items()
        if name in names
    ]
    return Log.of(
        np.concatenate([pairs.persons for pairs, _ in parts]),
        np.concatenate([pairs.items for pairs, _ in parts]),
        np.concatenate([np.full(len(pairs.items), act) for pairs, act in parts]),
    )
