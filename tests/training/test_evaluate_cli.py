import json

import pytest
from typer.testing import CliRunner

from dapei import command_line
from recsys.errors import BundleError, ConfigError
from recsys.pointer import bundle_ids
from tests.training.planted_home import N_DAYS, events, planted_home, record_events
from training.cycle import collect

QUICK = """
[train]
holdout_days = 5
[models.als]
factors = 8
iterations = 2
"""
POPULAR_ONLY = "".join(
    f"[pipelines.home.sources.{name}]\nweight = 0\n"
    for name in ("als", "item_knn", "tags", "cards", "newness", "transitions")
)
ASKED = ("--scene", "home", "--kinds", "product", "--k", 5, "--people", 60, "--all-targets")


def run(*words, code=0):
    """What the command says, on either stream."""
    result = CliRunner().invoke(command_line(words[0]), [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The planted home with a bundle of popularity alone and one of everything."""
    home = planted_home(tmp_path_factory.mktemp("evaluate_cli") / "home")
    home.config_path.write_text(QUICK + POPULAR_ONLY)
    run("train", "--home", home.root, "--no-evaluate")
    home.config_path.write_text(QUICK)
    run("train", "--home", home.root, "--no-evaluate")
    return home


@pytest.fixture(scope="module")
def grown(home):
    """The same some days later."""
    record_events(home, events(0, N_DAYS + 6))
    collect(home)
    return home


@pytest.fixture
def popular(tmp_path):
    """A configuration of popularity alone."""
    (tmp_path / "popular.toml").write_text(QUICK + POPULAR_ONLY)
    return tmp_path / "popular.toml"


def test_bundles_without_later_events_are_refused(home):
    with pytest.raises(ConfigError, match="no event comes after 2026-03-30.*bundles older than"):
        run("evaluate", "--home", home.root, "--against", bundle_ids(home.bundles)[0], *ASKED)


def test_two_configurations_are_compared_on_one_split(home, popular, tmp_path):
    said = run(
        "evaluate", "--home", home.root, *ASKED, "--against", popular,
        "--json", tmp_path / "figures.json", "--report", tmp_path / "report.html",
    )  # fmt: skip
    assert "home, product: better; ndcg@5 +" in " ".join(said.split())
    (answers,) = json.loads((tmp_path / "figures.json").read_text())["answers"]
    (judged,) = [one for one in answers["comparisons"] if "verdict" in one]
    assert (judged["metric"], judged["k"], judged["verdict"]) == ("ndcg", 5, "better")
    assert "更好" in (tmp_path / "report.html").read_text()


def test_worse_is_an_error_only_if_asked_to_be(home, popular, tmp_path):
    (tmp_path / "full.toml").write_text(QUICK)
    words = ("--home", home.root, *ASKED, "--config", popular, "--against", tmp_path / "full.toml")
    assert "worse; ndcg@5 -" in " ".join(run("evaluate", *words).split())
    run("evaluate", *words, "--fail-if-worse", code=3)
    same = ("--home", home.root, *ASKED, "--config", popular, "--against", popular)
    assert "cannot tell" in run("evaluate", *same, "--fail-if-worse")


def test_ablation_is_shown(home):
    said = run("evaluate", "--home", home.root, *ASKED, "--ablate")
    assert "without item_knn" in said
    assert "cards alone" in said


def test_two_bundles_are_asked_about_what_came_after_both(grown):
    first, second = bundle_ids(grown.bundles)[:2]
    said = " ".join(run("evaluate", "--home", grown.root, *ASKED, "--against", first).split())
    assert f"bundle {second} against {first}, asked about" in said
    assert "better; ndcg@5 +" in said
    turned = ("--bundle", first, "--against", second, "--fail-if-worse")
    assert "worse; ndcg@5 -" in run("evaluate", "--home", grown.root, *ASKED, *turned, code=3)


def test_one_bundle_is_asked_alone(grown, tmp_path):
    first = bundle_ids(grown.bundles)[0]
    file = tmp_path / "figures.json"
    said = run("evaluate", "--home", grown.root, *ASKED, "--bundle", first, "--json", file)
    assert f"bundle {first}, asked about" in " ".join(said.split())
    found = json.loads(file.read_text())
    assert found["split"]["bundles"] == [first]
    asked = {"bought_together", "cards", "item_knn", "next_basket", "tags"}
    assert asked <= set(found["served_recall"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--bundle", "x", "--against", "y.toml"), "a bundle is compared with a bundle"),
        (("--bundle", "x", "--test", "a", "b"), "not about a file"),
    ],
)
def test_options_that_do_not_go_together_are_refused(words, message, home):
    said = run("evaluate", "--home", home.root, *ASKED, *words, code=2)
    assert message in " ".join(said.replace("│", " ").split())


def test_bundle_without_another_is_refused(home, tmp_path):
    alone = planted_home(tmp_path / "home")
    alone.config_path.write_text(QUICK + POPULAR_ONLY)
    run("train", "--home", alone.root, "--no-evaluate")
    (only,) = bundle_ids(alone.bundles)
    with pytest.raises(BundleError, match=f"no bundle besides {only}"):
        run("evaluate", "--home", alone.root, *ASKED, "--against", only)
    with pytest.raises(BundleError, match="bundle-1 cannot be read"):
        run("evaluate", "--home", home.root, *ASKED, "--against", "bundle-1")


def test_configuration_that_is_not_there_is_refused(home, tmp_path):
    with pytest.raises(ConfigError, match=r"other\.toml cannot be read: No such file"):
        run("evaluate", "--home", home.root, *ASKED, "--against", tmp_path / "other.toml")


def test_help_says_what_a_verdict_is():
    said = " ".join(run("evaluate", "--help").split())
    assert "paired bootstrap over persons" in said
