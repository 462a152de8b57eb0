"""`dapei bench training`: its worlds, its steps, its ratios, and what it says when it cannot."""

import numpy as np
import orjson
import polars as pl
import pytest
from typer.testing import CliRunner

from dapei import command_line
from recsys.catalog import Kind
from recsys.errors import RecsysError
from recsys.events import EventType
from tests.training.small_sets import cf_set
from training import bench_training
from training.bench_own import compare, grow
from training.bench_peers import of_implicit
from training.bench_plot import plot_growth
from training.bench_synthetic import pairs, world
from training.bench_training import (
    NotInstalled,
    Sizes,
    _compared,
    exponent,
    kinds,
    pairs_of,
    throw_away,
)
from training.config import TrainConfig

SMALL = {"als": {"factors": 4, "iterations": 2, "seed": 1}, "item_knn": {"n_neighbours": 5}}


def test_a_drawn_world_is_sound():
    drawn = world(5_000, 1_000, seed=1)
    events = drawn.histories.events
    is_video = drawn.catalog.kind[events.item] == Kind.VIDEO
    watched = np.isin(events.type, (EventType.PLAY, EventType.LIKE))
    assert len(events) == 5_000
    assert np.array_equal(is_video, watched)
    assert len(drawn.histories) == 100
    assert drawn.until_ms == events.at_ms.max()
    for person in range(3):
        assert (np.diff(drawn.histories.of_person(person).at_ms) >= 0).all()


def test_a_drawn_world_is_the_same_for_its_seed():
    one, same, other = (world(2_000, 1_000, seed).histories.events.item for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_people_of_a_taste_share_items():
    persons, items = pairs(20_000, 2_000, seed=1)
    tastes = persons % 4
    share = np.mean(items % 4 == tastes)
    assert share > bench_share_of_chance()


def bench_share_of_chance():
    """What two independent draws of four tastes would have in common."""
    return 0.25 + 0.3


def test_pairs_are_distinct_or_those_of_a_set(tmp_path):
    file = tmp_path / "pairs.parquet"
    n_pairs = pairs_of(None, 3_000, 500, file)
    frame = pl.read_parquet(file)
    assert n_pairs == len(frame) == len(frame.unique())
    assert pairs_of(cf_set(tmp_path / "cf_x"), 0, 0, file) == 5
    assert pl.read_parquet(file).rows() == [(0, 0), (0, 1), (1, 0), (2, 0), (2, 2)]


@pytest.mark.filterwarnings("ignore:Method expects CSR input")
def test_every_library_does_the_same_steps(tmp_path):
    file = tmp_path / "pairs.parquet"
    pairs_of(None, 2_000, 500, file)
    ours, theirs = compare(file, SMALL, 5), of_implicit(str(file), SMALL, 5)
    steps = ["load", "als fit", "als recommend", "item_knn fit", "item_knn recommend"]
    assert list(ours) == list(theirs) == steps
    assert all(second > 0 for second in (*ours.values(), *theirs.values()))


def test_models_are_compared_at_the_size_they_ship_with():
    assert kinds()["als"].keys() == {"factors", "iterations", "seed"}
    assert kinds()["item_knn"].keys() == {"n_neighbours"}


def test_growth_learns_every_model_that_a_shop_serves_with():
    assert list(grow(2_000, 1_000, seed=1)) == ["rows", *TrainConfig().used_models]


def test_each_world_has_twice_the_acts_of_the_one_before():
    sizes = Sizes(up_to=8_000, items=10).events()
    assert sizes == [500, 1_000, 2_000, 4_000, 8_000]


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_power_of_growth_is_found(power):
    rows = [{"events": n, "total_s": 1e-4 * n**power} for n in (10_000, 20_000, 40_000)]
    assert exponent(rows) == pytest.approx(power)


def test_ratios_are_within_a_round():
    def turn(ours, theirs):
        return {
            "dapei": {"seconds": {"load": ours}, "peak_mb": 3},
            "implicit": {"seconds": {"load": theirs}, "peak_mb": 4},
        }

    own, other = _compared([turn(1.0, 2.0), turn(10.0, 30.0), turn(2.0, 2.0)])
    assert (own["seconds"], own["times_ours"], own["peak_mb"]) == (2.0, 1.0, 3)
    assert (other["seconds"], other["times_ours"]) == (2.0, 2.0)
    assert other["rounds"] == [2.0, 30.0, 2.0]


def test_what_cannot_be_installed_is_told(monkeypatch):
    monkeypatch.setattr(bench_training, "REQUIREMENTS", ("./no-such-package",))
    told = pytest.raises(NotInstalled, match=r"could not be installed, got .*; needed: a package")
    with told, throw_away():
        pass


def test_a_child_that_dies_is_told():
    with pytest.raises(RecsysError, match="training.bench_own died: KeyError"):
        bench_training._answer(
            [bench_training.sys.executable, "-m", "training.bench_own"], orjson.dumps({})
        )


def bench(*words):
    words = ["bench", "training", *(str(word) for word in words)]
    return CliRunner().invoke(command_line("bench", "training"), words)


def test_growth_alone_by_the_command(tmp_path):
    file, picture = tmp_path / "figures.json", tmp_path / "growth.svg"
    sizes = ("--up-to", 4_000, "--items", 1_000, "--rounds", 0)
    done = bench("--json", file, "--plot", picture, *sizes)
    assert done.exit_code == 0, done.output
    found = orjson.loads(file.read_bytes())
    assert [row["events"] for row in found["growth"]] == [250, 500, 1_000, 2_000, 4_000]
    assert found["compared"] == []
    assert all(row["peak_mb"] > 20 for row in found["growth"])
    assert "seconds grow with the power" in done.output
    assert picture.stat().st_size > 1_000


@pytest.mark.parametrize("words", [("--data", "."), ("--set", "cf_x")])
def test_a_set_is_named_with_its_folder(tmp_path, words):
    done = bench("--json", tmp_path / "figures.json", *words)
    assert done.exit_code == 2
    assert "allowed: both or neither" in " ".join(done.output.split())


def test_a_set_that_is_not_there_is_refused(tmp_path):
    done = bench("--json", tmp_path / "f.json", "--data", tmp_path, "--set", "cf_gone")
    assert "has no set 'cf_gone'" in str(done.exception)


def test_growth_is_drawn(tmp_path):
    seconds = {"rows": 0.0, "als": 1.5}
    rows = [
        {"events": n, "items": 9, "seconds": seconds, "total_s": 1.5, "peak_mb": 100}
        for n in (10, 20)
    ]
    plot_growth(rows, 1.0, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 1_000
