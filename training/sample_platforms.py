"""Write sample exports: `python -m training.sample_platforms --out data/platforms --seed 7`.

The people and acts of the sample shop once more, some of each platform, as that platform would give
them away. What the files look like is said in `sample_exports`.
"""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from recsys.catalog import Item
from recsys.events import EventType, Platform
from training.sample_exports import EXPORTS
from training.sample_goods import PLATFORMS, Goods
from training.sample_people import Act
from training.sample_sales import Line, Order, Part, open_id
from training.sample_shop import N_PEOPLE, SEED, make_shop

PEOPLE_A_PLATFORM = 40
# An order so soon after a video that has the product on a card came from that video.
FROM_VIDEO_MS = 10 * 60_000


def main(
    out: Annotated[Path, typer.Option(help="Folder the platforms' folders are written to.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = SEED,
) -> None:
    """Write what each platform's exports of the sample shop would look like."""
    for platform, part in parts(seed).items():
        folder = out / platform.value
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in EXPORTS[platform](part).items():
            (folder / name).write_bytes(content)


def parts(seed: int = SEED, n_people: int = N_PEOPLE) -> dict[Platform, Part]:
    """What happened on each platform: the acts of its first people there."""
    goods, persons, acts = make_shop(seed, n_people)
    by_person = {user_id: list(own) for user_id, own in groupby(acts, lambda act: act.user_id)}
    found = {}
    for platform in PLATFORMS:
        own = [person.user_id for person in persons if person.platform is platform]
        chosen = [by_person[one] for one in own if one in by_person][:PEOPLE_A_PLATFORM]
        found[platform] = _part(platform, goods, chosen)
    return found


def _part(platform: Platform, goods: Goods, diaries: list[list[Act]]) -> Part:
    videos = {item.item_id: item for item in goods.videos.items}
    own = [
        item
        for item, there in zip(goods.videos.items, goods.platforms, strict=True)
        if there is platform
    ]
    acts = [act for diary in diaries for act in diary if act.platform is platform]
    orders = [order for diary in diaries for order in _orders(diary, goods, videos)]
    return Part(
        videos=tuple(own),
        acts=tuple(sorted(acts, key=lambda act: act.at_ms)),
        orders=tuple(sorted(orders, key=lambda order: order.created_ms)),
    )


def _orders(diary: list[Act], goods: Goods, videos: dict[str, Item]) -> Iterator[Order]:
    """A person's orders, and those that were begun but never paid."""
    products = {item.item_id: item for item in goods.products.items}
    paid = [act for act in diary if act.type is EventType.ORDER]
    for order_id, bought in groupby(paid, lambda act: act.order_id):
        lines = list(bought)
        yield Order(
            number=_number(order_id or ""),
            open_id=open_id(diary[0].user_id),
            created_ms=lines[0].at_ms - 30_000,
            paid_ms=lines[0].at_ms,
            lines=tuple(_line(act, products, diary, videos) for act in lines),
        )
    for nth, act in enumerate(act for act in diary if act.type is EventType.UNCART):
        unpaid = _line(act, products, diary, videos)
        number = _number(f"{act.user_id}-{900 + nth}")
        yield Order(number, open_id(act.user_id), act.at_ms, None, (unpaid,))


def _number(order_id: str) -> int:
    """order-5002-1 → 5002001."""
    _, person, nth = order_id.split("-")
    return int(person) * 1_000 + int(nth)


def _line(act: Act, products: dict[str, Item], diary: list[Act], videos: dict[str, Item]) -> Line:
    product = products[act.item_id]
    refunds = [
        other.at_ms
        for other in diary
        if other.type is EventType.REFUND
        and (other.order_id, other.item_id) == (act.order_id, act.item_id)
    ]
    seen = [
        videos[other.item_id]
        for other in diary
        if other.type is EventType.PLAY
        and 0 <= act.at_ms - other.at_ms <= FROM_VIDEO_MS
        and act.item_id in videos[other.item_id].cards
    ]
    return Line(
        product=product,
        pieces=act.quantity or 1,
        paid_minor=act.amount_minor or product.price_minor or 0,
        refunded_ms=refunds[0] if refunds else None,
        video=seen[-1] if seen else None,
    )


if __name__ == "__main__":
    typer.run(main)
