"""C03, C05, C08, C13, C18: what is learned, kept and priced, whoever the person is."""

import ast
import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from data.erasures import Erasures
from data.home import Home
from data.lake import Lake
from data.record import Record
from data.record_audit import Deed
from serving import service
from tests.planted import NOW
from tests.privacy.test_hand import act, asked, listed
from tests.security.conftest import keyed_in
from tests.training.planted_home import CONFIG, START, events, record_events
from training.cycle import collect, tidy, train
from training.shop import load

# Of the taste that is not asked for: nobody else's list must change, nor any figure.
GONE = "person-away"
DAYS = 4


def with_a_person_more(found, user_id=GONE):
    """The planted events and those of one person more, as the first of them did it."""
    first = found[0].user_id
    more = [
        replace(
            one,
            user_id=user_id,
            event_id=f"{one.event_id}-more",
            order_id=one.order_id and f"{one.order_id}-more",
        )
        for one in found
        if one.user_id == first
    ]
    return [*found, *more]


def bundle_of(home: Home) -> Path:
    return train(home, CONFIG, now=NOW, wants_publish=False, is_evaluated=False).path


def learned(home: Home) -> dict[str, str]:
    """The hash of every array of the bundle that is learned from a home."""
    return hashes(bundle_of(home))


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*.npy"))
    assert files, "a bundle without arrays says nothing"
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def shop_without(tmp_path_factory):
    """A shop in which the person never was, with what is learned there."""
    home = Home(tmp_path_factory.mktemp("without") / "home")
    record_events(home, events(0, DAYS))
    collect(home)
    bundle_of(home)
    return home


@pytest.fixture(scope="module")
def without(shop_without):
    """What is learned where the person never was."""
    (folder,) = [one for one in shop_without.bundles.iterdir() if one.is_dir()]
    return hashes(folder)


@pytest.fixture
def home(tmp_path):
    """The same shop with the person."""
    home = Home(tmp_path / "home")
    record_events(home, with_a_person_more(events(0, DAYS)))
    collect(home)
    return home


def test_a_model_learned_with_the_person_is_another_one(home, without):
    """The negative control."""
    assert learned(home) != without


def test_after_erasing_the_model_is_that_of_a_shop_that_never_saw_the_person(home, without):
    """C13."""
    record = Record.of(home)
    Erasures(home, record).ask(GONE, Deed("test", "erase", "", "asked"), at=NOW)
    record.close()
    assert tidy(home, NOW) == "1 persons"
    collect(home)
    assert learned(home) == without


def test_nothing_is_learned_from_who_is_off(home, without):
    """C03: the next model holds nothing of the person, who is still in the record."""
    record = Record.of(home)
    record.choices.change(
        GONE, lambda said: replace(said, is_on=False), Deed("test", "off", "", ""), at=NOW
    )
    assert record.events_of(GONE, after_seq=0, limit=9)
    record.close()
    assert len(load(home).of_user(GONE)) == 0
    assert learned(home) == without


def test_nothing_is_kept_past_its_limit(home):
    """C18."""
    limit = 3
    (home.root / "dapei.toml").write_text(f"[privacy]\nevents_days = {limit}\nlists_days = 3\n")
    now = START + timedelta(days=DAYS, hours=1)
    before = Lake(home.lake).manifest().rows
    assert "events" in tidy(home, now)
    collect(home)
    rows = Lake(home.lake).scan(Lake(home.lake).manifest()).collect()
    cutoff = int((now - timedelta(days=limit)).timestamp() * 1_000)
    assert 0 < rows.height < before
    assert rows["at_ms"].min() >= cutoff
    record = Record.of(home)
    kept = [e.at for part in record.events_between(0, record.last_seq()) for _, e, _ in part]
    record.close()
    assert min(kept) >= now - timedelta(days=limit)
    assert len(load(home).histories.events) == rows.height
    assert tidy(home, now) == "", "twice changes nothing"


def test_without_limits_nothing_goes(home):
    before = Lake(home.lake).manifest().rows
    assert tidy(home, START + timedelta(days=4_000)) == ""
    assert Lake(home.lake).manifest().rows == before


def test_no_file_of_a_bundle_names_a_person(shop_without):
    ids = [one.encode() for one in load(shop_without).user_ids.texts.all()]
    assert ids
    for path in shop_without.bundles.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [one for one in ids if one in content], path


# What of an item in a list may be another for another person: where it stands, and why.
OF_THE_LIST = {"rank", "score", "source", "reason", "probability"}


def terms_seen(keyed, n_people: int) -> dict[str, set]:
    """By item everything that was told of it, price and link with it, to persons who differ."""
    seen: dict[str, set] = {}
    kinds = ("order", "view", "play", "cart", "like")
    for n in range(n_people):
        user_id = f"user-{7000 + n}"
        for k in range(n % 4):
            act(keyed, k, f"item-{1000 + (n + 3 * k) % 10}", kinds[n % 5], user_id=user_id)
        for one in listed(keyed, user_id)["items"]:
            for shown in (one, *one["cards"]):
                told = {name: said for name, said in shown.items() if name not in OF_THE_LIST}
                where = f"{shown['item_id']} {'item' if shown is one else 'card'}"
                seen.setdefault(where, set()).add(orjson.dumps(told))
    return seen


@pytest.mark.parametrize("n", [12, pytest.param(1_000, marks=pytest.mark.nightly)])
def test_price_and_link_are_of_the_item_and_of_nobody(keyed, n):
    """C08: whoever asks, an item costs the same and leads to the same place."""
    seen = terms_seen(keyed, n)
    assert len(seen) >= 10
    assert [where for where, told in seen.items() if len(told) != 1] == []


def test_a_price_that_knows_the_person_would_be_seen(keyed, monkeypatch):
    """The negative control of C08."""
    real = service.encoded

    def dearer(answer, *more):
        said = orjson.loads(real(answer, *more))
        for one in said["items"]:
            one["price_minor"] = (one["price_minor"] or 0) + len(answer.served.user_id or "")
            one["price_minor"] += answer.served.user_id == "user-7003"
        return orjson.dumps(said)

    monkeypatch.setattr(service, "encoded", dearer)
    assert [where for where, told in terms_seen(keyed, 6).items() if len(told) != 1]


# Who may say a price: columns of items and nothing that knows a person.
PRICING = ("display_of", "_shown", "_cards")
PERSONAL = {"user_id", "history", "row", "controls", "request", "context", "served", "signals"}


@pytest.mark.parametrize("path", ["recsys/catalog.py", "serving/answers.py", "recsys/overlay.py"])
def test_code_that_tells_prices_knows_no_person(path):
    """C08, on the code: what writes price and link reads nothing about whoever asks."""
    tree = ast.parse((Path(__file__).parents[2] / path).read_text(encoding="utf-8"))
    found = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name in PRICING]
    for function in found:
        names = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
        names |= {n.attr for n in ast.walk(function) if isinstance(n, ast.Attribute)}
        names |= {one.arg for one in function.args.args}
        assert not names & PERSONAL, function.name


def test_prices_are_told_in_one_place_only():
    """C08: no other code of the request path writes a price."""
    root = Path(__file__).parents[2]
    writes = {
        str(path.relative_to(root))
        for room in ("recsys", "serving")
        for path in (root / room).rglob("*.py")
        if "price_minor" in path.read_text(encoding="utf-8")
    }
    known = {"recsys/catalog.py", "serving/answer_schemas.py", "serving/openapi_examples.py"}
    reads = {
        "serving/bench_changes.py",
        "serving/bench_world.py",
        "recsys/events.py",
        "recsys/facts.py",
        "serving/schemas.py",
        "recsys/overlay.py",
        # What a person spent, which tells their tier and no price.
        "recsys/tiers.py",
    }
    assert "recsys/catalog.py" in writes
    assert writes <= known | reads, "code that knows a price must be looked at"


def test_a_blocked_tag_never_comes_in(tmp_path):
    """C05 at the door: the item comes back with its reason, the others are kept."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "dapei.toml").write_text('[privacy]\nblocked_terms = ["禁词"]\n', encoding="utf-8")
    for keyed in keyed_in(tmp_path):
        items = [
            {"item_id": f"item-{n}", "kind": "product", "tags": [tag]}
            for n, tag in enumerate(["禁 词", "好词"])
        ]
        answer = keyed.client.put("/v1/items", json={"items": items}, headers=keyed.as_server())
        assert [one["index"] for one in answer.json()["rejected"]] == [0]
        assert "blocked term" in answer.json()["rejected"][0]["detail"]
        kept = b"".join(p.read_bytes() for p in home.glob("record.db*"))
        assert "好词".encode() in kept
        assert "禁 词".encode() not in kept
        assert asked(keyed, "GET", "/v1/me/tags")["tags"] == []
