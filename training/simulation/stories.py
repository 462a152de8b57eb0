"""The stories a shop must be able to tell: what is measured, and what must not hold without it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from training.simulation.ground import Figures, Ground


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One story.

    Parameters
    ----------
    measures
        What the figure is, in words.
    least
        The story holds in a world if its figure is this or more, and its control is less.
    off
        What is switched off for the control, in words.
    tell
        The ground it is told on → figures.
    is_last
        Whether it changes what the shop has, so that it is told after the others.
    """

    number: int
    name: str
    measures: str
    least: float
    off: str
    tell: Callable[[Ground], Figures]
    is_last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A story in one world."""

    story: Story
    seed: int
    figures: Figures

    @property
    def holds(self) -> bool:
        """Whether it happened."""
        return self.figures.figure >= self.story.least

    @property
    def is_red(self) -> bool:
        """Whether it did not happen once its mechanism was off."""
        return self.figures.control < self.story.least

    def plain(self) -> dict[str, object]:
        """One object of JSON."""
        return {
            "story": self.story.number,
            "name": self.story.name,
            "world": self.seed,
            "figure": round(self.figures.figure, 4),
            "least": self.story.least,
            "holds": self.holds,
            "control": round(self.figures.control, 4),
            "control_is_red": self.is_red,
            "measures": self.story.measures,
            "off": self.story.off,
        }


# Of twenty worlds a story must hold, and its control be red, in so many.
SHARE = 0.9


def is_proved(told: Sequence[Told]) -> bool:
    """Whether one story, told in several worlds, holds in enough of them, and is red without."""
    enough = SHARE * len(told) - 1e-9
    return sum(one.holds for one in told) >= enough and sum(one.is_red for one in told) >= enough
