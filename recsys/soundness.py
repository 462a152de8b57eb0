"""Whether arrays can be answered from: declared types, finite numbers, positions in range.

A signature says who wrote a bundle, not that what they wrote is right.
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from recsys.arrays import flat
from recsys.campaigns import Campaigns, Offer
from recsys.catalog import Catalog, Idxs, Kind
from recsys.errors import BundleError
from recsys.facts import COLUMNS, Facts
from recsys.ids import IdMap
from recsys.links import Links
from recsys.models.base import Model, learned_names
from recsys.models.behaviours import WATCHED
from recsys.models.evidence import COLUMNS as EVIDENCE_COLUMNS
from recsys.models.evidence import EXTRA, Evidence
from recsys.models.index import IndexByKind, VectorIndex
from recsys.models.lists import ListsByKind, ScoredLists

BLOCK = 1 << 17
# Where a number may be unknown.
_MAY_BE_NAN = ("duration_s", "video_s", "facts.values")


def check_positions(items: Idxs, n_items: int, name: str) -> None:
    """Raise BundleError unless an array holds positions of a catalogue of so many items."""
    check_value(items, Idxs, name)
    if not ((items >= 0) & (items < n_items)).all():
        raise BundleError(f"{name} has positions out of range; allowed: 0 to {n_items - 1}")


def check_value(value: object, hint: Any, name: str) -> None:
    """Raise BundleError unless a value's arrays are what their annotations promise, and finite."""
    if isinstance(value, np.ndarray):
        _check_array(value, hint, name)
        return
    if not is_dataclass(value):
        raise BundleError(f"{name} is neither array nor dataclass, got {type(value).__name__}")
    hints = get_type_hints(type(value))
    for f in fields(value):
        check_value(getattr(value, f.name), hints[f.name], f"{name}.{f.name}")
    if "offsets" in hints:
        _check_offsets(value, name)
    if isinstance(value, IdMap):
        _check_ids(value, name)


def _check_array(array: NDArray[Any], hint: Any, name: str) -> None:
    declared = _declared(hint)
    if declared is not None and array.dtype != declared:
        raise BundleError(f"{name} has the wrong type, got {array.dtype}; allowed: {declared}")
    if array.dtype.kind not in "biuf":
        raise BundleError(f"{name} holds no numbers, got {array.dtype}; allowed: numbers")
    if array.dtype.kind != "f":
        return
    may_be_nan = name.endswith(_MAY_BE_NAN)
    n_bad = sum(_n_bad(block, may_be_nan) for block in _blocks(array))
    if n_bad:
        raise BundleError(f"{name} has {n_bad} values that are not finite")


def _n_bad(block: NDArray[Any], may_be_nan: bool) -> int:
    if may_be_nan:
        return int(np.count_nonzero(np.isinf(block)))
    return block.size - int(np.count_nonzero(np.isfinite(block)))


def _blocks(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """All of an array in parts that stay in the processor's cache while they are looked at."""
    whole = array.reshape(-1)
    return (whole[start : start + BLOCK] for start in range(0, len(whole), BLOCK))


def _declared(hint: Any) -> np.dtype[Any] | None:
    """The dtype an annotation `NDArray[…]` names; None where it names none."""
    outer = get_args(hint)
    scalar = get_args(outer[1]) if len(outer) == 2 else ()
    is_named = len(scalar) == 1 and isinstance(scalar[0], type)
    return np.dtype(scalar[0]) if is_named else None


def _check_offsets(lists: Any, name: str) -> None:
    """Lists of different length one behind the other: `offsets` says where each begins."""
    ends = {len(getattr(lists, f.name)) for f in fields(lists) if f.name != "offsets"}
    offsets = lists.offsets
    is_whole = offsets.ndim == 1 and len(offsets) > 0 and offsets[0] == 0 and ends == {offsets[-1]}
    if not is_whole or bool((np.diff(offsets) < 0).any()):
        raise BundleError(f"{name} has offsets that do not rise from 0 to {max(ends)}")


def _check_ids(ids: IdMap, name: str) -> None:
    n = len(ids.texts)
    if ids.hashes.shape != (n,) or ids.order.shape != (n,):
        raise BundleError(f"{name} has columns of different length; allowed: {n} each")
    if bool((ids.hashes[1:] < ids.hashes[:-1]).any()):
        raise BundleError(f"{name} has hashes out of order")
    check_range(ids.order, n, f"{name}.order")


def check_range(positions: NDArray[Any], n: int, name: str) -> None:
    """Raise BundleError unless every position is from 0 to n − 1."""
    ends = [(int(block.min()), int(block.max())) for block in _blocks(positions)]
    low, high = min((one for one, _ in ends), default=0), max((one for _, one in ends), default=-1)
    if not 0 <= low <= high + 1 <= n:
        raise BundleError(f"{name} is out of range, got {low} to {high}; allowed: 0 to {n - 1}")


def _check_rows(links: Links, n_rows: int, n_targets: int, name: str) -> None:
    if len(links.offsets) != n_rows + 1:
        raise BundleError(f"{name} has {len(links.offsets) - 1} rows; allowed: {n_rows}")
    check_range(links.targets, n_targets, f"{name}.targets")


def check_catalog(catalog: Catalog) -> None:
    """Raise BundleError unless the columns fit each other."""
    check_value(catalog, Catalog, "catalog")
    n = len(catalog)
    for f in fields(catalog):
        column = getattr(catalog, f.name)
        if isinstance(column, np.ndarray) and column.shape != (n,):
            raise BundleError(f"catalog.{f.name} has shape {column.shape}; allowed: ({n},)")
    for name in ("titles", "display"):
        if len(getattr(catalog, name)) != n:
            raise BundleError(f"catalog.{name} has another length than the ids; allowed: {n}")
    check_range(catalog.kind, len(Kind), "catalog.kind")
    check_range(catalog.category, len(catalog.categories), "catalog.category")
    check_range(catalog.creator, len(catalog.creators), "catalog.creator")
    check_range(catalog.shop, len(catalog.shops), "catalog.shop")
    _check_campaigns(catalog.campaigns, n)
    _check_rows(catalog.attributes.links, n, len(catalog.attributes.keys), "catalog.attributes")
    _check_rows(catalog.tags, n, len(catalog.tag_names), "catalog.tags")
    _check_rows(catalog.cards, n, n, "catalog.cards")
    _check_rows(catalog.shown_by, n, n, "catalog.shown_by")


def _check_campaigns(campaigns: Campaigns, n_items: int) -> None:
    lengths = {f.name: len(getattr(campaigns, f.name)) for f in fields(Campaigns)}
    lengths.pop("names")
    if len(set(lengths.values())) > 1:
        raise BundleError(f"catalog.campaigns has columns of different length, got {lengths}")
    check_range(campaigns.item, n_items, "catalog.campaigns.item")
    check_range(campaigns.offer, len(Offer), "catalog.campaigns.offer")
    check_range(campaigns.name, len(campaigns.names), "catalog.campaigns.name")


def check_model(model: Model, name: str, catalog: Catalog) -> None:
    """Raise BundleError unless what a model learned is sound and speaks of items there are."""
    hints = get_type_hints(type(model))
    for learned in learned_names(model):
        value = getattr(model, learned)
        check_value(value, hints[learned], f"{name}.{learned}")
        if isinstance(value, ListsByKind):
            _check_lists(value.products, catalog, f"{name}.{learned}.products")
            _check_lists(value.videos, catalog, f"{name}.{learned}.videos")
        if isinstance(value, Evidence):
            _check_evidence(value, catalog, f"{name}.{learned}")
        if isinstance(value, IndexByKind):
            _check_index(value.products, catalog, f"{name}.{learned}.products")
            _check_index(value.videos, catalog, f"{name}.{learned}.videos")


def _check_index(index: VectorIndex, catalog: Catalog, name: str) -> None:
    _check_rows(index.cells, len(index.centres), len(catalog), f"{name}.cells")
    # Nothing looks whether it reads beyond an array once a kernel runs.
    n, width = len(index.cells.targets), index.centres.shape[1:]
    if index.codes.shape != (n, *width) or index.scales.shape != (n,):
        raise BundleError(f"{name} has codes or scales of another shape than its cells and centres")


def _check_evidence(evidence: Evidence, catalog: Catalog, name: str) -> None:
    codes, n_items = evidence.behaviours.codes, len(catalog)
    check_range(codes, WATCHED + 1, f"{name}.behaviours.codes")
    shapes = {
        "kind": (n_items,),
        "behaviours.seconds": (n_items,),
        "n_latest": (1,),
        "usual": (n_items,),
        "rates": (len(codes), n_items),
        "columns": (n_items, len(EVIDENCE_COLUMNS)),
        "scales": (len(codes) + len(EXTRA),),
    }
    for column, array in flat(evidence, "evidence").items():
        allowed = shapes.get(column.removeprefix("evidence."), array.shape)
        if array.shape != allowed:
            raise BundleError(f"{name} has {column} of shape {array.shape}; allowed: {allowed}")
    check_range(evidence.kind, len(Kind), f"{name}.kind")
    for part, both in (("crossings", evidence.crossings), ("filters", evidence.filters)):
        allowed_keys = n_items * (len(codes) if part == "crossings" else 1)
        for lists in (both.products, both.videos):
            if len(lists.offsets) - 1 != allowed_keys:
                n_keys = len(lists.offsets) - 1
                raise BundleError(f"{name}.{part} has {n_keys} lists; allowed: {allowed_keys}")
            check_range(lists.items, n_items, f"{name}.{part}.items")


def _check_lists(lists: ScoredLists, catalog: Catalog, name: str) -> None:
    n_keys = len(lists.offsets) - 1
    # Lists are kept for each item, tag, creator or value of attributes, or one for everybody.
    n_values = len(catalog.attributes.keys)
    allowed = (len(catalog), len(catalog.tag_names), len(catalog.creators), n_values, 1)
    if n_keys not in allowed:
        raise BundleError(f"{name} has {n_keys} lists; allowed: one an item, one a tag, or one")
    check_range(lists.items, len(catalog), f"{name}.items")


def check_facts(facts: Facts, n_items: int) -> None:
    """Raise BundleError unless there is one row an item and one column a fact."""
    check_value(facts, Facts, "facts")
    if facts.values.shape != (n_items, len(COLUMNS)):
        allowed = (n_items, len(COLUMNS))
        raise BundleError(f"facts.values has shape {facts.values.shape}; allowed: {allowed}")
