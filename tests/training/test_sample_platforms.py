"""The presets of four platforms on their sample exports, imported by the guides' own commands."""

import json
import re
import shlex
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from starlette.testclient import TestClient

from data.histories_file import Past
from data.home import Home
from data.importing import ImportReport, run_import
from data.lake import Lake
from data.mapping_read import load_mapping
from recsys.catalog import Item, Kind
from recsys.events import EventType, Platform, millis
from serving.app import create_app
from serving.service import Service
from serving.settings import Settings
from tests.imported import acts
from training.config import train_config
from training.cycle import train
from training.sample_exports import EXPORTS, FLAGS
from training.sample_goods import END, PLATFORMS
from training.sample_platforms import parts
from training.sample_sales import Line, Order, Part, open_id

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "data" / "platforms"
PRESETS = sorted(FOLDER.glob("*/*.toml"))
NOW = END + timedelta(hours=1)
K = 10
# Everything the samples say, by type; each platform's own numbers follow from what happened there.
ALL_TOGETHER = 3_211


@pytest.fixture(scope="module")
def happened() -> dict[Platform, Part]:
    return parts()


def commands(platform: Platform) -> list[list[str]]:
    """The words of each import in a platform's guide, its variables put in."""
    page = (ROOT / "docs/guides" / f"platform_{platform}.md").read_text(encoding="utf-8")
    named = dict(re.findall(r"^([A-Z])=(\S+)$", page, re.M))
    lines = re.findall(r"^dapei import (.*)$", page, re.M)
    return [shlex.split(re.sub(r"\$([A-Z])", lambda m: named[m[1]], line)) for line in lines]


def imported(home: Home, mapping: Path, *files: Path) -> ImportReport:
    return run_import(mapping, files, home, now=NOW, max_bad=0)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("platforms") / "home")
    for platform in PLATFORMS:
        for mapping, file, *_ in commands(platform):
            report = imported(home, ROOT / mapping, ROOT / file)
            assert report.silent == (), f"{file}: {report.silent}"
    return home


@pytest.fixture(scope="module")
def events(home: Home) -> pl.DataFrame:
    lake = Lake(home.lake)
    return lake.scan(lake.manifest()).collect()


@pytest.fixture(scope="module")
def items(home: Home) -> dict[str, Item]:
    return {item.item_id: item for item in Lake(home.lake).read_items()}


def test_the_committed_files_are_what_the_generator_writes(happened: dict[Platform, Part]) -> None:
    for platform, part in happened.items():
        for name, content in EXPORTS[platform](part).items():
            assert (FOLDER / platform / name).read_bytes() == content, name


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_platform_takes_little_room(platform: Platform) -> None:
    assert sum(path.stat().st_size for path in (FOLDER / platform).iterdir()) < 200_000


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_preset_is_sound_and_says_its_platform(path: Path) -> None:
    mapping = load_mapping(path)
    assert mapping.name == f"{path.parent.name}-{path.stem}"
    fields = tomllib.loads(path.read_text(encoding="utf-8"))["fields"]
    said = fields["platform"] if mapping.of == "events" else fields["attributes"]["platform"]
    assert said == {"constant": path.parent.name}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_guide_imports_every_file_once(platform: Platform) -> None:
    named = [Path(word).name for words in commands(platform) for word in words[:2]]
    there = [path.name for path in (FOLDER / platform).iterdir()]
    assert sorted(named) == sorted(["products.toml", "products.jsonl", *there])


def expected(platform: Platform, part: Part) -> Counter[EventType]:
    """How many events of each type a platform's files should give, from what happened there."""
    paid = [order for order in part.orders if order.paid_ms]
    lines = [line for order in paid for line in order.lines]
    found = Counter(act.type for act in part.acts)
    found[EventType.ORDER] = len(lines)
    found[EventType.REFUND] = sum(line.refunded_ms is not None for line in lines)
    if platform is not Platform.KUAISHOU:
        # Only its log has rows of what was shown.
        del found[EventType.IMPRESSION]
        return +found
    found[EventType.IMPRESSION] = _rows(FOLDER / platform / "watch.csv")
    for kind in FLAGS:
        # A flag of a row says that it was done, not how often.
        found[kind] = len({(act.user_id, act.item_id) for act in part.of(kind)})
    return +found


def _rows(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines()) - 1


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_platform_gives_exactly_what_happened_there(
    events: pl.DataFrame, happened: dict[Platform, Part], platform: Platform
) -> None:
    own = events.filter(pl.col("platform") == platform.value)
    assert Counter(map(EventType, own["type"])) == expected(platform, happened[platform])
    assert own["user_id"].str.starts_with(f"{platform}-open-").all()


def test_every_event_keeps_its_platform(events: pl.DataFrame) -> None:
    assert events["platform"].null_count() == 0
    assert set(events["platform"]) == {platform.value for platform in PLATFORMS}
    assert events.height == ALL_TOGETHER


@pytest.mark.parametrize("platform", PLATFORMS)
def test_cards_join_the_catalogue(
    items: dict[str, Item], happened: dict[Platform, Part], platform: Platform
) -> None:
    for video in happened[platform].videos:
        own = items[f"{platform}-{video.item_id}"]
        said = (own.cards, own.tags, own.duration_s, own.published_at, own.attributes)
        whole = video.published_at.replace(microsecond=0) if video.published_at else None
        assert said == (video.cards, video.tags, video.duration_s, whole, {"platform": platform})
        assert all(items[card].kind is Kind.PRODUCT for card in own.cards)


def test_products_of_four_platforms_are_the_catalogues_own(
    events: pl.DataFrame, items: dict[str, Item]
) -> None:
    bought = events.filter(pl.col("type") == EventType.ORDER)
    assert all(items[item_id].title for item_id in bought["item_id"])
    sold_in = bought.group_by("item_id").agg(pl.col("platform").n_unique())
    assert sold_in["platform"].max() > 1


@pytest.mark.parametrize("platform", PLATFORMS)
def test_money_and_pieces_are_those_paid(
    events: pl.DataFrame, happened: dict[Platform, Part], platform: Platform
) -> None:
    own = events.filter(platform=platform.value, type=EventType.ORDER)
    lines = [line for order in happened[platform].orders if order.paid_ms for line in order.lines]
    said = own.select("item_id", "quantity", "amount_minor").rows()
    true = [(line.product.item_id, line.pieces, line.paid_minor) for line in lines]
    assert sorted(said) == sorted(true)


def refunded(platform: Platform, part: Part) -> Counter[tuple[str, str]]:
    return Counter(
        (f"{platform}-{order.open_id}", line.product.item_id)
        for order in part.orders
        for line in order.lines
        if line.refunded_ms is not None
    )


@pytest.mark.parametrize("platform", PLATFORMS)
def test_refunds_undo_their_orders_and_no_others(
    home: Home, happened: dict[Platform, Part], platform: Platform
) -> None:
    past = Past.open(home.histories)
    assert past is not None
    undone: Counter[tuple[str, str]] = Counter()
    for user_id in {order.open_id for order in happened[platform].orders}:
        history = past.of_user(f"{platform}-{user_id}")
        gone = history.item[history.undone(millis(NOW))]
        undone.update((f"{platform}-{user_id}", past.item_ids[int(item)]) for item in gone)
    assert undone == refunded(platform, happened[platform])
    assert undone.total() > 0


def test_what_led_to_an_order_is_kept(events: pl.DataFrame) -> None:
    props = [json.loads(text) for text in events["props"].drop_nulls()]
    told = Counter(name for one in props for name, value in one.items() if value)
    assert set(told) == {"video_id", "author_id", "room_id", "distributorId", "kolId"}
    assert told["video_id"] == told["author_id"]


@dataclass(frozen=True)
class Served:
    """The four platforms' home, learned from and served."""

    client: TestClient

    def ask(self, user_id: str) -> dict[str, Any]:
        body = {"scene": "home", "user_id": user_id, "k": K}
        answer = self.client.post("/v1/lists", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def served(home: Home) -> Iterator[Served]:
    trained = train(home, train_config({}), now=NOW, wants_publish=True, is_evaluated=False)
    assert trained.is_published, trained.release.refusals
    service = replace(Service.of(home, Settings(poll_s=0.05)), now=lambda: NOW)
    with TestClient(create_app(service)) as client:
        yield Served(client)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_people_of_a_platform_get_lists_of_their_own(
    served: Served, happened: dict[Platform, Part], platform: Platform
) -> None:
    busiest, _ = Counter(act.user_id for act in happened[platform].acts).most_common(1)[0]
    answer = served.ask(f"{platform}-{open_id(busiest)}")
    assert answer["personalised"]
    assert answer["degraded"] == []
    assert len(answer["items"]) == K
    assert {item["kind"] for item in answer["items"]} == {"product", "video"}


def test_one_list_is_of_what_was_learned_on_several_platforms(
    served: Served, happened: dict[Platform, Part]
) -> None:
    """A video of one platform and what was only sold on others reach one person."""
    shown = {
        item["item_id"].split("-")[0]
        for platform, part in happened.items()
        for act in part.acts[:20]
        for item in served.ask(f"{platform}-{open_id(act.user_id)}")["items"]
    }
    assert shown == {"product", *(platform.value for platform in PLATFORMS)}


ORDERED = Order(
    number=5_001_001,
    open_id="open-5001",
    created_ms=millis(END) - 9 * 86_400_000,
    paid_ms=millis(END) - 9 * 86_400_000,
    lines=(
        Line(
            product=Item(item_id="product-1001", kind=Kind.PRODUCT),
            pieces=2,
            paid_minor=1_000,
            refunded_ms=None,
            video=None,
        ),
    ),
)
PAID_BACK = replace(
    ORDERED, lines=(replace(ORDERED.lines[0], refunded_ms=millis(END) - 86_400_000),)
)


def brought(folder: Path, platform: Platform, name: str, content: bytes) -> list[str]:
    """What the types of the person's events are once one more file is in."""
    file = folder / f"{name}-{len(list(folder.iterdir()))}.jsonl"
    file.write_bytes(content)
    imported(Home(folder / "home"), FOLDER / platform / f"{name}.toml", file)
    return [f"{kind} {item}" for item, kind, _ in acts(folder, f"{platform}-open-5001")]


def of_orders(platform: Platform, order: Order) -> dict[str, bytes]:
    return EXPORTS[platform](Part(videos=(), acts=(), orders=(order,)))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_order_counts_once_and_its_refund_comes_later(
    tmp_path: Path, platform: Platform
) -> None:
    first, later = of_orders(platform, ORDERED), of_orders(platform, PAID_BACK)
    assert brought(tmp_path, platform, "orders", first["orders.jsonl"]) == ["order product-1001"]
    types = brought(tmp_path, platform, "orders", later["orders.jsonl"])
    if platform is Platform.XIAOHONGSHU:
        types = brought(tmp_path, platform, "returns", later["returns.jsonl"])
    assert types == ["order product-1001", "refund product-1001"]


@pytest.mark.parametrize(
    ("platform", "code", "expected"),
    [
        (Platform.DOUYIN, "code", "douyin-product-3600000000000001001"),
        (Platform.CHANNELS, "out_product_id", "channels-product-10000000001001"),
        (Platform.KUAISHOU, "skuNick", "kuaishou-product-20000001001"),
        (Platform.XIAOHONGSHU, "erpcode", "xiaohongshu-product-6000000000000000000003e9"),
    ],
)
@pytest.mark.parametrize("said", [b'""', b"null"])
def test_a_line_without_a_code_is_an_item_of_the_platform(
    tmp_path: Path, platform: Platform, code: str, expected: str, said: bytes
) -> None:
    whole = of_orders(platform, ORDERED)["orders.jsonl"]
    bare = whole.replace(f'"{code}":"product-1001"'.encode(), f'"{code}":'.encode() + said)
    assert bare != whole
    assert brought(tmp_path, platform, "orders", bare) == [f"order {expected}"]


@pytest.mark.parametrize(
    ("platform", "name", "true", "other"),
    [
        (Platform.KUAISHOU, "orders", b'"handlingWay":10', b'"handlingWay":3'),
        (Platform.KUAISHOU, "orders", b'"refundStatus":60', b'"refundStatus":70'),
        (Platform.DOUYIN, "orders", b'"refund_status":3', b'"refund_status":4'),
        (Platform.XIAOHONGSHU, "returns", b'"returnType":1', b'"returnType":2'),
        (Platform.XIAOHONGSHU, "returns", b'"refundStatus":2', b'"refundStatus":3'),
    ],
)
def test_exchanges_and_refunds_that_failed_take_nothing_back(
    tmp_path: Path, platform: Platform, name: str, true: bytes, other: bytes
) -> None:
    files = of_orders(platform, PAID_BACK)
    brought(tmp_path, platform, "orders", files["orders.jsonl"].replace(true, other))
    assert true in files[f"{name}.jsonl"]
    types = brought(tmp_path, platform, name, files[f"{name}.jsonl"].replace(true, other))
    assert types == ["order product-1001"]


def test_pieces_that_went_back_in_part_leave_the_order(tmp_path: Path) -> None:
    """Channels counts pieces: one of two is a refund, and the order still stands."""
    content = of_orders(Platform.CHANNELS, PAID_BACK)["orders.jsonl"]
    part = content.replace(b'"finish_aftersale_sku_cnt":2', b'"finish_aftersale_sku_cnt":1')
    assert part != content
    assert len(brought(tmp_path, Platform.CHANNELS, "orders", part)) == 2
    past = Past.open(Home(tmp_path / "home").histories)
    assert past is not None
    assert not past.of_user("channels-open-5001").undone(millis(NOW)).any()
