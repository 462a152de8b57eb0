"""C13–C16: an erased person is gone from everything that is kept, and does not come back."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import pytest

from data import erasing, record_store
from data.erasing import finish_erasures
from data.erasures import Erasures
from data.histories_build import build_histories
from data.home import Home
from data.importing import run_import
from data.lake import Lake
from data.record import Outcome, Record
from data.record_audit import Deed
from data.record_erasures import Erasing
from recsys.catalog import Kind
from recsys.errors import AliasConflict
from recsys.events import EventType, ServedItem, ServedList
from tests.planted import NOW, event, item

ME, GUEST, OTHER = "person-七-5001", "guest-7001", "user-5002"
LATER = NOW + timedelta(hours=1)
MAPPING = """
of = "events"
name = "old"
[fields]
user_id = "user"
item_id = "item"
at = { column = "at", unit = "s" }
type = { constant = "view" }
kind = { constant = "product" }
"""


@dataclass
class World:
    """A home in which two persons left traces everywhere."""

    home: Home

    def record(self) -> Record:
        return Record.of(self.home)

    def imported(self, name: str, rows: list[str]):
        mapping, file = self.home.root / f"{name}.toml", self.home.root / f"{name}.csv"
        mapping.write_text(MAPPING)
        file.write_text("user,item,at\n" + "\n".join(rows) + "\n")
        report = run_import(mapping, [file], self.home, now=NOW, max_bad=1.0)
        mapping.unlink()
        file.unlink()
        return report

    def ask(self, at: datetime = LATER) -> dict:
        record = self.record()
        try:
            return Erasures(self.home, record).ask(ME, Deed("test", "erase", "", "asked"), at=at)
        finally:
            record.close()

    def status(self) -> dict:
        record = self.record()
        try:
            return Erasures(self.home, record).status(ME)
        finally:
            record.close()

    def finish(self) -> int:
        return finish_erasures(self.home, now=LATER)

    def traces(self, user_id: str) -> list[str]:
        """Files in which an id stands, as it is or as JSON escapes it."""
        marks = {user_id.encode(), orjson.dumps(user_id)[1:-1]}
        marks.add("".join(c if c.isascii() else f"\\u{ord(c):04x}" for c in user_id).encode())
        files = [path for path in self.home.root.rglob("*") if path.is_file()]
        return [str(p) for p in files if any(mark in p.read_bytes() for mark in marks)]


def one(n, user_id=ME, **more):
    said = {"event_id": f"event-{user_id}-{n}", "user_id": user_id, "at": NOW} | more
    return event(f"item-{1000 + n % 7}", EventType.VIEW, **said)


def served_to(user_id, n):
    shown = ServedItem(
        item_id="item-1000", kind="product", rank=0, score=1.0, source="s", reason="r", ad=False
    )
    return ServedList(
        list_id=f"list-{user_id}-{n}",
        user_id=user_id,
        scene="home",
        at=NOW,
        bundle="bundle-1",
        pipeline="home",
        personalised=True,
        degraded=(),
        items=(shown,),
    )


def fill(record, *user_ids, n=40):
    for user_id in user_ids:
        record.append([one(k, user_id) for k in range(n)], received_at=NOW)
        record.put_served([served_to(user_id, k) for k in range(3)])
        row = (orjson.dumps({"user_id": user_id, "type": "?"}), "invalid_event", f"of {user_id}")
        record.quarantine([row], at=NOW)


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> World:
    world = World(Home(tmp_path_factory.mktemp("world") / "home"))
    world.home.root.mkdir()
    record = world.record()
    record.put_items([item(n) for n in range(7)] + [item(7, Kind.VIDEO)], at=NOW)
    fill(record, OTHER, ME, GUEST)
    record.aliases.join(GUEST, ME, at=NOW)
    choice = Deed("test", "off", "", "asked")
    record.choices.change(ME, lambda said: said, choice, at=NOW)
    Lake(world.home.lake).write_record_events(record, record.last_seq())
    fill(record, ME, OTHER, n=50)
    record.close()
    rows = [f"{who},item-1001,{1_700_000_000 + n}" for n in range(20) for who in (ME, OTHER)]
    world.imported("old", [*rows, f"{ME},item-1002,never"])
    build_histories(world.home)
    return world


@pytest.fixture
def world(filled, tmp_path) -> World:
    """The same, to be changed."""
    shutil.copytree(filled.home.root, tmp_path / "home")
    return World(Home(tmp_path / "home"))


def test_the_world_holds_the_person_everywhere(filled):
    """Without this, that nothing is found would say nothing."""
    places = {Path(path).relative_to(filled.home.root).parts[0] for path in filled.traces(ME)}
    assert {"record.db", "lake", "histories"} <= places
    assert filled.traces(OTHER)


def test_nothing_is_left_of_an_erased_person_and_all_of_the_others(world):
    record = world.record()
    before = [one.body() for one in record.events_of(OTHER, after_seq=0, limit=999)]
    record.close()
    assert world.ask()["state"] == "asked"
    assert world.finish() == 1
    assert world.traces(ME) == world.traces(GUEST) == []
    told = world.status()
    assert (told["state"], len(told["steps"]), len(told["left"])) == ("done", 6, 1)
    record = world.record()
    assert [one.body() for one in record.events_of(OTHER, after_seq=0, limit=999)] == before
    # What is missing is no damage, and numbers go on.
    assert sum(len(part) for part in record.events_between(0, record.last_seq())) == len(before)
    assert record.damaged == set()
    assert record.audit.broken_at() is None
    assert len(record.served_to(OTHER, 9)) == 3
    record.close()
    assert Lake(world.home.lake).scan(Lake(world.home.lake).manifest()).collect().height > 0


@pytest.mark.parametrize(
    ("owner", "name"),
    [(Erasing, "clean_pages"), (Erasing, "_drop_quarantined"), (Lake, "keep_only")],
)
def test_a_step_left_out_is_seen(world, monkeypatch, owner, name):
    """Negative controls: each defect leaves bytes that the search finds."""
    if name == "clean_pages":
        # And what is deleted stays in its page, as it would by default.
        real = record_store._set_up_writing
        monkeypatch.setattr(
            record_store,
            "_set_up_writing",
            lambda connection, _: (
                real(connection, _),
                connection.execute("PRAGMA secure_delete = OFF"),
            ),
        )
    monkeypatch.setattr(owner, name, lambda *_: None)
    world.ask()
    world.finish()
    assert world.traces(ME)


def test_late_events_do_not_bring_the_person_back(world):
    world.ask()
    record = world.record()
    late = [one(900), one(901, GUEST), one(902, at=None), one(903, at=LATER + timedelta(days=9))]
    assert set(record.append(late, received_at=LATER)) == {Outcome.NOT_KEPT}
    record.put_served([served_to(ME, 9)])
    with pytest.raises(AliasConflict):
        record.aliases.join("guest-7009", ME, at=LATER)
    record.close()
    world.finish()
    report = world.imported("late", [f"{ME},item-1001,1700000001", f"{OTHER},item-1001,1700000002"])
    assert (report.events, report.unkept) == (1, 1)
    record = world.record()
    assert set(record.append(late, received_at=LATER)) == {Outcome.NOT_KEPT}
    record.close()
    assert world.traces(ME) == []


def test_without_the_name_in_the_record_late_events_would_come_back(world, monkeypatch):
    """The defect put back: the test above would be red."""
    monkeypatch.setattr(Erasing, "_bury", lambda *_: None)
    world.ask()
    record = world.record()
    assert record.append([one(900)], received_at=LATER) == [Outcome.ACCEPTED]
    record.close()


def test_a_copy_put_back_is_erased_again(world, tmp_path):
    record = world.record()
    record.backup(tmp_path / "copy.db")
    record.close()
    world.ask()
    world.finish()
    world.home.record_path.unlink()
    shutil.copy(tmp_path / "copy.db", world.home.record_path)
    assert world.traces(ME)
    assert world.finish() == 2, "the person and their guest"
    assert world.traces(ME) == world.traces(GUEST) == []


def test_who_agrees_anew_begins_anew(world):
    world.ask()
    world.finish()
    record = world.record()
    record.choices.renew(ME, {"personalise": True}, at=LATER + timedelta(days=1))
    after = LATER + timedelta(days=2)
    outcomes = record.append([one(900), one(901, at=after)], received_at=after)
    assert outcomes == [Outcome.NOT_KEPT, Outcome.ACCEPTED]
    record.close()


def killed(world: World, n: int) -> bool:
    """Whether a process that ends erasures was killed at its nth write."""
    words = [sys.executable, "-m", "tests.privacy.erase_child", str(world.home.root), str(n)]
    root = Path(__file__).parents[2]
    done = subprocess.run(words, cwd=root, capture_output=True, env=os.environ, check=False)
    assert done.returncode in (0, -9), done.stderr.decode()
    return done.returncode == -9


@pytest.mark.parametrize(
    "n", [3, pytest.param(range(1, 51), marks=pytest.mark.nightly)], ids=["one", "fifty"]
)
def test_killed_at_any_point_it_comes_to_its_end(filled, tmp_path, n):
    killed_at = []
    for at in n if isinstance(n, range) else [n]:
        shutil.copytree(filled.home.root, tmp_path / str(at))
        world = World(Home(tmp_path / str(at)))
        world.ask()
        if killed(world, at):
            killed_at.append(at)
            assert world.status()["state"] != "done" or not world.traces(ME)
        world.finish()
        assert world.traces(ME) == []
        assert world.status()["state"] == "done"
        shutil.rmtree(world.home.root)
    assert len(killed_at) >= (10 if isinstance(n, range) else 1)


def stopped(world: World, monkeypatch) -> None:
    """An erasure that is broken off before the lake, as a kill would."""

    def broken(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(erasing, "_clear_lake", broken)
        with pytest.raises(KeyboardInterrupt):
            world.finish()


def test_broken_off_it_says_so_and_comes_to_its_end(world, monkeypatch):
    world.ask()
    stopped(world, monkeypatch)
    assert world.status()["state"] == "running"
    assert world.finish() == 1
    assert world.traces(ME) == []


def test_an_erasure_that_is_said_to_be_over_too_early_would_be_seen(world, monkeypatch):
    """The negative control of C15: what nobody goes on with stays."""
    real = Erasures.clear_record

    def hasty(self, erasure):
        done = real(self, erasure)
        self.record.erasing.finish(done, at=LATER)
        return done

    monkeypatch.setattr(Erasures, "clear_record", hasty)
    world.ask()
    stopped(world, monkeypatch)
    assert world.status()["state"] == "done"
    world.finish()
    assert world.traces(ME) != []
