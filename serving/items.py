"""Bodies of items → items worth keeping, or why not; and items as the API tells them."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pydantic import ValidationError

from recsys.blocked import NOTHING_BLOCKED, Blocked
from recsys.catalog import KIND_WORDS, Item
from recsys.controls import check_tags
from recsys.errors import InvalidItem
from serving.errors import BodyTooLarge
from serving.intake import Rejected, moment_of
from serving.schemas import MAX_BATCH, ItemBody, wrong

TUPLES = ("tags", "category", "cards", "audience", "campaigns")
TIMES = ("published_at", "expires_at")


def check_items(
    bodies: Sequence[object], blocked: Blocked = NOTHING_BLOCKED
) -> tuple[list[Item], list[Rejected]]:
    """The good items of a batch, and the refused ones; a bad one does not take others with it.

    Raises
    ------
    BodyTooLarge
        There are more than `MAX_BATCH`.
    """
    if len(bodies) > MAX_BATCH:
        raise BodyTooLarge(f"items are too many, got {len(bodies)}; allowed: up to {MAX_BATCH}")
    items: list[Item] = []
    rejected: list[Rejected] = []
    for index, body in enumerate(bodies):
        try:
            item = item_of(body)
            check_tags(item, blocked)
            items.append(item)
        except InvalidItem as error:
            rejected.append(Rejected(index, error.code, str(error)))
    return items, rejected


def item_of(body: object) -> Item:
    """The item a body describes.

    Raises
    ------
    InvalidItem
        It breaks the contract.
    """
    try:
        said = ItemBody.model_validate(body).model_dump(exclude_unset=True)
    except ValidationError as cause:
        raise InvalidItem(wrong(cause)) from cause
    said |= {name: tuple(said[name]) for name in TUPLES if name in said}
    for name in TIMES:
        if said.get(name) is not None:
            said[name] = moment_of(name, said[name], InvalidItem)
    return Item(**said | {"kind": KIND_WORDS[said["kind"]]})


def told(item: Item) -> dict[str, Any]:
    """An item as the API tells it; the same can be put again."""
    said = asdict(item) | {"kind": item.kind.word}
    return said | {name: at and at.isoformat() for name in TIMES for at in (said[name],)}
