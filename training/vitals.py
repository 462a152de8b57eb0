"""Signs of life of a bundle, from the people it learned from: what a sound signature cannot say.

A bundle may be whole, signed and worthless: all scores alike, ids shuffled on the way, most of the
catalogue out of reach. It learned from these people, so it must find what it saw.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from recsys.bundle import Bundle
from recsys.events import moment
from recsys.histories import UNDATED, History
from recsys.recommend import Request, recommend
from training.shop import Shop

PERSONS = 300
# With fewer persons, or items, chance alone gives lists that look like these.
MIN_PERSONS, MIN_ITEMS = 30, 20
K = 20
# Lists of two persons are never this alike unless nothing in them is about the persons.
ALIKE = 0.9
# What is left of a sign of the bundle before, below which something is broken, not just worse.
LEFT = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """Signs of one bundle on a sample of persons.

    Parameters
    ----------
    persons
        How many were asked for.
    found
        Share of them whose list holds the last new item of their history, which was taken away.
    gain_high
        Upper end of the 95 % interval of `found` less what popular items alone find.
    alike
        Share of its items that a list has in common with the next person's, on the mean.
    reached
        How many different items are in all the lists.
    """

    persons: int
    found: float
    gain_high: float
    alike: float
    reached: int


def vitals(bundle: Bundle, shop: Shop, *, seed: int) -> Vitals | None:
    """The signs of a bundle; None where too few persons or items would make them chance."""
    cases = list(_cases(shop, seed))
    if len(cases) < MIN_PERSONS or len(bundle.catalog) < MIN_ITEMS:
        return None
    k = min(K, len(bundle.catalog) // 4)
    # How much is for sale is not asked about here, and a small share would hide what is wrong with
    # products: each scene keeps the shares of its pipeline.
    bundle = replace(bundle, mixes={})
    lists = [_list(bundle, history, k) for history, _ in cases]
    popular = _popular_alone(bundle)
    plain = [_list(popular, history, k) for history, _ in cases] if popular else [set[int]()]
    found = np.array([last in one for one, (_, last) in zip(lists, cases, strict=True)])
    found_plain = (
        np.array([last in one for one, (_, last) in zip(plain, cases, strict=True)])
        if popular
        else np.zeros(len(cases))
    )
    gain = found.astype(float) - found_plain
    pairs = zip(lists, lists[1:], strict=False)
    return Vitals(
        persons=len(cases),
        found=float(found.mean()),
        gain_high=float(gain.mean() + 1.96 * gain.std() / np.sqrt(len(gain))),
        alike=float(np.mean([len(one & other) / k for one, other in pairs])),
        reached=len(set().union(*lists)),
    )


def vital_failures(now: Vitals | None, before: Mapping[str, Any] | None) -> list[str]:
    """What speaks against a bundle.

    Parameters
    ----------
    before
        The figures of the bundle in use, if there is one.
    """
    if now is None:
        return []
    failures = []
    if now.alike >= ALIKE:
        failures.append(f"lists of different persons are {now.alike:.0%} the same")
    if now.gain_high < 0:
        failures.append(
            f"lists find the last thing of {now.found:.1%} of the persons learned from, "
            "significantly less than popular items alone"
        )
    was = (before or {}).get("vitals") or {}
    for name in ("found", "reached"):
        value, earlier = getattr(now, name), was.get(name, 0)
        if value < LEFT * earlier:
            failures.append(f"{name} fell to {value:.4g}, from {earlier:.4g} of the bundle in use")
    return failures


def plain(found: Vitals | None) -> dict[str, Any] | None:
    """The signs as JSON values."""
    return None if found is None else asdict(found)


def _cases(shop: Shop, seed: int) -> Iterator[tuple[History, int]]:
    """Persons without the last item that was new to them, and that item."""
    rng = np.random.default_rng(seed)
    n = len(shop.histories)
    for user_idx in rng.permutation(n)[:PERSONS].tolist():
        history = shop.histories.of_person(user_idx)
        first_at = np.unique(history.item, return_index=True)[1]
        if len(first_at) < 2:
            continue
        last_at = int(first_at.max())
        yield history.take(slice(0, last_at)), int(history.item[last_at])


def _list(bundle: Bundle, history: History, k: int) -> set[int]:
    dated = history.at_ms[history.at_ms != UNDATED]
    at = moment(int(dated[-1]) if len(dated) else bundle.data_until_ms)
    answer = recommend(Request(scene="home", k=k), history, bundle, at=at, list_id="vital")
    return set(answer.items.tolist())


def _popular_alone(bundle: Bundle) -> Bundle | None:
    """The bundle as it answers strangers; None if it has nothing for them."""
    home = bundle.pipelines["home"]
    sources = tuple(one for one in home.sources if not bundle.models[one.model].is_personal)
    if not sources:
        return None
    return replace(bundle, pipelines={"home": replace(home, sources=sources, scorer="")})
