import re
import tomllib

import pytest
from typer.testing import CliRunner

from dapei import command_line
from recsys.bundle_files import read_manifest
from recsys.catalog import Kind
from recsys.errors import BundleError
from recsys.evaluation import Answers, Question
from recsys.figures import GAIN, MAIN, PIPELINE, TARGETS, Figure
from recsys.metrics import Estimate
from recsys.pointer import bundle_ids
from recsys.signing import VerifyKey
from tests.training.planted_home import planted_home
from training.card import card, limits
from training.config import train_config
from training.release import contributions

QUICK = """
[train]
holdout_days = 5
[models.als]
factors = 8
iterations = 2
"""


def run(*words):
    result = CliRunner().invoke(command_line(words[0]), [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = planted_home(tmp_path_factory.mktemp("card") / "home")
    home.config_path.write_text(QUICK)
    run("train", "--home", home.root)
    return home


@pytest.fixture(scope="module")
def manifest(home):
    (bundle_id,) = bundle_ids(home.bundles)
    return read_manifest(home.bundles / bundle_id, VerifyKey.load(home.keys))


def test_command_prints_the_card_of_the_manifest(home, manifest):
    assert run("bundles", "card", manifest["bundle_id"], "--home", home.root) == card(manifest)
    with pytest.raises(BundleError, match="no bundle is in use yet"):
        run("bundles", "card", "--home", home.root)


def test_card_has_every_part(manifest):
    headings = re.findall(r"^## (.+)$", card(manifest), re.M)
    assert headings == [
        "Data",
        "Models",
        "Lists",
        "Figures",
        "People apart by how many events they had before",
        "Served against dense",
        "Known limits",
        "Made again",
    ]


def test_card_names_every_model_with_its_parameters_and_what_it_learned_from(manifest):
    text = card(manifest)
    for name, said in manifest["models"].items():
        row = next(
            line for line in text.splitlines() if line.startswith(f"| {name} | {said['model']}")
        )
        assert all(f"{key} {value}" in row for key, value in said["parameters"].items())
    assert "| bought_together | baskets | all acts |" in text


def test_card_names_data_scenes_and_figures_with_intervals(manifest):
    text = card(manifest)
    assert f"Events from {manifest['origin']['data_from']}" in text
    assert "60 persons; 16 products, 16 videos" in text
    assert "**home**: item_knn (item_knn of the history, weight 1)" in text
    assert re.search(r"\| ndcg over popularity \| 0\.\d{4} \(-?0\.\d{4} to 0\.\d{4}\)", text)
    assert re.search(r"\| home, product \| 5\+ \| \d+ \| 0\.", text)


def test_card_says_how_the_bundle_is_made_again(manifest):
    text = card(manifest)
    toml = re.search(r"```toml\n(.*?)```", text, re.S).group(1)
    assert train_config(tomllib.loads(toml)).models["als"].parameters == {
        "factors": 8,
        "iterations": 2,
    }
    assert "dapei train --home HOME --config config.toml" in text
    assert f"configuration {manifest['origin']['made_of']['config']}" in text


def answers(n_persons, *figures, **more):
    question = Question(scene="home", kinds=(Kind.VIDEO,), ks=(5,))
    found = Answers(question=question, n_persons=n_persons, n_strangers=0, figures=figures, **more)
    return found.plain()


def figure(contender, metric, mean, low, high):
    return Figure(contender=contender, metric=metric, k=5, estimate=Estimate(mean, low, high, 40))


OURS = figure(PIPELINE, MAIN, 0.2, 0.1, 0.3)


def limits_of(*asked, **more):
    origin = {"items": {"product": 3, "video": 2}, "data_from": None, "scorers": {}}
    figures = {"evaluation": {"answers": list(asked)}}
    said = {"origin": origin, "figures": figures}
    for part, value in more.items():
        said[part] = said[part] | value
    return " ".join(limits(said))


@pytest.mark.parametrize(
    ("asked", "limit"),
    [
        (answers(0), "home, video: nobody had a target, so nothing was measured."),
        (answers(7, OURS), "home, video: only 7 test persons, so figures are rough."),
        (
            answers(40, OURS, figure(GAIN, MAIN, 0.01, -0.1, 0.1)),
            "home, video: not shown to be better than popularity.",
        ),
        (
            answers(40, OURS, figure(TARGETS, "cold_share", 0.25, 0.2, 0.3)),
            "home, video: 25.0% of what people did was with items new to everybody.",
        ),
        (
            answers(
                40,
                OURS,
                figure(TARGETS, "cold_share", 0.25, 0.2, 0.3),
                figure(PIPELINE, "cold_hit_rate", 0.5, 0.4, 0.6),
            ),
            "new to everybody; 50.0% of those persons got one.",
        ),
        (
            answers(40, OURS, figure(PIPELINE, "popularity_lift", 0.2, 0.1, 0.3)),
            "home, video: lists are 20 percentiles more popular than what people do otherwise.",
        ),
        (
            answers(40, OURS, figure(PIPELINE, "impersonal", 0.1, 0.0, 0.2)),
            "home, video: 10.0% of the lists were not personalised.",
        ),
    ],
)
def test_limits_are_computed_from_figures(asked, limit):
    assert limit in limits_of(asked)


def test_what_is_well_is_no_limit():
    well = answers(40, OURS, figure(GAIN, MAIN, 0.1, 0.05, 0.15))
    assert "home, video" not in limits_of(well)


def test_strangers_are_a_limit():
    assert "4 of 40 test persons (10.0%) had done nothing before" in limits_of(
        answers(40, OURS) | {"strangers": 4}
    )


def test_limits_are_computed_from_data():
    said = limits_of(
        origin={
            "items": {"product": 0, "video": 2},
            "data_from": "2026-03-01T00:00:00+00:00",
            "data_until": "2026-03-15T00:00:00+00:00",
            "events_of_unknown_items": 1_234,
        }
    )
    assert "There are no products." in said
    assert "The data cover 14 days" in said
    assert "1,234 events were of items that the catalogue does not hold" in said
    assert "No event has a time" in limits_of()


def test_lost_lists_refusals_and_missing_figures_are_limits():
    said = limits_of(
        figures={
            "evaluation": {"skipped": "not asked for"},
            "served_recall": {"als": {"product": 0.5, "video": None}},
            "gate": {"refusals": ["home gives a stranger an empty list"]},
        },
        origin={"scorers": {"home": {"used": "", "note": "too few"}}},
    )
    assert "It was not measured how good its lists are: not asked for." in said
    assert "als finds 50% of its true best products when it is served." in said
    assert "als has no opinion on videos." in said
    assert "The gate refused it: home gives a stranger an empty list." in said
    assert "home: no order was learned: too few." in said


def test_card_of_a_bundle_that_was_not_measured(manifest):
    figures = {"evaluation": {"skipped": "not asked for"}}
    text = card(manifest | {"figures": figures})
    assert "Not measured: not asked for." in text
    assert "## Served against dense" not in text


def test_card_tells_why_a_scorer_was_chosen(manifest):
    gain = {"mean": 0.05, "low": 0.01, "high": 0.09, "n": 90}
    scorers = {"home": {"used": "ranker", "ndcg@20": {"ranker − rrf": gain}}}
    text = card(manifest | {"origin": manifest["origin"] | {"scorers": scorers}})
    assert "ndcg@20 on held-out people: ranker − rrf 0.0500 (0.0100 to 0.0900)." in text


def test_what_behaviours_contribute_is_told_by_models_that_know():
    class Knowing:
        def contributions(self):
            return {Kind.PRODUCT: {"view": 0.1, "cart": 0.3}}

    class Models:
        models = {"crossing": Knowing(), "popular": object()}

    found = contributions(Models())
    assert found == {"crossing": {"product": {"view": 0.1, "cart": 0.3}}}


def test_card_orders_behaviours_by_what_they_contribute(manifest):
    told = {"crossing": {"product": {"view": 0.1, "cart": 0.3}}}
    text = card(manifest | {"figures": manifest["figures"] | {"contributions": told}})
    assert "- crossing, for products: cart 0.3000, view 0.1000." in text
