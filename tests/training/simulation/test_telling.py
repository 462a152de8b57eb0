import json

import pytest
import typer
from typer.testing import CliRunner

from training.simulation import cli, telling
from training.simulation.ground import Figures
from training.simulation.stories import Story, Told, is_proved

# Stories that hold in the first world: all but that of balance, which takes minutes.
IN_ONE_WORLD = (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14)


def story(figure: float, control: float, number: int = 1) -> Story:
    return Story(
        number=number,
        name="planted",
        measures="a share",
        least=0.5,
        off="everything",
        tell=lambda _ground: Figures(figure, control),
    )


def told(holds: int, red: int, of: int = 20) -> list[Told]:
    return [
        Told(
            story=story(0.9, 0.1),
            seed=seed,
            figures=Figures(0.9 if seed < holds else 0.4, 0.1 if seed < red else 0.6),
        )
        for seed in range(of)
    ]


@pytest.mark.parametrize(
    ("holds", "red", "proved"), [(20, 20, True), (18, 18, True), (17, 20, False), (20, 17, False)]
)
def test_a_story_is_proved_by_eighteen_worlds_of_twenty_with_red_controls(holds, red, proved):
    assert is_proved(told(holds, red)) is proved


@pytest.fixture
def planted(monkeypatch):
    """Two stories instead of the real ones: the second holds without its mechanism as well."""
    stories = {1: story(0.9, 0.1), 2: story(0.9, 0.9, number=2)}
    monkeypatch.setattr(telling, "STORIES", stories)
    monkeypatch.setattr(cli, "STORIES", stories)
    app = typer.Typer()
    app.command()(cli.simulate)
    return app


def test_the_command_ends_well_when_its_stories_hold(planted, tmp_path):
    file = tmp_path / "stories.json"
    done = CliRunner().invoke(planted, ["--story", "1", "--worlds", "3", "--json", str(file)])
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(row["story"], row["world"], row["holds"]) for row in rows] == [
        (1, 1, True),
        (1, 2, True),
        (1, 3, True),
    ]


def test_a_run_takes_up_what_another_told(planted, tmp_path):
    file, asked = tmp_path / "stories.json", ["--story", "1", "--worlds", "3"]
    before = [Told(story=story(0.9, 0.1, n), seed=2, figures=Figures(0.7, 0.2)) for n in (1, 2)]
    file.write_text(telling.lines(before))
    done = CliRunner().invoke(planted, [*asked, "--json", str(file), "--resume"])
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    figures = {(row["story"], row["world"]): row["figure"] for row in rows}
    # What was asked for is told anew only where it was not told; other stories stay told.
    assert figures == {(1, 1): 0.9, (1, 2): 0.7, (1, 3): 0.9, (2, 2): 0.7}
    CliRunner().invoke(planted, [*asked, "--json", str(file)])
    assert [json.loads(line)["figure"] for line in file.read_text().splitlines()] == [0.9] * 3


def test_a_file_that_tells_no_stories_is_refused(planted, tmp_path):
    file = tmp_path / "stories.json"
    file.write_text("[1]\n")
    done = CliRunner().invoke(planted, ["--story", "1", "--json", str(file), "--resume"])
    assert "tells no stories" in str(done.exception)


def test_the_command_ends_badly_when_one_holds_without_its_mechanism(planted):
    done = CliRunner().invoke(planted, ["--stories", "--worlds", "2"])
    assert done.exit_code == 1
    assert "story 2, planted" in done.output


def test_an_unknown_story_is_refused(planted):
    done = CliRunner().invoke(planted, ["--story", "99"])
    assert "there is no story 99; allowed: 1, 2" in str(done.exception)


def test_a_shop_that_is_not_empty_is_left_alone(planted, tmp_path):
    (tmp_path / "record.db").write_bytes(b"")
    done = CliRunner().invoke(planted, ["--home", str(tmp_path)])
    assert "is not empty" in str(done.exception)


def test_a_home_is_needed_to_live_in(planted):
    done = CliRunner().invoke(planted, ["--days", "1"])
    assert "allowed: --home DIR or --stories" in str(done.exception)


def test_every_story_has_a_number_of_its_own():
    assert list(telling.STORIES) == sorted(telling.STORIES)
    assert all(number == one.number for number, one in telling.STORIES.items())


@pytest.mark.nightly
def test_stories_hold_in_a_world_and_their_controls_are_red():
    stories = [telling.STORIES[number] for number in IN_ONE_WORLD]
    for one in telling.told(stories, [1]):
        assert one.holds, one.plain()
        assert one.is_red, one.plain()


@pytest.mark.nightly
def test_worlds_told_at_once_are_those_told_one_after_the_other():
    stories = [telling.STORIES[number] for number in (4, 13)]
    one, many = (
        [each.plain() for each in telling.told(stories, [1, 2], jobs=jobs)] for jobs in (1, 2)
    )
    assert one == many
