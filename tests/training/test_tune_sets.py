import tomllib
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from recsys.errors import ConfigError
from tests.training.small_sets import pairs, written
from training.bench_cli import _parameters
from training.bench_contenders import contender
from training.bench_figures import NoOpinion, measure
from training.bench_sets import trials
from training.study import Study
from training.tune import tune
from training.tune_cli import app
from training.tune_sets import SetTask, metric_named

N_PEOPLE, N_ITEMS = 90, 40
NAME = "cf_tastes"


def acts(seed):
    """Pairs of people with products of their taste, odd or even, some of them far more liked."""
    rng = np.random.default_rng(seed)
    chance = 1 / np.arange(1, N_ITEMS // 2 + 1)
    found = []
    for person in range(N_PEOPLE):
        own = rng.choice(N_ITEMS // 2, size=8, replace=False, p=chance / chance.sum())
        found += [(1000 + person, 500 + 2 * int(one) + person % 2) for one in own]
    return found


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder of two sets: one of two tastes, one of another protocol."""
    data = tmp_path_factory.mktemp("data")
    every = acts(1)
    written(data / NAME, train=pairs(*every[::2]), test=pairs(*every[1::2]))
    return data


def task_of(data, model="item_knn", metric="NDCG@20", **more):
    parts = [trial.validation(1) for trial in trials(data / NAME)]
    return SetTask.of(model, parts, metric, **{"people": 0, "seed": 1, **more})


def run(*words, code=0):
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def test_values_are_those_of_the_benchmark(data):
    task = task_of(data)
    everybody = [*task.searched, *task.apart]
    trial = task.parts[0]
    model = contender("item_knn", {}, 1)(trial).fit(trial.train, trial.catalog)
    wanted = next(f for f in measure(trial, "item_knn", model) if f.metric == "NDCG@20")
    assert task.answering({})(everybody).mean() == pytest.approx(wanted.estimate.mean)
    assert sorted(everybody) == [(0, place) for place in range(len(trial.targets))]


def test_parameters_reach_the_model(data):
    task = task_of(data)
    low, high = (
        task.answering({("models", "item_knn", "target_damping"): value})(task.searched)
        for value in (0.0, 1.0)
    )
    assert not np.array_equal(low, high)


def test_first_part_of_the_people_gets_the_values_it_gets_among_all(data):
    task = task_of(data, people=30)
    ask = task.answering({})
    assert ask(task.searched)[:10].tolist() == ask(task.searched[:10]).tolist()
    assert len(task.searched) == 30
    assert set(task.searched).isdisjoint(task.apart)


def test_model_without_an_opinion_is_told(data):
    task = task_of(data, "tags")
    with pytest.raises(NoOpinion, match="tags has no opinion there"):
        task.answering({})(task.searched)


def test_pairs_that_weigh_alike_weigh_alike(data):
    trial = trials(data / NAME)[0].validation(1)

    trial = replace(trial, is_per_pair=True)
    task = SetTask.of("item_knn", [trial], "Recall@20", people=0, seed=1)
    model = contender("item_knn", {}, 1)(trial).fit(trial.train, trial.catalog)
    wanted = next(f for f in measure(trial, "item_knn", model) if f.metric == "Recall@20")
    found = task.answering({})([*task.searched, *task.apart])
    assert found.mean() == pytest.approx(wanted.estimate.mean)


@pytest.mark.parametrize(("word", "metric"), [(None, "Recall@20"), ("ndcg", "NDCG@20")])
def test_metric_by_its_word(data, word, metric):
    assert metric_named(word, trials(data / NAME)) == metric


def test_metric_that_the_set_has_not_is_refused(data):
    with pytest.raises(ConfigError, match="has no metric 'map'; allowed: recall, ndcg"):
        metric_named("map", trials(data / NAME))


def test_what_is_tested_on_is_not_read(data, tmp_path):
    other = tmp_path / NAME
    every = acts(1)
    written(other, train=pairs(*every[::2]), test=pairs(*acts(2)[1::2]))
    found = [
        tune(task_of(folder), Study.opened(tmp_path / f"{n}.db", {}), 4, seed=1)
        for n, folder in enumerate((data, tmp_path))
    ]
    assert [t.values.tolist() for t in found[0].trials] == [
        t.values.tolist() for t in found[1].trials
    ]


def test_command_writes_what_the_benchmark_reads(data, tmp_path):
    out = tmp_path / "set.toml"
    said = run(
        "--data", data, "--set", NAME, "--trials", 5, "--out", out,
        "--models", "item_knn", "popularity", "tags",
    )  # fmt: skip
    assert "Recall@20 on 60 persons searched with" in said
    assert "popularity left out: it has no parameter with a range" in said
    assert "tags left out: tags has no opinion there" in " ".join(said.split())
    text = out.read_text()
    assert f"# Made by dapei tune for the set {NAME}; seed 1, Recall@20." in text
    tables = tomllib.loads(text).get("models", {})
    assert _parameters(out) == tables
    run("--data", data, "--set", NAME, "--trials", 3, "--out", out, "--models", "item_knn")
    assert tomllib.loads(out.read_text()).get("models", {}) == tables


def test_study_of_another_metric_is_refused_or_thrown_away(data, tmp_path):
    words = ("--data", data, "--set", NAME, "--trials", 2, "--out", tmp_path / "set.toml")
    words += ("--models", "item_knn")
    run(*words)
    with pytest.raises(ConfigError, match="another metric: it has 'Recall@20'"):
        run(*words, "--metric", "ndcg")
    assert "NDCG@20" in run(*words, "--metric", "ndcg", "--fresh")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--set", "cf_none"), f"allowed: {NAME}"),
        (("--set", NAME), "is missing; allowed: the file to write"),
        (("--set", NAME, "--out", "x.toml", "--models", "crystal"), "allowed: popularity"),
    ],
)
def test_options_that_cannot_be(data, words, told):
    said = run("--data", data, "--trials", 1, *words, code=2)
    assert told in " ".join(said.replace("│", "").split())


def test_neither_home_nor_set_is_refused(monkeypatch):
    monkeypatch.delenv("DAPEI_HOME", raising=False)
    assert "allowed: --home, or --data and --set" in run("--trials", 1, code=2)


def test_nothing_that_can_be_tuned_is_an_error(data, tmp_path):
    words = ("--trials", 1, "--out", tmp_path / "out.toml", "--models", "popularity")
    with pytest.raises(ConfigError, match="nothing of cf_tastes could be tuned"):
        run("--data", data, "--set", NAME, *words)
