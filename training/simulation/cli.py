"""`dapei simulate`: people of known tastes in a shop that is real, or the stories it must hold."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from data.home import Home
from recsys.errors import ConfigError
from recsys.files import write_atomic
from training.bench_plot import check_drawable
from training.simulation.balance_plot import draw
from training.simulation.figures import Day, Totals
from training.simulation.over_http import Far
from training.simulation.shopfront import Near, Shopfront
from training.simulation.stories import Told
from training.simulation.stories_balance import shares
from training.simulation.telling import SEEDS, STORIES, known_from, lines, table, told, unproved
from training.simulation.world import Size, World, lived
from training.terminal import ConfigOption, bars, complain, configured, stoppable

app = typer.Typer(no_args_is_help=True)
ALL_WORLDS = len(SEEDS)
# Shares of a plot: none, all, and so many steps from one to the other.
STEPS = 5

HomeOption = Annotated[
    Path | None, typer.Option(envvar="DAPEI_HOME", help="Folder of the new shop; it must be empty.")
]
DaysOption = Annotated[int, typer.Option(min=1, help="Days the people live.")]
SeedOption = Annotated[int, typer.Option(min=0, help="The same seed gives the same world.")]
PeopleOption = Annotated[int, typer.Option(min=1, help="How many people.")]
LearnOption = Annotated[int, typer.Option(min=1, help="Days from one bundle to the next.")]
StoriesOption = Annotated[bool, typer.Option("--stories", help="Tell the stories instead.")]
StoryOption = Annotated[
    list[int] | None, typer.Option(help="Only this story; may be said more than once.")
]
WorldsOption = Annotated[int, typer.Option(min=1, help="Worlds that stories are told in.")]
JobsOption = Annotated[
    int, typer.Option(min=1, help="So many worlds at once; each takes a core and about 1 GB.")
]
JsonOption = Annotated[
    Path | None,
    typer.Option("--json", dir_okay=False, help="Write one object a line: a story in a world."),
]


ResumeOption = Annotated[
    bool,
    typer.Option(
        "--resume", help="Take what the file of --json tells as told; it must be of the same code."
    ),
]
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url", help="Live against this service of the home, started with --simulated-clock."
    ),
]
PlotOption = Annotated[
    Path | None,
    typer.Option(
        dir_okay=False,
        help="Draw value, watch time and retention over fixed shares of commerce, in so many "
        "worlds (--worlds), instead.",
    ),
]


@app.command()
def simulate(
    home: HomeOption = None,
    days: DaysOption = 30,
    seed: SeedOption = 1,
    people: PeopleOption = 3_000,
    learn_every: LearnOption = 10,
    config: ConfigOption = None,
    url: UrlOption = None,
    stories: StoriesOption = False,
    story: StoryOption = None,
    worlds: WorldsOption = ALL_WORLDS,
    jobs: JobsOption = 1,
    json_file: JsonOption = None,
    resume: ResumeOption = False,
    plot: PlotOption = None,
) -> None:
    """Let people of known tastes live in a new shop, or tell the stories a shop must hold."""
    if worlds > ALL_WORLDS:
        raise ConfigError(f"worlds is too large, got {worlds}; allowed: up to {ALL_WORLDS}")
    with stoppable():
        if plot is not None:
            check_drawable(plot)
            draw(shares(SEEDS[:worlds], STEPS, jobs), plot)
        elif stories or story:
            tell_stories(story, worlds, json_file, resume=resume, jobs=jobs)
        elif home is None:
            raise ConfigError("simulate needs a place to live in; allowed: --home DIR or --stories")
        else:
            world = World.drawn(seed, Size(n_people=people))
            live(world, _shop(home, world, config, url), days, learn_every)


def _shop(home: Path, world: World, config: Path | None, url: str | None) -> Shopfront:
    """The shop in this process, or behind a service; in either case a new one."""
    said = configured(home, config)
    if url is not None:
        return Far(url, Home(home), said)
    if home.exists() and any(one.name != "dapei.toml" for one in home.iterdir()):
        raise ConfigError(
            f"{home} is not empty; allowed: a new folder, or one with only a dapei.toml, because a "
            "simulated shop must not be mixed with a real one"
        )
    return Near(Home(home), world.item_ids, said)


def live(world: World, shop: Shopfront, days: int, learn_every: int) -> None:
    """Days in a shop; a line a day."""
    out = Console()
    out.print("day  visitors  orders     yuan  watched min  commerce", highlight=False)
    try:
        told_days = lived(
            world, shop, days, learn_every, lambda day: out.print(_line(day), highlight=False)
        )
    finally:
        shop.close()
    out.print(_summary(Totals.of(told_days, len(world.people))), highlight=False)


def tell_stories(
    chosen: list[int] | None,
    worlds: int,
    json_file: Path | None,
    *,
    resume: bool = False,
    jobs: int = 1,
) -> None:
    """The table of stories; the exit code is 1 if one is not proved."""
    unknown = sorted(set(chosen or ()) - set(STORIES))
    if unknown:
        numbers = ", ".join(map(str, STORIES))
        raise ConfigError(f"there is no story {unknown[0]}; allowed: {numbers}")
    asked = [STORIES[number] for number in sorted(chosen or STORIES)]
    known = known_from(json_file) if resume and json_file is not None else []
    every: list[Told] = []
    with bars() as progress:
        for one in told(asked, SEEDS[:worlds], progress, known, jobs):
            every.append(one)
            if json_file is not None:
                # Told anew is what a later run may take up, whatever becomes of this one.
                write_atomic(json_file, lines([*every, *_others(known, every)]).encode())
    Console().print(table(every))
    failing = unproved(every)
    for story in failing:
        complain(
            f"story {story.number}, {story.name}: does not hold, or holds without its mechanism"
        )
    if failing:
        raise typer.Exit(1)


def _others(known: list[Told], every: list[Told]) -> list[Told]:
    told_now = {(one.story.number, one.seed) for one in every}
    return [one for one in known if (one.story.number, one.seed) not in told_now]


def _line(day: Day) -> str:
    share = day.commercial / max(1, day.examined)
    yuan, minutes = day.value_minor / 100, day.watch_s / 60
    counted = f"{day.number:3d}  {len(day.visitors):8,d}  {day.orders:6,d}"
    return f"{counted}  {yuan:7,.0f}  {minutes:11,.0f}  {share:8.0%}"


def _summary(totals: Totals) -> str:
    yuan, minutes = totals.value_minor / 100, totals.watch_s / 60
    return (
        f"a person: {yuan:,.0f} yuan, {minutes:,.1f} min watched; {totals.retention:.0%} came in "
        f"the last week; {totals.commerce:.0%} of what was looked at was for sale"
    )
