"""Write the sample shop: `python -m training.sample_shop --out data/sample --seed 7`.

A made-up shop with planted truth: tastes that govern what people watch and buy, products that
belong together, things that are used up and bought again. The same seed gives the same files.
"""

import csv
import gzip
import io
import json
from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from recsys.catalog import Item
from recsys.events import moment
from training.sample_goods import TASTES, Goods, make_goods
from training.sample_people import REPURCHASED, Act, Diary, Person, make_people
from training.sample_text import WARES

SEED = 7
N_PEOPLE = 1_500


def main(
    out: Annotated[Path, typer.Option(help="Folder the files are written to.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same shop.")] = SEED,
    people: Annotated[int, typer.Option(help="How many people.", min=1)] = N_PEOPLE,
) -> None:
    """Write the sample shop's products, videos, events and planted truth."""
    write_shop(out, seed=seed, n_people=people)


def write_shop(out: Path, *, seed: int = SEED, n_people: int = N_PEOPLE) -> None:
    """Write products.jsonl, videos.jsonl, events.csv.gz and truth.json into a folder."""
    goods, persons, acts = make_shop(seed, n_people)
    out.mkdir(parents=True, exist_ok=True)
    (out / "products.jsonl").write_bytes(_jsonl(goods.products.items))
    (out / "videos.jsonl").write_bytes(_jsonl(goods.videos.items))
    # Without a time in the header, and stable for acts of one moment: the same bytes every time.
    log = _csv(sorted(acts, key=lambda act: act.at_ms))
    (out / "events.csv.gz").write_bytes(gzip.compress(log, compresslevel=9, mtime=0))
    (out / "truth.json").write_bytes(_json(_truth(goods, persons)))


def make_shop(seed: int, n_people: int) -> tuple[Goods, list[Person], list[Act]]:
    """The goods, the people, and everything they did, one person after the other."""
    rng = np.random.default_rng(seed)
    goods = make_goods(rng)
    persons = make_people(rng, n_people)
    return goods, persons, [act for person in persons for act in Diary(person, goods, rng).live()]


def _jsonl(items: Iterable[Item]) -> bytes:
    return b"".join(_json(_said(item)) for item in items)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _said(item: Item) -> dict[str, Any]:
    """What an item says beyond the defaults, with the kind left to the file it is in."""
    said = {}
    for field in fields(Item):
        value = getattr(item, field.name)
        if field.name != "kind" and value is not None and value != field.default and value != {}:
            said[field.name] = value.isoformat() if isinstance(value, datetime) else value
    return said


def _csv(acts: list[Act]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["at", *Act._fields[1:]])
    for act in acts:
        at = moment(act.at_ms).strftime("%Y-%m-%dT%H:%M:%SZ")
        writer.writerow([at, *act[1:3], act.type.word, *act[4:]])
    return text.getvalue().encode()


def _truth(goods: Goods, persons: list[Person]) -> dict[str, Any]:
    products = goods.products.items
    return {
        "tastes": list(TASTES),
        "repurchased": REPURCHASED,
        "cycle_days": {ware.name: ware.cycle_days for ware in WARES if ware.cycle_days},
        "complements": {
            products[idx].item_id: [products[other].item_id for other in others]
            for idx, others in goods.fitting.items()
        },
        "people": {
            person.user_id: {"does": person.does, "tastes": person.tastes} for person in persons
        },
    }


if __name__ == "__main__":
    typer.run(main)
