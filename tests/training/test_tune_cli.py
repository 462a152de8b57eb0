import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recsys.errors import ConfigError
from recsys.pointer import bundle_ids
from tests.training.planted_home import N_DAYS, events, planted_home, record_events
from training.config import train_config
from training.config_toml import dumped
from training.cycle import collect
from training.study import alone
from training.tune_cli import app
from training.tune_home import STUDY, TUNED

ROOT = Path(__file__).parents[2]
QUICK = """
[train]
holdout_days = 5
people = 40
[models.als]
factors = 8
iterations = 2
"""
ASK = ("--people", 20, "--k", 5)


def run(*words, code=0):
    """What the command says, on either stream."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def command(*words):
    """The command as anybody runs it, in a process of its own."""
    line = [sys.executable, "-m", "dapei", *map(str, words)]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(
        line, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def ended(process):
    said = process.communicate()[0].decode()
    assert process.returncode == 0, said
    return said


def new_home(root):
    home = planted_home(root)
    home.config_path.write_text(QUICK)
    return home


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The planted home, tuned by six trials."""
    home = new_home(tmp_path_factory.mktemp("tune") / "home")
    run("--home", home.root, "--trials", 6, *ASK)
    return home


def test_tells_parameters_figures_and_where_it_was_written(home):
    said = " ".join(run("--home", home.root, "--trials", 6, *ASK).split())
    assert "home, video+product: learned before 2026-03-2" in said
    assert "models.item_knn.shrinkage" in said
    assert "6 trials, number 0 the defaults; best is number" in said
    assert "ndcg@5 on 20 persons searched with: " in said
    assert "others" not in said
    assert f"written: {home.root / TUNED}" in said


def test_written_file_holds_what_differs_under_how_it_was_found(home):
    text = (home.root / TUNED).read_text()
    assert "# Seed 1, 6 trials; the best is number" in text
    assert "# Data version: events 1, items 1." in text
    config = train_config(tomllib.loads(text))
    assert text.split("\n\n", 1)[1] == dumped(config).lstrip("\n")
    assert (config.holdout_days, config.people) == (5, 40)


def test_other_file_other_scene_other_metric(home, tmp_path):
    out = tmp_path / "out.toml"
    more = ("--scene", "post_checkout", "--metric", "recall", "--kinds", "product", "--fresh")
    copy = new_home(tmp_path / "home")
    said = run("--home", copy.root, "--trials", 2, *ASK, "--out", out, *more)
    assert "post_checkout, product: " in said
    assert "recall@5 on" in said
    assert "list of post_checkout, product" in out.read_text()
    assert not (copy.root / TUNED).exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--scene", "attic"), "allowed: home, post_checkout"),
        (("--metric", "auc"), "allowed: recall, ndcg"),
        (("--kinds", "song"), "allowed: product, video"),
        (("--trials", 0), "trials"),
        (("--k", 101), "less than or equal to 100"),
    ],
)
def test_options_that_cannot_be(home, words, told):
    assert told in " ".join(run("--home", home.root, "--trials", 1, *words, code=2).split())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--metric", "recall"), "another metric: it has 'ndcg@5', now there is 'recall@5'"),
        (("--scene", "post_checkout"), "another scene"),
        (("--seed", 2), "another seed"),
        (("--people", 21), "another number of people"),
    ],
)
def test_study_of_another_question_is_refused(home, words, told):
    with pytest.raises(ConfigError, match=f"{told}.*--fresh"):
        run("--home", home.root, "--trials", 7, *ASK, *words)


def test_study_of_another_configuration_is_refused(home, tmp_path):
    other = tmp_path / "other.toml"
    other.write_text(QUICK + "[models.item_knn]\nshrinkage = 3.0\n")
    with pytest.raises(ConfigError, match="another configuration"):
        run("--home", home.root, "--trials", 7, *ASK, "--config", other)


def test_study_of_other_data_is_refused_or_started_anew(tmp_path):
    home = new_home(tmp_path / "home")
    run("--home", home.root, "--trials", 2, *ASK)
    record_events(home, events(N_DAYS, N_DAYS + 1))
    collect(home)
    with pytest.raises(ConfigError, match=r"another data version: it has 'events 1, .*--fresh"):
        run("--home", home.root, "--trials", 3, *ASK)
    assert "2 trials" in run("--home", home.root, "--trials", 2, *ASK, "--fresh")


def test_empty_home_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="allowed: `dapei import` first"):
        run("--home", tmp_path, "--trials", 2)


def test_two_searches_at_a_time_are_refused(home):
    with alone(home.root / STUDY), pytest.raises(ConfigError, match="in use by another"):
        run("--home", home.root, "--trials", 7, *ASK)


def n_trials(home):
    """How many trials are kept by now."""
    if not (home.root / STUDY).exists():
        return 0
    try:
        with sqlite3.connect(home.root / STUDY) as study:
            return study.execute("select count(*) from trials").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def after_trials(home, n, *words):
    """A running search that has kept n trials."""
    process = command("tune", "--home", home.root, "--trials", 500, *ASK, *words)
    deadline = time.monotonic() + 120
    while n_trials(home) < n:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_stopped_in_the_middle_and_started_again_it_goes_on(home, tmp_path, how):
    broken = new_home(tmp_path / "home")
    process = after_trials(broken, 3)
    process.send_signal(how)
    process.communicate()
    assert process.returncode != 0
    done = n_trials(broken)
    assert 3 <= done < 500
    n = max(6, done + 1)
    said = run("--home", broken.root, "--trials", n, *ASK)
    assert f"{n} trials" in said
    run("--home", home.root, "--trials", n, *ASK)
    texts = [(one.root / TUNED).read_text().split("\n\n", 1)[1] for one in (home, broken)]
    assert texts[0] == texts[1]


def hashes(home, bundle_id):
    manifest = json.loads((home.bundles / bundle_id / "manifest.json").read_text())
    return {name: file["sha256"] for name, file in manifest["files"].items()}


def test_written_configuration_trains_the_same_bundle_bit_for_bit(home):
    run("--home", home.root, "--trials", 6, *ASK)
    before = set(bundle_ids(home.bundles))
    for _ in range(2):
        ended(command("train", "--home", home.root, "--no-evaluate", "--config", home.root / TUNED))
    one, two = sorted(set(bundle_ids(home.bundles)) - before)
    assert hashes(home, one) == hashes(home, two)
    assert len(hashes(home, one)) > 10


def test_command_is_there():
    assert "tune" in ended(command("--help"))
