"""The mappings that ship, on the data sets they are for."""

from pathlib import Path

import polars as pl
import pytest

from data.home import Home
from data.importing import ImportReport, run_import
from data.lake import Lake
from data.mapping import held_out
from data.mapping_read import load_mapping
from recsys.catalog import Kind
from recsys.events import EventType
from tests.imported import NOW, bring, past_of

MAPPINGS = Path(__file__).parents[2] / "data" / "mappings"
KUAIRAND, ECOMM, AMAZON = "sv_kuairand_pure", "mb_ecomm_alibaba", "xd_amazon_game_video"


def imported(folder: Path, name: str, file: Path) -> ImportReport:
    return run_import(MAPPINGS / f"{name}.toml", [file], Home(folder / "home"), now=NOW)


def counts(folder: Path) -> dict[str, int]:
    types = past_of(folder).histories.events.type.tolist()
    return {kind.word: types.count(kind) for kind in EventType if kind in types}


@pytest.mark.parametrize("path", sorted(MAPPINGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_mapping_that_ships_is_sound(path):
    assert load_mapping(path).name == path.stem.split("_", 1)[1].replace("_", "-")


def test_amazon_people_are_shared_below_2179_only(tmp_path, shared_data):
    folder = shared_data / AMAZON
    assert (
        imported(tmp_path, "xd_amazon_video", folder / "video_game_train.parquet").events == 156_091
    )
    assert (
        imported(tmp_path, "xd_amazon_game", folder / "game_video_train.parquet").events == 155_036
    )
    past = past_of(tmp_path)
    assert len(past.histories.events) == 311_127
    shared = [name for name in past.user_ids.texts.all() if name.startswith("amazon-user-")]
    assert len(shared) <= 2_179
    assert {int(name.rsplit("-", 1)[1]) < 2_179 for name in shared} == {True}
    kinds = [item.kind for item in Lake(Home(tmp_path / "home").lake).read_items()]
    assert (kinds.count(Kind.VIDEO), kinds.count(Kind.PRODUCT)) == (8_751, 12_319)


@pytest.mark.parametrize(
    ("name", "file", "n", "kind"),
    [
        ("xd_amazon_game_test", "game_video_test.parquet", 1_304, EventType.ORDER),
        ("xd_amazon_video_test", "video_game_test.parquet", 1_458, EventType.PLAY),
    ],
)
def test_amazon_held_out_pairs_are_of_shared_people(shared_data, name, file, n, kind):
    found = held_out(MAPPINGS / f"{name}.toml", shared_data / AMAZON / file)
    assert found.height == n
    assert found["type"].unique().to_list() == [kind]
    assert found["user_id"].str.starts_with("amazon-user-").all()
    assert found["at_ms"].null_count() == n


def test_kuairand_videos_carry_nothing_of_the_month_to_come(tmp_path, shared_data):
    report = imported(tmp_path, "sv_kuairand_videos", shared_data / KUAIRAND / "videos.parquet")
    assert (report.items, report.quarantined) == (7_583, 0)
    items = Lake(Home(tmp_path / "home").lake).read_items()
    assert {name for item in items for name in item.attributes} == {"upload_type", "music"}
    assert (
        load_mapping(MAPPINGS / "sv_kuairand_videos.toml")
        .read()
        .isdisjoint(
            name
            for name in pl.read_parquet_schema(shared_data / KUAIRAND / "videos.parquet")
            if name.endswith(("_cnt", "_num", "counts", "progress", "play_duration"))
        )
    )


def test_kuairand_history_is_every_watch_long_watch_and_like(tmp_path, shared_data):
    file = shared_data / KUAIRAND / "user_history_until_0424.parquet"
    imported(tmp_path, "sv_kuairand_history", file)
    rows = pl.read_parquet(file)
    n_long, n_likes = (rows[name].list.len().sum() for name in ("long_watch_seq", "like_seq"))
    seen = rows.select("user_id", "watch_seq").explode("watch_seq").drop_nulls()
    long = rows.select("user_id", "long_watch_seq").explode("long_watch_seq").drop_nulls()
    others = seen.join(long, left_on=seen.columns, right_on=long.columns, how="anti")
    assert counts(tmp_path) == {"play": n_long + others.height, "like": n_likes}
    past = past_of(tmp_path)
    last = past.of_user("kuairand-user-2").of_types(EventType.PLAY)
    assert past.item_ids[int(last.item[-1])] == "kuairand-video-4808"


def test_the_kuairand_log_gives_every_behaviour(tmp_path, shared_data):
    file = shared_data / KUAIRAND / "log_valid_0425_0430.parquet"
    imported(tmp_path, "sv_kuairand_log", file)
    rows = pl.read_parquet(file)
    names = {"like": "is_like", "comment": "is_comment", "share": "is_forward"}
    names |= {"follow": "is_follow", "dislike": "is_hate"}
    expected = {word: rows[name].sum() for word, name in names.items()}
    expected |= {"impression": rows.height, "play": (rows["play_time_ms"] > 0).sum()}
    assert counts(tmp_path) == expected


def test_kuairand_long_views_are_the_test(shared_data):
    file = shared_data / KUAIRAND / "log_valid_0425_0430.parquet"
    found = held_out(MAPPINGS / "sv_kuairand_test.toml", file)
    assert found.height == pl.read_parquet(file)["long_view"].sum()


def test_two_sources_in_one_home_share_no_person_and_no_item(tmp_path, shared_data):
    ecomm = shared_data / ECOMM
    imported(tmp_path, "mb_ecomm_items", ecomm / "items.parquet")
    imported(tmp_path, "mb_ecomm_events", ecomm / "events.parquet")
    events = {"view": 57_917, "favourite": 5_529, "cart": 15_066, "order": 6_701}
    assert counts(tmp_path) == events
    imported(tmp_path, "sv_kuairand_videos", shared_data / KUAIRAND / "videos.parquet")
    imported(
        tmp_path, "sv_kuairand_history", shared_data / KUAIRAND / "user_history_until_0424.parquet"
    )
    assert len(past_of(tmp_path).user_ids) == 1_476 + 26_469
    items = {item.item_id: item for item in Lake(Home(tmp_path / "home").lake).read_items()}
    assert len(items) == 36_224 + 7_583
    priced = items["ecomm-item-224658783"]
    assert (priced.price_minor, priced.category) == (2_180, ("33", "50002833"))


def test_pairs_of_one_behaviour_a_file_come_together(tmp_path, shared_data):
    for word, kind in (("view", "view"), ("cart", "cart"), ("buy", "order")):
        text = (
            f'name = "taobao-{word}"\nof = "events"\nundated = true\n[fields]\n'
            'user_id = { column = "user", prefix = "taobao-user-" }\n'
            'item_id = { column = "item", prefix = "taobao-item-" }\n'
            f'kind = {{ constant = "product" }}\ntype = {{ constant = "{kind}" }}\n'
        )
        bring(tmp_path, text, shared_data / "mb_taobao" / f"train_{word}.parquet")
    assert counts(tmp_path) == {"view": 858_505, "cart": 180_027, "order": 92_180}
    assert len(past_of(tmp_path).user_ids) == 15_449
