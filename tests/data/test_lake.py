from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from data.histories_build import build_histories
from data.home import Home
from data.lake import Lake
from data.lake_tables import EVENT_COLUMNS, ITEM_COLUMNS
from data.record import Record
from recsys.catalog import Item, Kind
from recsys.errors import StoreUnavailable
from recsys.events import Event, EventType, Platform
from tests.imported import LOG, acts, bring, csv_of, line, past_of

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
FULL = Item(
    item_id="item-1001",
    kind=Kind.VIDEO,
    title="婴儿辅食",
    tags=("a", "b"),
    category=("母婴", "辅食"),
    creator_id="creator-1",
    shop_id="shop-1",
    price_minor=1_250,
    member_price_minor=1_000,
    available=False,
    stock=0,
    published_at=NOW,
    expires_at=NOW + timedelta(days=9, milliseconds=5),
    cards=("item-1002",),
    duration_s=12.5,
    durable=True,
    attributes={"brand": "x"},
    cover="c",
    link="l",
    sponsored=True,
    promotional=True,
    audience=("member",),
    restricted=True,
    commission_bp=250,
    media="3d",
    campaigns=("618",),
)


def event(number: int, **more) -> Event:
    said = {
        "event_id": f"event-{number}",
        "user_id": f"user-{5001 + number % 3}",
        "item_id": f"item-{1001 + number % 5}",
        "type": EventType.VIEW,
        "at": NOW + timedelta(hours=number),
    }
    return Event(**said | more)


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    return Home(tmp_path / "home")


@pytest.fixture
def record(home):
    record = Record.open(home.record_path)
    yield record
    record.close()


def rows(home, *columns) -> list[tuple]:
    lake = Lake(home.lake)
    return lake.scan(lake.manifest()).select(columns).collect().rows()


def test_an_empty_lake_has_nothing(home):
    lake = Lake(home.lake)
    assert (lake.manifest().rows, lake.read_items(), lake.item_version()) == (0, [], None)


def test_events_of_the_record_come_once_whatever_is_asked(home, record):
    record.append([event(number) for number in range(30)], received_at=NOW)
    lake = Lake(home.lake)
    assert lake.write_record_events(record, 10) == 10
    assert lake.write_record_events(record, 10) == 0
    assert lake.write_record_events(record, 4) == 0
    assert lake.write_record_events(record, 30) == 20
    assert lake.manifest().record_seq == 30
    assert sorted(rows(home, "event_id")) == sorted((f"event-{n}",) for n in range(30))


def test_every_field_of_an_event_is_kept(home, record):
    full = event(
        0,
        type=EventType.ORDER,
        play_s=1.5,
        duration_s=2.5,
        dwell_s=3.5,
        quantity=2,
        amount_minor=999,
        order_id="order-1",
        choice="red",
        list_id="list-1",
        position=3,
        platform=Platform.CHANNELS,
        props={"a": 1},
    )
    record.append([full, event(1)], received_at=NOW)
    Lake(home.lake).write_record_events(record, 2)
    said = [name for name in EVENT_COLUMNS if name not in ("person", "key")]
    first, second = sorted(rows(home, *said))
    body = full.body() | {"props": '{"a":1}', "type": 13, "at_ms": 1_779_278_400_000}
    assert first == tuple(body[name] for name in said)
    assert second[4:13] == (None,) * 9


def test_days_are_apart_and_persons_together(home, record):
    record.append([event(number) for number in range(30)], received_at=NOW)
    lake = Lake(home.lake)
    lake.write_record_events(record, 30)
    assert [part.day for part in lake.manifest().parts] == ["2026-05-20", "2026-05-21"]
    part = pl.read_parquet(lake.folder / lake.manifest().parts[0].path)
    said = {"person", "key", "user_id", "item_id", "type", "at_ms", "platform", "event_id"}
    assert dict(part.schema) == {n: d for n, d in EVENT_COLUMNS.items() if n in said}
    assert part["person"].is_sorted()
    assert part["user_id"].rle().len() == 3


def test_the_same_event_by_import_and_by_api_counts_once(tmp_path, home, record):
    """TRUST R07."""
    ids = [f"event-{number}" for number in range(200)]
    text = LOG.replace("[fields]", '[fields]\nevent_id = "id"')
    log = csv_of(tmp_path / "log.csv", [line(number) for number in range(200)])
    lines = log.read_text().splitlines()
    with_ids = [
        f"{lines[0]},id",
        *(f"{one},{own}" for one, own in zip(lines[1:], ids, strict=True)),
    ]
    log.write_text("\n".join(with_ids))
    record.append(
        [event(n, user_id=f"user-{5001 + n % 97}") for n in range(100, 300)], received_at=NOW
    )
    Lake(home.lake).write_record_events(record, 200)
    bring(tmp_path, text, log)
    assert Lake(home.lake).manifest().rows == 400
    assert len(past_of(tmp_path).histories.events) == 300
    assert past_of(tmp_path).record_seq == 200


def test_equal_ids_of_different_persons_are_different_events(home, record, tmp_path):
    text = LOG.replace("[fields]", '[fields]\nevent_id = "item"')
    log = csv_of(tmp_path / "log.csv", [line(1), line(32)])
    bring(tmp_path, text, log)
    assert len(past_of(tmp_path).histories.events) == 2


def test_undated_events_come_before_all_others_in_their_order(home, record, tmp_path):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("u,i\n" + "".join(f"user-5001,item-{1009 - n}\n" for n in range(5)))
    text = 'name = "p"\nof = "events"\nundated = true\n[fields]\nuser_id = "u"\nitem_id = "i"\n'
    record.append([event(0)], received_at=NOW)
    Lake(home.lake).write_record_events(record, 1)
    bring(tmp_path, text + 'type = { constant = "like" }\n', pairs)
    names = [item_id for item_id, _, _ in acts(tmp_path, "user-5001")]
    assert names == ["item-1009", "item-1008", "item-1007", "item-1006", "item-1005", "item-1001"]


def test_items_come_back_from_the_snapshot_as_they_were(home, record):
    plain = Item(item_id="item-1002", kind=Kind.PRODUCT)
    record.put_items([FULL, plain], at=NOW)
    lake = Lake(home.lake)
    assert lake.write_items(record) == record.item_version() == lake.item_version()
    assert sorted(lake.read_items(), key=lambda item: item.item_id) == [FULL, plain]


def test_the_snapshot_is_written_only_when_an_item_changed(home, record):
    record.put_items([FULL], at=NOW)
    lake = Lake(home.lake)
    lake.write_items(record)
    before = (lake.folder / "items.parquet").stat().st_mtime_ns
    lake.write_items(record)
    assert (lake.folder / "items.parquet").stat().st_mtime_ns == before
    record.put_items([Item(item_id="item-1003", kind=Kind.VIDEO)], at=NOW)
    lake.write_items(record)
    assert len(lake.read_items()) == 2


def test_a_snapshot_without_items_has_its_columns(home, record):
    Lake(home.lake).write_items(record)
    assert pl.read_parquet_schema(home.lake / "items.parquet") == ITEM_COLUMNS
    assert Lake(home.lake).read_items() == []


def test_what_is_not_committed_is_gone(home, record):
    record.append([event(number) for number in range(5)], received_at=NOW)
    lake = Lake(home.lake)
    lake.write_record_events(record, 3)
    with pytest.raises(ZeroDivisionError), lake.writing() as draft:
        runs = draft.runs()
        raise ZeroDivisionError(runs)
    assert sorted(path.name for path in lake.folder.iterdir()) == ["events", "manifest.json"]
    assert lake.manifest().rows == 3


def test_parts_nobody_committed_are_removed_by_the_next_writer(home, record):
    lake = Lake(home.lake)
    orphan = lake.folder / "events" / "2026-01-01" / "00000007-00000.parquet"
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"half")
    with lake.writing():
        assert not orphan.exists()


def test_a_damaged_manifest_is_told(home):
    home.lake.mkdir()
    (home.lake / "manifest.json").write_text('{"parts": 3')
    with pytest.raises(StoreUnavailable, match="manifest.json is damaged"):
        Lake(home.lake).manifest()


def test_record_events_end_in_the_histories(home, record):
    record.append([event(number) for number in range(30)], received_at=NOW)
    Lake(home.lake).write_record_events(record, 20)
    past = build_histories(home, record_seq=20)
    assert (past.record_seq, len(past.histories.events)) == (20, 20)
