from dataclasses import replace

import numpy as np
import pytest

from recsys.errors import ConfigError
from tests.training.planted_tuning import Hill, hill_knobs, shop_of
from training.config import train_config
from training.shop import load
from training.space import Choice, Knob, Range
from training.study import Study
from training.tune import MIN_FIRST, best_of, blocks, near, tune
from training.validation import Aim, Validation

N = 40


def searched(task, path, n=N, seed=1):
    study = Study.opened(path, {})
    return tune(task, study, n, seed=seed)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return searched(Hill(), tmp_path_factory.mktemp("hill") / "tune.db")


def value_of(found, name):
    return next(one for one in found.learned if one.knob.name == name)


def test_first_trial_is_the_configuration_as_it_is(found):
    assert found.trials[0].params == {knob.name: knob.value for knob in hill_knobs()}
    assert found.searched.default.mean == pytest.approx(found.trials[0].value)


def test_what_matters_is_found_and_what_does_not_is_told(found):
    assert 4 < value_of(found, "lists.near").best < 25
    assert value_of(found, "lists.near").importance > value_of(found, "lists.idle").importance
    assert found.learned[0].knob.name == "lists.near"
    idle = value_of(found, "lists.idle").as_good
    assert idle == tuple(sorted(idle))
    assert idle[-1] - idle[0] > 0.3


def test_result_is_never_worse_on_whom_was_searched_with(found):
    assert found.searched.gain.mean > 0
    assert found.searched.verdict == "better"
    assert found.apart.verdict == "better"
    assert (found.searched.gain.n, found.apart.gain.n) == (120, 40)
    assert found.best == best_of(found.trials)
    assert found.turned[("lists", "near")] == found.trials[found.best].params["lists.near"]


def test_one_block_is_turned_at_a_time(found):
    for number in range(1, N):
        best = found.trials[best_of(found.trials[:number])].params
        trial = found.trials[number]
        changed = {name for name in best if best[name] != trial.params[name]}
        assert changed <= {k.name for k in hill_knobs() if k.block == trial.block}


def test_trial_much_worse_asks_a_first_part_only(found):
    lengths = {len(trial.values) for trial in found.trials if not trial.error}
    assert lengths == {MIN_FIRST, 120}
    early = [trial for trial in found.trials if len(trial.values) == MIN_FIRST]
    assert all(trial.gain < 0 for trial in early)


def test_trial_that_fails_is_told_and_the_search_goes_on(found):
    failed = [trial for trial in found.trials if trial.error]
    assert failed
    assert failed[0].error == "ConfigError: size is too large"
    assert failed[0].params["models.a.size"] > 50
    assert len(found.trials) == N


def test_search_that_was_stopped_makes_the_same_trials(found, tmp_path):
    for n in (1, 7, 20):
        searched(Hill(), tmp_path / "tune.db", n)
    again = searched(Hill(), tmp_path / "tune.db", 25)
    ours, theirs = ([t.params for t in one.trials[:25]] for one in (again, found))
    assert ours == theirs
    assert [t.gain for t in again.trials] == pytest.approx(
        [t.gain for t in found.trials[:25]], nan_ok=True
    )


def test_search_that_is_through_learns_only_to_confirm(tmp_path):
    searched(Hill(), tmp_path / "tune.db", 5)
    task = Hill()
    assert len(searched(task, tmp_path / "tune.db", 3).trials) == 5
    assert task.n_learned == 2


def test_other_seed_searches_elsewhere(found, tmp_path):
    other = searched(Hill(), tmp_path / "tune.db", 4, seed=2)
    assert other.trials[1].params != found.trials[1].params


def test_nothing_to_turn_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="nothing can be tuned"):
        searched(Hill(knobs=()), tmp_path / "tune.db")


def test_configuration_that_does_not_work_as_it_is_is_an_error(tmp_path):
    knobs = hill_knobs()
    knobs[2] = replace(knobs[2], value=60)
    with pytest.raises(ConfigError, match="size is too large"):
        searched(Hill(knobs=knobs), tmp_path / "tune.db")
    assert Study.opened(tmp_path / "tune.db", {}).trials == []


def test_mistake_in_the_code_is_no_failed_trial(tmp_path, monkeypatch):
    searched(Hill(), tmp_path / "tune.db", 1)
    monkeypatch.setattr(Hill, "answering", lambda *_: None)
    with pytest.raises(TypeError):
        searched(Hill(), tmp_path / "tune.db", 2)


def test_near_means_some_knobs_turned_a_little():
    rng, knobs = np.random.default_rng(1), hill_knobs()
    best = {knob.name: knob.value for knob in knobs}
    drawn = [near(knobs[:2], best, rng) for _ in range(200)]
    assert all(one != best for one in drawn)
    assert all(one["models.a.size"] == 16 for one in drawn)
    logs = np.log10([one["lists.near"] for one in drawn])
    assert 0.2 < np.mean(logs != 0) < 0.8
    assert 0.6 < np.std(logs[logs != 0]) < 1.0


@pytest.mark.parametrize(
    ("allowed", "value", "others"),
    [
        (Choice(words=("a", "b")), "a", {"b"}),
        (Choice(words=("a",)), "a", {"a"}),
        (Range(low=1, high=3, is_log=True, is_whole=True), 3, {2}),
        (Range(low=1, high=2, is_whole=True), 1, {2}),
    ],
)
def test_near_is_another_value_where_there_is_one(allowed, value, others):
    knob, rng = Knob(path=("a",), block="a", value=value, allowed=allowed), np.random.default_rng(1)
    assert {near([knob], {"a": value}, rng)["a"] for _ in range(60)} == others


def test_block_that_needs_no_learning_comes_every_second_time():
    knobs = hill_knobs()
    other = replace(knobs[2], block="models.b")
    assert blocks([*knobs, other]) == ["lists", "models.a", "lists", "models.b"]
    assert blocks(knobs[:1]) == ["lists"]
    assert blocks(knobs[2:]) == ["models.a"]


SMALL = {
    "train": {"holdout_days": 3},
    "models": {"item_knn": {"n_neighbours": 30}},
    "pipelines": {
        "home": {
            "sources": {name: {"weight": 0} for name in ("als", "cards", "newness", "transitions")}
        }
    },
}


def task_of(home, tables):
    config = train_config({**SMALL, **tables})
    return Validation.of(load(home), config, Aim(people=0, k=10))


def test_source_of_noise_loses_its_weight(tmp_path):
    home = shop_of(tmp_path / "home", taste=lambda p, _: p % 2, tag=lambda n: f"签{n // 2 % 5}")
    weights = {"tags": {"weight": 3.0}, "item_knn": {"weight": 0.3}}
    sources = SMALL["pipelines"]["home"]["sources"] | weights
    task = task_of(home, {"pipelines": {"home": {"sources": sources}}})
    found = searched(task, tmp_path / "tune.db", 20)
    weight = "pipelines.home.sources.{}.weight"
    tags, knn = (value_of(found, weight.format(name)).best for name in ("tags", "item_knn"))
    assert tags / knn < 10 / 3
    assert found.searched.verdict == "better"


def test_half_life_is_found_where_tastes_change(tmp_path):
    home = shop_of(
        tmp_path / "home", taste=lambda p, day: (p + (day >= 12)) % 2, tag=lambda n: "签"
    )
    task = task_of(home, {"train": {"holdout_days": 3, "half_life_days": 400}})
    found = searched(task, tmp_path / "tune.db", 24)
    assert value_of(found, "train.half_life_days").best < 100
    assert found.searched.verdict == "better"


def test_undated_home_is_tuned(tmp_path):
    home = shop_of(
        tmp_path / "home", taste=lambda p, _: p % 2, tag=lambda n: f"签{n % 2}", is_dated=False
    )
    found = searched(task_of(home, {}), tmp_path / "tune.db", 4)
    assert found.searched.default.mean > 0
    assert np.isfinite([trial.value for trial in found.trials]).all()
