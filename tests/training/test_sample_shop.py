import csv
import gzip
import io
import json
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from recsys.catalog import Catalog, Item, Kind
from recsys.events import EVENT_WORDS, NUMBER_BOUNDS, WHOLE_NUMBERS, Event, EventType, Platform
from training.sample_shop import write_shop
from training.sample_text import COMPLEMENTS, WARES

SAMPLE = Path(__file__).parents[2] / "data" / "sample"


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sample")
    write_shop(out)
    return out


def said(line: str) -> dict[str, Any]:
    fields = json.loads(line)
    for name in ("tags", "category", "cards"):
        fields[name] = tuple(fields.get(name, ()))
    fields["published_at"] = datetime.fromisoformat(fields["published_at"])
    return fields


def items_of(name: str, kind: Kind) -> list[Item]:
    lines = (SAMPLE / name).read_text(encoding="utf-8").splitlines()
    return [Item(kind=kind, **said(line)) for line in lines]


def event_of(number: int, row: dict[str, str]) -> Event:
    texts = {name: value for name, value in row.items() if value}
    numbers = {
        name: int(texts.pop(name)) if name in WHOLE_NUMBERS else float(texts.pop(name))
        for name in NUMBER_BOUNDS
        if name in texts
    }
    return Event(
        event_id=f"line-{number}",
        type=EVENT_WORDS[texts.pop("type")],
        at=datetime.fromisoformat(texts.pop("at")),
        platform=Platform(texts.pop("platform")),
        **texts,
        **numbers,
    )


@pytest.fixture(scope="module")
def products() -> dict[str, Item]:
    return {item.item_id: item for item in items_of("products.jsonl", Kind.PRODUCT)}


@pytest.fixture(scope="module")
def videos() -> dict[str, Item]:
    return {item.item_id: item for item in items_of("videos.jsonl", Kind.VIDEO)}


@pytest.fixture(scope="module")
def events() -> list[Event]:
    text = gzip.decompress((SAMPLE / "events.csv.gz").read_bytes()).decode()
    return [event_of(n, row) for n, row in enumerate(csv.DictReader(io.StringIO(text)))]


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    return json.loads((SAMPLE / "truth.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["products.jsonl", "videos.jsonl", "truth.json"])
def test_same_seed_gives_the_committed_bytes(again: Path, name: str) -> None:
    assert (again / name).read_bytes() == (SAMPLE / name).read_bytes()


def test_same_seed_gives_the_committed_log(again: Path) -> None:
    # The packed bytes also depend on the zlib of the machine; what is packed does not.
    name = "events.csv.gz"
    unpacked = gzip.decompress((again / name).read_bytes())
    assert unpacked == gzip.decompress((SAMPLE / name).read_bytes())


def test_log_is_packed_without_a_time(again: Path) -> None:
    assert (again / "events.csv.gz").read_bytes()[4:8] == b"\0\0\0\0"


def test_another_seed_gives_another_shop(tmp_path: Path) -> None:
    write_shop(tmp_path, seed=8, n_people=5)
    assert (tmp_path / "products.jsonl").read_bytes() != (SAMPLE / "products.jsonl").read_bytes()


def test_sample_is_small() -> None:
    assert sum(path.stat().st_size for path in SAMPLE.iterdir()) < 2_000_000


def test_catalogue_holds_both_kinds_and_cards_lead_to_products(
    products: dict[str, Item], videos: dict[str, Item]
) -> None:
    catalog = Catalog.of([*products.values(), *videos.values()])
    assert (len(products), len(videos)) == (400, 600)
    assert len(catalog.cards.targets) == sum(len(video.cards) for video in videos.values()) > 600


def test_videos_are_on_four_platforms_by_sixty_creators(videos: dict[str, Item]) -> None:
    assert Counter(video.attributes["platform"] for video in videos.values()).keys() == {
        "douyin",
        "channels",
        "kuaishou",
        "xiaohongshu",
    }
    assert len({video.creator_id for video in videos.values()}) == 60


def test_there_are_notes_and_short_and_long_videos(videos: dict[str, Item]) -> None:
    lengths = sorted(video.duration_s or 0 for video in videos.values())
    assert (lengths[0], lengths[-1] > 600) == (0, True)
    assert min(length for length in lengths if length) >= 8


def test_some_items_are_off_sale_or_advertised(
    products: dict[str, Item], videos: dict[str, Item]
) -> None:
    assert 10 < sum(not product.on_sale for product in products.values()) < 60
    assert 10 < sum(video.sponsored for video in videos.values()) < 80


@pytest.mark.parametrize("ware", WARES, ids=lambda ware: ware.name)
def test_what_is_used_up_is_not_durable(products: dict[str, Item], ware: Any) -> None:
    own = [product for product in products.values() if product.tags[-1] == ware.name]
    assert len(own) == 4
    assert {product.durable for product in own} == {ware.cycle_days is None}


def test_events_are_in_order_of_time_and_about_known_items(
    events: list[Event], products: dict[str, Item], videos: dict[str, Item]
) -> None:
    times = [event.at for event in events]
    assert times == sorted(times)
    assert {event.item_id for event in events} <= products.keys() | videos.keys()
    assert 50_000 < len(events) < 70_000


def test_events_follow_publication(
    events: list[Event], products: dict[str, Item], videos: dict[str, Item]
) -> None:
    published = {one.item_id: one.published_at for one in (*products.values(), *videos.values())}
    assert all(event.at >= published[event.item_id] for event in events)


def test_every_ordinary_type_occurs(events: list[Event]) -> None:
    counts = Counter(event.type for event in events)
    assert set(EventType) - counts.keys() == {EventType.CHOOSE, EventType.TRY_ON}
    assert min(counts.values()) > 100


def test_plays_end_before_their_video_does(events: list[Event], videos: dict[str, Item]) -> None:
    plays = [event for event in events if event.type is EventType.PLAY]
    assert all(play.duration_s == videos[play.item_id].duration_s for play in plays)
    assert all((play.play_s or 0) <= (play.duration_s or 0) for play in plays)


def test_refunds_follow_the_order_they_name(events: list[Event]) -> None:
    paid = {
        (event.user_id, event.order_id, event.item_id): event
        for event in events
        if event.type is EventType.ORDER
    }
    for refund in (event for event in events if event.type is EventType.REFUND):
        order = paid[refund.user_id, refund.order_id, refund.item_id]
        assert (order.at, order.amount_minor) < (refund.at, (refund.amount_minor or 0) + 1)


def test_orders_cost_what_their_products_do(events: list[Event], products: dict[str, Item]) -> None:
    orders = [event for event in events if event.type is EventType.ORDER]
    assert all(
        order.amount_minor == (order.quantity or 0) * (products[order.item_id].price_minor or 0)
        for order in orders
    )


def test_people_do_what_the_truth_says(events: list[Event], truth: dict[str, Any]) -> None:
    did = defaultdict(set)
    for event in events:
        did[event.user_id].add(event.item_id.split("-")[0])
    allowed = {"both": {"video", "product"}, "watches": {"video"}, "buys": {"product"}}
    people = truth["people"]
    assert all(kinds <= allowed[people[user_id]["does"]] for user_id, kinds in did.items())
    assert len(people) == 1500


@pytest.mark.parametrize(("kind", "least"), [(EventType.LIKE, 0.99), (EventType.ORDER, 0.85)])
def test_taste_governs_watching_and_buying(
    events: list[Event],
    products: dict[str, Item],
    videos: dict[str, Item],
    truth: dict[str, Any],
    kind: EventType,
    least: float,
) -> None:
    tastes = {one.item_id: one.tags[0] for one in (*products.values(), *videos.values())}
    acts = [event for event in events if event.type is kind]
    own = sum(tastes[act.item_id] in truth["people"][act.user_id]["tastes"] for act in acts)
    # One taste in ten, or two, would be met by chance in about 14 of 100.
    assert own / len(acts) > least


def test_complements_are_ordered_together_far_above_chance(
    events: list[Event], truth: dict[str, Any]
) -> None:
    baskets = defaultdict(set)
    for event in events:
        if event.type is EventType.ORDER:
            baskets[event.order_id].add(event.item_id)
    counts = Counter(item_id for basket in baskets.values() for item_id in basket)
    pairs = [(a, b) for a, others in truth["complements"].items() for b in others]
    together = sum(a in basket and b in basket for basket in baskets.values() for a, b in pairs)
    by_chance = sum(counts[a] * counts[b] / len(baskets) for a, b in pairs)
    assert together > 30 * by_chance
    assert len(pairs) == 4 * sum(len(others) for others in COMPLEMENTS.values())


def test_what_is_used_up_is_bought_again_after_its_cycle(
    events: list[Event], products: dict[str, Item], truth: dict[str, Any]
) -> None:
    times = defaultdict(list)
    for event in events:
        if event.type is EventType.ORDER and products[event.item_id].durable is False:
            times[event.user_id, event.item_id].append(event.at)
    gaps = [
        (later - earlier).days / truth["cycle_days"][products[item_id].tags[-1]]
        for (_, item_id), ats in times.items()
        for earlier, later in zip(ats, ats[1:], strict=False)
    ]
    assert sum(0.7 < gap < 1.3 for gap in gaps) / len(gaps) > 0.7
