"""What the demo shows: whom of the sample shop it asks for, and lists as tables."""

import csv
import gzip
import json
import secrets
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

SHOWN = 8
TIMEOUT_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Somebody the demo asks lists for.

    Parameters
    ----------
    about
        What is known of the person, one line.
    ordered
        Title of what the person has just ordered, by which the shop finds the product.
    """

    user_id: str
    about: str
    ordered: str


@dataclass(frozen=True, slots=True)
class Sample:
    """The folder of the sample shop, as far as the demo reads it."""

    folder: Path

    def guests(self) -> list[Guest]:
        """One who watches and buys, one who only watches, and one nobody knows."""
        return [
            Guest(
                user_id=self._keenest("露营", "both", "帐篷"),
                about="露营: watches and buys",
                ordered="帐篷",
            ),
            Guest(
                user_id=self._keenest("育儿", "watches", "辅食机"),
                about="育儿: has only watched videos so far",
                ordered="辅食机",
            ),
            Guest(
                user_id=f"user-new-{secrets.token_hex(3)}",
                about="nobody knows this person",
                ordered="手冲壶",
            ),
        ]

    def named(self, file: str, tag: str) -> dict[str, Any]:
        """The first item of a file that has the tag: a product on sale, a video that sells one."""
        for item in self._items(file):
            is_on_sale = item.get("available", True) and item.get("stock") != 0
            if tag in item["tags"] and is_on_sale and ("stock" in item or item.get("cards")):
                return item
        raise LookupError(f"no item tagged {tag} in {self.folder / file}")

    def _items(self, file: str) -> Iterator[dict[str, Any]]:
        for line in (self.folder / file).read_text(encoding="utf-8").splitlines():
            yield json.loads(line)

    def _keenest(self, taste: str, does: str, ordered: str) -> str:
        """Who did most, of the people with this one taste who never bought what goes with it.

        Otherwise the list after the order would leave out what is telling: it was bought before.
        """
        telling = self._complements(self.named("products.jsonl", ordered)["item_id"])
        alike = {
            who
            for who, one in self._truth()["people"].items()
            if one == {"does": does, "tastes": {taste: 1.0}}
        }
        counts: Counter[str] = Counter()
        with gzip.open(self.folder / "events.csv.gz", "rt", encoding="utf-8") as log:
            for row in csv.DictReader(log):
                counts[row["user_id"]] += 1
                if row["type"] == "order" and row["item_id"] in telling:
                    alike.discard(row["user_id"])
        return str(max(sorted(alike), key=lambda who: counts[who]))

    def _complements(self, item_id: str) -> set[str]:
        return {item_id, *self._truth()["complements"][item_id]}

    def _truth(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "truth.json").read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True)
class Client:
    """The service as the shop's backend sees it."""

    url: str

    def ask(self, scene: str, user_id: str, order_items: tuple[str, ...] = ()) -> dict[str, Any]:
        """A list; its items are under "items"."""
        return self._post("/v1/lists", self.list_body(scene, user_id, order_items))

    def tell(self, event: dict[str, Any]) -> dict[str, Any]:
        """Send one event; the answer counts what was accepted."""
        return self._post("/v1/events", {"events": [event]})

    def list_body(
        self, scene: str, user_id: str, order_items: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """What `ask` sends."""
        body: dict[str, Any] = {"scene": scene, "user_id": user_id, "k": SHOWN}
        return body | ({"context": {"order_items": list(order_items)}} if order_items else {})

    def curl(self, path: str, body: dict[str, Any]) -> str:
        """The same request as a line for a terminal."""
        said = json.dumps(body, ensure_ascii=False)
        return f"curl -s {self.url}{path} -H 'content-type: application/json' -d '{said}'"

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            self.url + path,
            data=json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return dict(json.load(answer))


def watched(video: dict[str, Any], user_id: str, at: datetime) -> dict[str, Any]:
    """The event of somebody watching a whole video just now."""
    seconds = video["duration_s"]
    return {
        "event_id": f"demo-{secrets.token_hex(8)}",
        "user_id": user_id,
        "item_id": video["item_id"],
        "type": "play",
        "at": at.isoformat(timespec="milliseconds"),
        "play_s": seconds,
        "duration_s": seconds,
        "platform": video["attributes"]["platform"],
    }


def table(title: str, answer: dict[str, Any], before: dict[str, Any] | None = None) -> Table:
    """A list as a table; with a list from before, also each item's place in that one."""
    shown = Table(title=title, title_justify="left", title_style="bold", expand=False)
    for name, justify in (("#", "right"), ("kind", "left"), ("title", "left"), ("score", "right")):
        shown.add_column(name, justify=justify, no_wrap=name != "title")  # type: ignore[arg-type]
    shown.add_column("reason")
    places = {} if before is None else {one["item_id"]: one["rank"] for one in before["items"]}
    if before is not None:
        shown.add_column("before", justify="right", no_wrap=True)
    for item in answer["items"]:
        place = places.get(item["item_id"])
        cells = [
            str(item["rank"] + 1),
            item["kind"],
            item["title"] + (" [dim]广告[/dim]" if item["ad"] else ""),
            f"{item['score']:.4f}",
            item["reason"],
        ]
        was = [] if before is None else ["[green]new[/green]" if place is None else str(place + 1)]
        shown.add_row(*cells, *was)
    return shown


def headline(answer: dict[str, Any]) -> str:
    """One line about a whole list."""
    kind = "personalised" if answer["personalised"] else "not personalised"
    degraded = f", degraded: {', '.join(answer['degraded'])}" if answer["degraded"] else ""
    return f"{kind}, pipeline {answer['pipeline']}, bundle {answer['bundle']}{degraded}"


def console() -> Console:
    """Where the demo writes; wide enough for Chinese titles when it is no terminal."""
    there = Console(highlight=False)
    return there if there.is_terminal else Console(highlight=False, width=120)
