import csv
import gzip
import subprocess
import sys
from collections import defaultdict
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.cells import cell_len
from rich.console import Console

from recsys.events import EVENT_WORDS, Event, Platform
from training.demo import SAMPLE, WATCHED, free_port, run_step, wait_ready
from training.demo_story import SHOWN, Client, Sample, headline, table, watched

AT = datetime(2026, 10, 1, tzinfo=UTC)


def answer(*titles: str, personalised: bool = True) -> dict[str, Any]:
    items = [
        {
            "item_id": f"item-{title}",
            "kind": "product",
            "rank": rank,
            "score": 0.5,
            "reason": "watched 帐篷 videos",
            "ad": rank == 1,
            "title": title,
        }
        for rank, title in enumerate(titles)
    ]
    head = {"personalised": personalised, "degraded": ["record"], "pipeline": "p", "bundle": "b-1"}
    return head | {"items": items}


def lines_of(**shown: Any) -> list[str]:
    out = Console(file=StringIO(), width=100)
    out.print(table("home", **shown))
    return out.file.getvalue().splitlines()


@pytest.fixture(scope="module")
def types() -> dict[str, set[str]]:
    found = defaultdict(set)
    with gzip.open(SAMPLE / "events.csv.gz", "rt", encoding="utf-8") as log:
        for row in csv.DictReader(log):
            found[row["user_id"]].add(row["type"])
    return found


def test_guests_are_a_buyer_a_watcher_and_somebody_unknown(types: dict[str, set[str]]) -> None:
    buyer, watcher, unknown = (guest.user_id for guest in Sample(SAMPLE).guests())
    assert {"play", "order"} <= types[buyer]
    assert "play" in types[watcher] and not {"order", "cart"} & types[watcher]
    assert unknown not in types


def test_every_demo_run_has_its_own_unknown_person() -> None:
    sample = Sample(SAMPLE)
    assert sample.guests()[-1] != sample.guests()[-1]


def test_the_video_watched_sells_something() -> None:
    assert Sample(SAMPLE).named("videos.jsonl", WATCHED)["cards"]


def test_no_item_of_a_tag_is_an_error() -> None:
    with pytest.raises(LookupError, match="no item tagged 雪橇"):
        Sample(SAMPLE).named("products.jsonl", "雪橇")


def test_a_watched_video_is_an_event() -> None:
    said = watched(Sample(SAMPLE).named("videos.jsonl", WATCHED), "user-5003", AT)
    said |= {"at": AT, "type": EVENT_WORDS[said["type"]], "platform": Platform(said["platform"])}
    assert Event(**said).play_s == Event(**said).duration_s > 0


def test_chinese_titles_keep_the_columns_straight() -> None:
    lines = lines_of(answer=answer("全自动帐篷 3-4人", "tent"))
    assert len({cell_len(line) for line in lines[1:]}) == 1


def test_an_advertised_item_says_so() -> None:
    assert "广告" in "".join(lines_of(answer=answer("one", "two")))


def test_a_changed_list_says_where_items_were() -> None:
    rows = lines_of(answer=answer("one", "two"), before=answer("two"))
    assert [row.split()[-2] for row in rows if "item" in row or "product" in row] == ["new", "1"]


@pytest.mark.parametrize(
    ("personalised", "words"), [(True, "personalised"), (False, "not personalised")]
)
def test_headline_says_how_the_list_was_made(personalised: bool, words: str) -> None:
    said = headline(answer("one", personalised=personalised))
    assert said == f"{words}, pipeline p, bundle b-1, degraded: record"


def test_curl_line_is_what_the_client_sends() -> None:
    client = Client("http://127.0.0.1:1")
    body = client.list_body("post_checkout", "user-5003", ("product-1",))
    assert client.curl("/v1/lists", body) == (
        "curl -s http://127.0.0.1:1/v1/lists -H 'content-type: application/json' -d "
        f'\'{{"scene": "post_checkout", "user_id": "user-5003", "k": {SHOWN}, '
        '"context": {"order_items": ["product-1"]}}\''
    )


def test_a_failing_step_ends_the_demo_with_its_code() -> None:
    out = Console(file=StringIO(), width=200)
    with pytest.raises(typer.Exit) as ended:
        run_step(out, "Nothing", "nothing-of-the-sort")
    assert ended.value.exit_code == 2
    assert "failed with exit code 2" in out.file.getvalue()


def test_a_service_that_ends_at_once_ends_the_demo(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = subprocess.Popen([sys.executable, "-c", "raise SystemExit(4)"])
    service.wait(10)
    with pytest.raises(typer.Exit) as ended:
        wait_ready(service, Client(f"http://127.0.0.1:{free_port()}"), tmp_path / "serve.log")
    assert ended.value.exit_code == 4
    assert "serve.log" in capsys.readouterr().err
