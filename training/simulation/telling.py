"""Tells stories in worlds of fixed seeds, and says which of them are proved."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.table import Table

from recsys.errors import ConfigError
from training.fit import Progress, quiet
from training.simulation.at_once import at_once
from training.simulation.ground import Figures, Ground
from training.simulation.stories import Story, Told, is_proved
from training.simulation.stories_abuse import ABUSE
from training.simulation.stories_balance import BALANCE
from training.simulation.stories_buying import BUYING
from training.simulation.stories_cocoon import COCOON
from training.simulation.stories_creator import CREATOR
from training.simulation.stories_shop import SHOP
from training.simulation.stories_taste import TASTE

EVERY = (*TASTE, *BUYING, *SHOP, *CREATOR, BALANCE, COCOON, ABUSE)
STORIES: dict[int, Story] = {
    story.number: story for story in sorted(EVERY, key=lambda one: one.number)
}
# The worlds: nobody chose them.
SEEDS = tuple(range(1, 21))


class InWorld(NamedTuple):
    """Which stories are to be told in one world, by their numbers."""

    seed: int
    numbers: tuple[int, ...]


def told(
    stories: Sequence[Story],
    seeds: Sequence[int],
    progress: Progress = quiet,
    known: Sequence[Told] = (),
    jobs: int = 1,
) -> Iterator[Told]:
    """Every story in every world, world by world; what is known is not told once more.

    Parameters
    ----------
    jobs
        So many worlds at once, each in a process.
    """
    found = {(one.story.number, one.seed): one.figures for one in known}
    asked = [
        InWorld(seed, tuple(n.number for n in stories if (n.number, seed) not in found))
        for seed in seeds
    ]
    figures = at_once(figures_in, [one for one in asked if one.numbers], jobs)
    for done, world in enumerate(asked):
        progress("worlds", done, len(seeds))
        if world.numbers:
            for number, one in zip(world.numbers, next(figures), strict=True):
                found[number, world.seed] = one
        for story in stories:
            yield Told(story=story, seed=world.seed, figures=found[story.number, world.seed])
    progress("worlds", len(seeds), len(seeds))


def figures_in(world: InWorld) -> list[Figures]:
    """What stories come to in one world, in the order asked; those that change it come last."""
    with tempfile.TemporaryDirectory() as folder:
        ground = Ground(world.seed, Path(folder))
        found = {
            number: STORIES[number].tell(ground)
            for number in sorted(world.numbers, key=lambda one: STORIES[one].is_last)
        }
        ground.close()
    return [found[number] for number in world.numbers]


def known_from(file: Path) -> list[Told]:
    """What a file of `lines` tells, of stories there are; nothing if there is no file.

    Raises
    ------
    ConfigError
        It is no such file.
    """
    if not file.exists():
        return []
    try:
        said = [json.loads(line) for line in file.read_text().splitlines()]
        return [
            Told(
                story=STORIES[one["story"]],
                seed=int(one["world"]),
                figures=Figures(float(one["figure"]), float(one["control"])),
            )
            for one in said
            if one["story"] in STORIES
        ]
    except (ValueError, KeyError, TypeError) as cause:
        raise ConfigError(
            f"{file} tells no stories: {cause!r:.100}; allowed: a --json of before"
        ) from cause


def unproved(every: Sequence[Told]) -> list[Story]:
    """The stories that do not hold in enough worlds, or hold without their mechanism."""
    return [story for story in _stories(every) if not is_proved(_of(every, story))]


def table(every: Sequence[Told]) -> Table:
    """One line a story: in how many worlds it held, in how many its control was red."""
    made = Table(title="Stories of the simulated shop", title_justify="left")
    for name in ("", "story", "holds", "median", "least", "control red", "median off", ""):
        made.add_column(name)
    for story in _stories(every):
        own = _of(every, story)
        made.add_row(
            str(story.number),
            story.name,
            f"{sum(one.holds for one in own)}/{len(own)}",
            f"{_median([one.figures.figure for one in own]):.2f}",
            f"{story.least:.2f}",
            f"{sum(one.is_red for one in own)}/{len(own)}",
            f"{_median([one.figures.control for one in own]):.2f}",
            "holds" if is_proved(own) else "does not hold",
        )
    return made


def lines(every: Sequence[Told]) -> str:
    """JSON, one object a story and world, one line each."""
    return "".join(json.dumps(one.plain(), ensure_ascii=False) + "\n" for one in every)


def _stories(every: Sequence[Told]) -> list[Story]:
    return [STORIES[number] for number in sorted({one.story.number for one in every})]


def _of(every: Sequence[Told], story: Story) -> list[Told]:
    return [one for one in every if one.story is story]


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
