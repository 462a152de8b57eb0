"""`dapei bench models`: its rows, what it leaves out, what it does not run again, its pictures."""

import os

import orjson
import pytest
from typer.testing import CliRunner

from dapei import BENCH, command_line
from recsys.errors import ConfigError
from tests.training.small_sets import ALL, cf_set, session_set, sv_set, written
from training.bench_child import Ask, answer
from training.bench_cli import _parameters as parameters_of
from training.bench_models import Plan, published, run, version
from training.bench_plot import panels, plot
from training.bench_sets import PROTOCOLS

KEYS = {"set", "model", "form", "metric", "value", "low", "high", "n", "published"}
KEYS |= {"seconds", "peak_mb", "seed"}


def bench(*words, code=0):
    """What the command says, on either stream."""
    words = ["bench", "models", *(str(word) for word in words)]
    result = CliRunner(env={"COLUMNS": "160"}).invoke(command_line("bench", "models"), words)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def folder(tmp_path):
    """A folder of one sound set, whose name nobody has seen, and one of no protocol."""
    data = tmp_path / "data"
    data.mkdir()
    cf_set(data / "cf_never_seen")
    (data / "zh_words").mkdir()
    return data


def plan(data, *models, **more):
    return Plan(folders=sorted(data.iterdir()), models=list(models), **more)


class Answering:
    """Answers in this process and remembers what was asked; of some models, another word."""

    def __init__(self, **words):
        self.asks, self.words = [], words

    def __call__(self, ask, _limit_s):
        self.asks.append(ask)
        found = self.words.get(ask.model) or answer(ask)
        return {**found, "peak_mb": 12}


def test_a_set_of_any_name_gives_a_row_a_figure(folder):
    rows = run(plan(folder, "popularity"), asked=Answering()).rows
    assert [(row["form"], row["metric"]) for row in rows] == [
        ("dense", "Recall@20"),
        ("served", "Recall@20"),
        ("dense", "NDCG@20"),
        ("served", "NDCG@20"),
    ]
    assert all(row.keys() >= KEYS for row in rows)
    assert rows[0]["value"] == 1
    assert (rows[0]["n"], rows[0]["published"], rows[0]["peak_mb"]) == (3, None, 12)


@pytest.mark.parametrize("name", ALL)
def test_every_protocol_runs_with_every_model_that_has_a_word_to_say(tmp_path, name):
    data = tmp_path / "data"
    data.mkdir()
    ALL[name](data / name)
    report = run(plan(data, "popularity", "item_knn", "tags"), asked=Answering())
    assert report.failures == []
    told = {row["model"] for row in report.rows}
    assert told >= {"popularity", "item_knn"}
    assert ("tags" in told) == (name == "sv_x")


def test_what_has_no_protocol_or_no_opinion_is_named(folder):
    report = run(plan(folder, "popularity", "cards"), asked=Answering())
    assert report.skipped == [
        "cf_never_seen: cards left out: cards gave no score to any of the first 200 people",
        "zh_words skipped: its name begins with no protocol",
    ]
    assert report.failures == []


def test_a_broken_set_is_told_and_the_others_run(folder):
    written(folder / "cf_a_broken", train={"what": [1]})
    report = run(plan(folder, "popularity", "item_knn"), asked=Answering())
    assert len(report.broken) == 1
    assert "cf_a_broken is broken" in report.failures[0]
    assert {row["set"] for row in report.rows} == {"cf_never_seen"}


def test_a_model_that_fails_is_a_row_without_a_value(folder):
    asked = Answering(als={"failed": "exit code 1: MemoryError"})
    report = run(plan(folder, "als", "popularity"), asked=asked)
    assert report.failures == ["cf_never_seen: als failed: exit code 1: MemoryError"]
    assert report.rows[0]["value"] is None
    assert report.rows[1]["value"] == 1


def gauc(model):
    said = {"model": model, "form": "dense", "metric": "GAUC like", "value": 0.6, "n": 9}
    return said | {"low": 0.5, "high": 0.7, "seconds": 1.0, "list_ms": 0.0}


def test_impressions_are_put_in_order_where_there_are_any(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    cf_set(data / "cf_x")
    sv_set(data / "sv_x")
    asked = Answering(ranker={"figures": [gauc("ranker"), gauc("hour alone")]})
    file = tmp_path / "rows.json"
    rows = run(plan(data, "ranker"), file, asked=asked).rows
    assert [(row["set"], row["model"]) for row in rows] == [
        ("sv_x", "ranker"),
        ("sv_x", "hour alone"),
    ]
    assert run(plan(data, "ranker"), file, asked=asked).rows == rows
    assert len(asked.asks) == 1
    assert list(panels(rows)) == [("sv_x", "GAUC like")]


def test_without_a_log_nothing_is_put_in_order(tmp_path):
    ask = Ask(folder=str(cf_set(tmp_path / "sv_y")), model="ranker", seed=1)
    assert answer(ask) == {"left_out": "ranker orders impressions, and sv_y has no log of any"}


def test_finished_rows_are_not_run_again(folder, tmp_path):
    file, first, second = tmp_path / "rows.json", Answering(), Answering()
    once = run(plan(folder, "popularity"), file, asked=first).rows
    again = run(plan(folder, "popularity", "item_knn"), file, asked=second).rows
    assert again[:4] == once
    assert [ask.model for ask in second.asks] == ["item_knn"]
    assert orjson.loads(file.read_bytes()) == again


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 2},
        {"people": 2},
        {"has_folds": False},
        {"parameters": {"popularity": {"n_listed": 9}}},
    ],
)
def test_rows_of_another_run_are_run_again(folder, tmp_path, other):
    file, asked = tmp_path / "rows.json", Answering()
    run(plan(folder, "popularity"), file, asked=asked)
    run(plan(folder, "popularity", **other), file, asked=asked)
    assert len(asked.asks) == 2
    assert len(orjson.loads(file.read_bytes())) == 4


def test_failures_are_run_again(folder, tmp_path):
    file = tmp_path / "rows.json"
    run(plan(folder, "popularity"), file, asked=Answering(popularity={"failed": "killed"}))
    assert run(plan(folder, "popularity"), file, asked=Answering()).failures == []
    assert [row["failed"] for row in orjson.loads(file.read_bytes())] == [None] * 4


def test_another_set_under_the_same_name_is_another_version(tmp_path):
    one, other = cf_set(tmp_path / "cf_one"), session_set(tmp_path / "cf_other")
    assert version(one) != version(other)


def test_a_child_says_what_it_took(folder, tmp_path):
    rows = bench("--data", folder, "--models", "popularity", "--json", tmp_path / "rows.json")
    found = orjson.loads((tmp_path / "rows.json").read_bytes())
    assert "cf_never_seen" in rows
    assert "zh_words skipped" in rows
    assert 20 < found[0]["peak_mb"] < 2_000
    assert found[0]["failed"] is None


def test_a_child_that_takes_too_long_has_failed(folder):
    report = run(plan(folder, "popularity", limit_s=0.01))
    assert report.failures == ["cf_never_seen: popularity failed: not done after 0.01 s"]


def test_a_child_that_dies_says_why(folder):
    report = run(plan(folder, "item_knn", parameters={"item_knn": {"neighbours": 3}}))
    assert "exit code 1: TypeError" in report.failures[0]
    assert "neighbours" in report.failures[0]


def test_a_broken_set_makes_the_exit_code_1(folder):
    written(folder / "cf_a_broken", train={"what": [1]})
    said = bench("--data", folder, "--models", "popularity", "--sets", "cf_a_broken", code=1)
    assert "cf_a_broken is broken" in said


def test_options_of_many_names_take_them_either_way(folder):
    cf_set(folder / "cf_other")
    said = bench("--data", folder, "--sets", "zh_words", "cf_gone", "--models", "als", code=2)
    assert "got 'cf_gone'; allowed: cf_never_seen, cf_other, zh_words" in said
    said = bench("--data", folder, "--models", "als", "--models", "als2", "--sets", "x", code=2)
    assert "got" in said


def test_an_unknown_model_is_refused(folder):
    said = bench("--data", folder, "--models", "als", "gone", code=2)
    assert "got 'gone'; allowed: popularity, " in said


def test_a_plot_of_a_strange_name_is_refused_at_once(folder):
    with pytest.raises(ConfigError, match=r"got 'bars.doc'; allowed: .* in .png or .svg"):
        bench("--data", folder, "--plot", "bars.doc")


def test_hyperparameters_come_from_a_configuration(tmp_path):
    file = tmp_path / "tuned.toml"
    file.write_text("[models.als]\nfactors = 8\n[models.popular]\nn_listed = 30\n")
    found = parameters_of(file)
    assert found["als"] == {"factors": 8}
    assert found["popularity"] == {"n_listed": 30}
    file.write_text("[models.popularity]\nn_listed = 31\n")
    assert parameters_of(file)["popularity"] == {"n_listed": 31}


@pytest.mark.parametrize("said", ["[models.als]\nfactor = 8", "[models"])
def test_a_wrong_configuration_is_refused(tmp_path, said):
    file = tmp_path / "wrong.toml"
    file.write_text(said)
    with pytest.raises(ConfigError):
        parameters_of(file)


def test_an_ask_travels_as_it_is():
    ask = Ask(folder="cf_x", model="als", parameters={"factors": 3}, seed=4)
    assert Ask.read(ask.plain()) == ask


def test_the_best_figures_known_name_their_source():
    for name, metrics in published().items():
        assert name.partition("_")[0] in PROTOCOLS
        for metric, best in metrics.items():
            assert best.keys() == {"value", "by", "source"}
            assert 0 < best["value"] < 1
            assert "@" in metric


def row(metric, model="als", **more):
    said = {"set": "cf_x", "model": model, "form": "dense", "metric": metric, "value": 0.5}
    return said | {"low": 0.4, "high": 0.6, "published": None, "published_by": None} | more


def test_pictures_are_of_the_first_metric_and_its_parts():
    rows = [row("HR@10"), row("NDCG@10"), row("HR@10 new"), row("HR@10", "failed", value=None)]
    assert list(panels(rows)) == [("cf_x", "HR@10"), ("cf_x", "HR@10 new")]


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_plot_is_drawn(tmp_path, ending):
    best = {"published": 0.7, "published_by": "somebody"}
    rows = [row("HR@10"), row("HR@10", form="served", low=None), row("HR@10", "knn", **best)]
    plot(rows, tmp_path / f"bars.{ending}")
    assert os.path.getsize(tmp_path / f"bars.{ending}") > 1_000


def test_nothing_to_draw_is_an_empty_picture(tmp_path):
    plot([], tmp_path / "bars.png")
    assert (tmp_path / "bars.png").exists()


@pytest.mark.parametrize(("name", "line"), [(name, line) for name, (_, line) in BENCH.items()])
def test_the_line_of_each_benchmark_is_its_own(name, line):
    said = CliRunner(env={"COLUMNS": "200"}).invoke(
        command_line("bench", name), ["bench", name, "--help"]
    )
    assert line.rstrip(".") in " ".join(said.output.split())
