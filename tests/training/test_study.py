import builtins
import sqlite3

import numpy as np
import pytest

from recsys.errors import ConfigError
from training.space import Choice, Knob, Range
from training.study import Study, Trial, alone, discard, drawn, optuna

KNOBS = [
    Knob(path=("a", "log"), block="a", value=1.0, allowed=Range(low=0.01, high=100, is_log=True)),
    Knob(path=("a", "whole"), block="a", value=4, allowed=Range(low=1, high=9, is_whole=True)),
    Knob(path=("a", "word"), block="a", value="one", allowed=Choice(words=("one", "two"))),
]
BASIS = {"data version": 3, "search space": ["a", "b"]}


def trial(number, error=""):
    value = float("nan") if error else number / 7
    return Trial(
        params={"a.log": 0.5 + number, "a.whole": 1 + number % 9, "a.word": "two"},
        block="a" if number else "",
        value=value,
        gain=value,
        values=np.array([] if error else [value, 1 / 3]),
        seconds=0.25,
        error=error,
    )


def opened(tmp_path, basis=BASIS, **more):
    return Study.opened(tmp_path / "tune.db", basis, **more)


def test_trials_survive_bit_for_bit(tmp_path):
    study = opened(tmp_path)
    for one in (trial(0), trial(1), trial(2, "ValueError: too large")):
        study.add(one, KNOBS)
    again = opened(tmp_path)
    assert repr(again.trials) == repr(study.trials)
    assert [one.error for one in again.trials] == ["", "", "ValueError: too large"]
    assert np.isnan(again.trials[2].value)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [("data version", 4, "it has 3, now there is 4"), ("search space", ["a"], "now there is")],
)
def test_study_of_something_else_is_refused_and_kept(tmp_path, name, value, told):
    opened(tmp_path).add(trial(0), KNOBS)
    with pytest.raises(ConfigError, match=f"is a study of another {name}: .*{told}.*--fresh"):
        opened(tmp_path, BASIS | {name: value})
    assert len(opened(tmp_path).trials) == 1


def test_discarded_study_is_gone(tmp_path):
    discard(tmp_path / "tune.db")
    opened(tmp_path).add(trial(0), KNOBS)
    discard(tmp_path / "tune.db")
    assert opened(tmp_path, BASIS | {"data version": 4}).trials == []


def test_studies_of_one_file_do_not_mix(tmp_path):
    opened(tmp_path, name="als").add(trial(0), KNOBS)
    assert opened(tmp_path, BASIS | {"data version": 4}, name="tags").trials == []
    assert len(opened(tmp_path, name="als").trials) == 1


def test_file_that_is_no_database_is_refused_until_it_may_be_thrown_away(tmp_path):
    (tmp_path / "tune.db").write_text("notes on tuning, " * 100)
    with pytest.raises(ConfigError, match=r"tune\.db is no study: .*--fresh"):
        opened(tmp_path)
    discard(tmp_path / "tune.db")
    assert opened(tmp_path).trials == []


def test_killed_while_writing_leaves_whole_trials(tmp_path):
    opened(tmp_path).add(trial(0), KNOBS)
    with sqlite3.connect(tmp_path / "tune.db") as half_done:
        half_done.execute("delete from trial_values")
        half_done.rollback()
    half_done.close()
    assert len(opened(tmp_path).trials) == 1


def test_two_at_a_time_are_refused(tmp_path):
    path = tmp_path / "tune.db"
    with alone(path), pytest.raises(ConfigError, match="in use by another"), alone(path):
        pass
    with alone(path):
        pass


def test_without_optuna_the_extra_is_named(monkeypatch):
    known = builtins.__import__

    def missing(name, *rest):
        if name == "optuna":
            raise ImportError(name)
        return known(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ConfigError, match=r"pip install 'dapei\[tune\]'"):
        optuna()


def test_same_seed_draws_the_same_and_inside_the_range():
    one, two, other = (drawn(KNOBS, [], seed) for seed in (1, 1, 2))
    assert one == two != other
    assert 0.01 <= one["a.log"] <= 100
    assert isinstance(one["a.whole"], int)
    assert one["a.word"] in ("one", "two")


def test_draws_gather_where_much_was_gained():
    rng = np.random.default_rng(1)
    tried = []
    for _ in range(40):
        params = {
            "a.log": float(10 ** rng.uniform(-2, 2)),
            "a.whole": int(rng.integers(1, 10)),
            "a.word": str(rng.choice(["one", "two"])),
        }
        tried.append((params, -abs(np.log10(params["a.log"]) - 1)))
    logs = [np.log10(drawn(KNOBS, tried, seed)["a.log"]) for seed in range(30)]
    assert 0.5 < np.median(logs) < 1.5


def test_importance_is_of_what_moves_the_value(tmp_path):
    study, rng = opened(tmp_path), np.random.default_rng(1)
    assert study.importances() == {}
    for number in range(25):
        params = {"a.log": float(10 ** rng.uniform(-2, 2)), "a.whole": 1 + number % 9}
        value = float(np.log10(params["a.log"]))
        said = {"params": params | {"a.word": "one"}, "value": value, "gain": value}
        study.add(Trial(block="a", values=np.array([value]), seconds=0.0, **said), KNOBS)
    found = study.importances()
    assert found["a.log"] > 0.8
    assert sum(found.values()) == pytest.approx(1)
