"""The story of balance: one world lived with content only, with commerce only, and with both."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from data.home import Home
from recsys.mix import Mix
from training.config import TrainConfig
from training.simulation.at_once import at_once
from training.simulation.figures import Totals
from training.simulation.ground import Figures, anew
from training.simulation.shopfront import Near
from training.simulation.stories import Story
from training.simulation.world import Size, World, lived

# The shop learns from what people did elsewhere before its first list, then twice more.
BEFORE_DAYS, DAYS, LEARN_EVERY = 8, 30, 15
PEOPLE = 1_000
# Of the retention of a shop that sells nothing, so much must be kept.
KEPT = 0.98


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """How much of home is for sale in one life of a world."""

    name: str
    mix: Mix


def fixed(share: float) -> Arm:
    """Always the same share of products."""
    return Arm(name=f"{share:.0%}", mix=Mix(floor=share, ceiling=share, in_row=0, exploration=0.0))


LEARNED = Arm(name="learned", mix=TrainConfig().mixes["home"])
# Without a learned share lists are half and half, as a scene is that says nothing.
CONTENT, HALF, COMMERCE = fixed(0.0), fixed(0.5), fixed(1.0)


def outcome(seed: int, arm: Arm, n_people: int = PEOPLE) -> Totals:
    """What thirty days with a share come to; the same people, tastes and luck in every arm."""
    with tempfile.TemporaryDirectory() as folder:
        world = World.drawn(seed, Size(n_people=n_people, is_small=True))
        config = TrainConfig().unscored
        config = replace(config, mixes={**config.mixes, "home": arm.mix})
        shop = Near(Home(Path(folder)), world.item_ids, config)
        lived(world, shop, BEFORE_DAYS, learn_every=BEFORE_DAYS)
        days = lived(world, shop, DAYS, learn_every=LEARN_EVERY)
        shop.close()
        return Totals.of(days, n_people)


def balance(seed: int) -> Figures:
    """The learned share against all commerce and all content; then half and half against them."""
    content, commerce = outcome(seed, CONTENT), outcome(seed, COMMERCE)
    both = (outcome(seed, LEARNED), outcome(seed, HALF))
    return Figures(*(_margin(one, content, commerce) for one in both))


def _margin(one: Totals, content: Totals, commerce: Totals) -> float:
    """The smaller of value against the better of both, and of retention against what must stay."""
    value = one.value_minor / max(content.value_minor, commerce.value_minor)
    return min(value, one.retention / (KEPT * content.retention))


class Point(NamedTuple):
    """One life for a plot: a world, and a fixed share in it."""

    seed: int
    share: float


def shares(seeds: Iterable[int], steps: int, jobs: int = 1) -> list[tuple[float, list[Totals]]]:
    """What fixed shares come to, from none to all, in several worlds: the points of the plot.

    Parameters
    ----------
    jobs
        So many lives at once, each in a process.
    """
    chosen = list(seeds)
    points = [Point(seed, step / steps) for step in range(steps + 1) for seed in chosen]
    totals = iter(at_once(life, points, jobs))
    return [(step / steps, [next(totals) for _ in chosen]) for step in range(steps + 1)]


def life(point: Point) -> Totals:
    """What thirty days with a fixed share come to in one world."""
    return outcome(point.seed, fixed(point.share))


BALANCE = Story(
    number=9,
    name="Balance",
    measures="smaller of: value against the better of all commerce and all content; retention "
    "against 98 % of all content's",
    least=1.0,
    off="the share is not learned but one half",
    tell=anew(balance),
)
