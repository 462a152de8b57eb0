import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dapei import command_line
from data.record import Record
from recsys.errors import BundleError, ConfigError, InvalidInput
from recsys.pointer import bundle_ids, pointed
from recsys.signing import VerifyKey
from tests.training.planted_home import ITEMS, N_DAYS, START, events, planted_home, record_events
from training.terminal import stoppable

QUICK = """
[train]
holdout_days = 5
people = 40
[models.als]
factors = 8
iterations = 2
"""


def run(*words, code=0):
    """What the command says, on either stream."""
    result = CliRunner().invoke(command_line(words[0]), [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The planted home with one published bundle."""
    home = planted_home(tmp_path_factory.mktemp("cli") / "home")
    home.config_path.write_text(QUICK)
    run("train", "--home", home.root, "--publish", "--no-evaluate")
    return home


def used(home):
    return pointed(home.bundles, VerifyKey.load(home.keys))


def test_train_tells_figures_and_publishes_only_if_asked(home):
    before = used(home)
    said = run("train", "--home", home.root)
    assert "home, product " in said
    assert "ndcg@20" in said
    assert "written, not in use" in said
    assert used(home) == before
    assert len(bundle_ids(home.bundles)) >= 2


def test_train_without_evaluation_says_so(home):
    assert "not evaluated: not asked for" in run("train", "--home", home.root, "--no-evaluate")


def test_help_states_the_gate():
    assert "published only if every scene" in " ".join(run("train", "--help").split())
    assert "published only if every scene" in " ".join(run("cycle", "--help").split())


def test_another_configuration_file(home, tmp_path):
    config = tmp_path / "other.toml"
    config.write_text(QUICK + "[pipelines.home.sources.als]\nweight = 0\n")
    run("train", "--home", home.root, "--no-evaluate", "--config", config)
    shown = json.loads(run("bundles", "show", bundle_ids(home.bundles)[-1], "--home", home.root))
    assert "als" not in shown["models"]


def test_configuration_that_is_no_toml_is_refused(home, tmp_path):
    config = tmp_path / "other.toml"
    config.write_text("[train")
    with pytest.raises(ConfigError, match=r"other\.toml is no valid TOML"):
        run("train", "--home", home.root, "--config", config)


def test_empty_home_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="allowed: `dapei import` first"):
        run("train", "--home", tmp_path)


def test_bundle_that_fails_the_gate_is_not_used(tmp_path):
    home = planted_home(tmp_path / "home")
    home.config_path.write_text(QUICK)
    record = Record.open(home.record_path)
    record.put_items([replace(item, available=False) for item in ITEMS], at=START)
    record.close()
    said = run("cycle", "--home", home.root, code=3)
    assert "gate: home gives a stranger an empty list" in said
    assert "gate: home" in run("train", "--home", home.root, "--publish", code=3)
    run("train", "--home", home.root)
    assert used(home) is None


def test_evaluate_writes_every_figure_as_json(home, tmp_path):
    said = run(
        "evaluate", "--home", home.root, "--scene", "home", "--kinds", "product",
        "--kinds", "product,video", "--k", "8,3", "--people", 30, "--all-targets",
        "--json", tmp_path / "figures.json",
    )  # fmt: skip
    assert "home, product: 30 persons" in said
    found = json.loads((tmp_path / "figures.json").read_text())
    assert [answer["kinds"] for answer in found["answers"]] == [["product"], ["product", "video"]]
    assert {figure["k"] for figure in found["answers"][0]["figures"]} == {3, 8}
    assert {figure["k"] for figure in found["answers"][0]["along"]} == {1, 2, 5}
    assert "all" not in {figure["people"] for figure in found["answers"][0]["parts"]}
    assert not found["answers"][0]["new_only"]


def test_evaluate_asks_every_scene_by_default(home):
    said = run("evaluate", "--home", home.root, "--people", 5, "--k", 5)
    assert "home, video:" in said
    assert "post_checkout, video+product:" in said


MAPPING = """
name = "held-out"
of = "events"
undated = true
[fields]
user_id = { column = "who" }
item_id = { column = "what" }
kind = { constant = "product" }
type = { constant = "order" }
"""


@pytest.fixture
def held_out(tmp_path):
    """A file in which every person later buys both kinds of their taste."""
    lines = [f"user-{5000 + n},item-{1000 + n % 2}" for n in range(20)]
    (tmp_path / "test.csv").write_text("\n".join(["who,what", *lines]))
    (tmp_path / "test.toml").write_text(MAPPING)
    return tmp_path / "test.toml", tmp_path / "test.csv"


def test_evaluate_on_held_out_events(home, held_out):
    said = run(
        "evaluate", "--home", home.root, "--test", *held_out, "--kinds", "product",
        "--all-targets", "--per-pair", "--k", 8,
    )  # fmt: skip
    assert "asked about 20 held-out ones" in said
    assert "each judged alone" in said
    assert "recall@8" in said
    assert "1.0000" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--kinds", "book"), "allowed: product, video, or both with"),
        (("--kinds", "video,video"), "allowed: product, video"),
        (("--k", "0"), "allowed: numbers from 1 to 100"),
        (("--k", "10,x"), "allowed: numbers from 1 to 100"),
    ],
)
def test_wrong_usage_has_exit_code_2(words, message, home):
    assert message in " ".join(run("evaluate", "--home", home.root, *words, code=2).split())


def test_scene_of_an_order_needs_a_split_by_time(home, held_out):
    said = run(
        "evaluate", "--home", home.root, "--test", *held_out, "--scene", "post_checkout", code=2
    )
    assert "needs a split by time" in said


def test_unknown_scene_is_refused(home):
    with pytest.raises(InvalidInput, match="scene is unknown, got 'attic'"):
        run("evaluate", "--home", home.root, "--scene", "attic")


def test_scene_that_is_beside_something_is_not_evaluated(home):
    with pytest.raises(InvalidInput, match="cart cannot be evaluated; allowed: home, post_check"):
        run("evaluate", "--home", home.root, "--scene", "cart")


def test_bundles_are_listed_and_the_one_in_use_is_marked(home):
    lines = run("bundles", "list", "--home", home.root).splitlines()
    marked = [line for line in lines if "yes" in line]
    assert len(marked) == 1
    assert used(home) in marked[0]


def test_damaged_bundle_is_listed_as_such(home):
    run("train", "--home", home.root, "--no-evaluate")
    damaged = home.bundles / bundle_ids(home.bundles)[-1]
    (damaged / "manifest.sig").write_bytes(b"x")
    assert "does not fit" in " ".join(run("bundles", "list", "--home", home.root).split())


def test_bundle_in_use_is_shown(home):
    shown = json.loads(run("bundles", "show", "--home", home.root))
    assert shown["bundle_id"] == used(home)
    assert "files" not in shown
    assert "files" in json.loads(run("bundles", "show", "--home", home.root, "--files"))


def test_publish_and_rollback(home):
    before = used(home)
    run("train", "--home", home.root, "--no-evaluate")
    newest = bundle_ids(home.bundles)[-1]
    assert f"bundle {newest} is in use" in run("bundles", "publish", newest, "--home", home.root)
    assert used(home) == newest
    assert f"bundle {before} is in use again" in run("bundles", "rollback", "--home", home.root)
    assert used(home) == before


def test_unknown_bundle_is_refused(home):
    with pytest.raises(BundleError, match="bundle bundle-9 cannot be read"):
        run("bundles", "publish", "bundle-9", "--home", home.root)


def test_home_without_a_bundle_shows_none(tmp_path):
    home = planted_home(tmp_path / "home")
    home.config_path.write_text(QUICK)
    with pytest.raises(ConfigError, match="the first `dapei train` writes it"):
        run("bundles", "show", "--home", home.root)
    run("train", "--home", home.root, "--no-evaluate")
    with pytest.raises(BundleError, match="no bundle is in use yet"):
        run("bundles", "show", "--home", home.root)


def test_cycle_takes_in_what_is_new_and_then_rests(tmp_path):
    home = planted_home(tmp_path / "home")
    home.config_path.write_text(QUICK)
    said = run("cycle", "--home", home.root)
    assert "0 new events" in said
    assert ": in use" in said
    assert "nothing changed; the bundle in use stays" in run("cycle", "--home", home.root)
    record_events(home, events(0, N_DAYS + 1))
    assert "0 new events" not in run("cycle", "--home", home.root)


def test_cycle_with_a_pause_that_is_none_is_refused(home):
    with pytest.raises(ConfigError, match="no length of time"):
        run("cycle", "--home", home.root, "--every", "soon")


def started(home, *words):
    command = [sys.executable, "-m", "dapei", *words, "--home", str(home.root)]
    return subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_cycle_goes_on_until_it_is_stopped(home):
    child = started(home, "cycle", "--every", "1s")
    lines = [child.stdout.readline() for _ in range(3)]
    child.send_signal(signal.SIGTERM)
    _, errors = child.communicate(timeout=30)
    assert child.returncode == 128 + signal.SIGTERM, errors
    assert lines.count(b"0 new events\n") >= 1


def test_error_names_the_table_of_the_configuration(tmp_path):
    home = planted_home(tmp_path / "home")
    home.config_path.write_text("[models.als]\nneighbours = 3")
    _, errors = started(home, "train").communicate(timeout=60)
    assert b"[models.als] has an unknown name" in b" ".join(errors.split())


def test_cycle_that_goes_on_survives_an_error(tmp_path):
    home = planted_home(tmp_path / "home")
    home.config_path.write_text("[train]\nseed = 'x'")
    child = started(home, "cycle", "--every", "1s")
    first, second = child.stderr.readline(), child.stderr.readline()
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=30)
    assert b"config_error" in first
    assert b"seed is not a whole number" in first + second


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)]
)
def test_who_is_told_to_stop_stops_though_a_library_swallows_it(number, error, monkeypatch):
    monkeypatch.setattr("training.terminal.AGAIN_S", 0.05)
    times = 0
    with pytest.raises(error), stoppable():
        while times < 3:
            with suppress(error):
                os.kill(os.getpid(), number)
            times += 1
            time.sleep(10)
    assert times == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_training_leaves_no_part_of_a_bundle(number, tmp_path):
    home = planted_home(tmp_path / "home")
    home.config_path.write_text("[models.als]\niterations = 10000000\n")
    child = started(home, "train", "--publish")
    while not (home.keys / "bundles.pub").exists() and child.poll() is None:
        time.sleep(0.02)
    time.sleep(0.3)
    os.kill(child.pid, number)
    child.communicate(timeout=60)
    assert child.returncode not in (0, None)
    left = list(home.bundles.iterdir()) if home.bundles.exists() else []
    assert left == []
