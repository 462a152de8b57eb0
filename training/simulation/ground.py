"""Where a story is told: a world by its seed, lived in only if somebody asks for it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from training.simulation.lived import Lived


class Figures(NamedTuple):
    """What a story came to in one world.

    Attributes
    ----------
    figure
        With everything as it is.
    control
        The same with the mechanism switched off.
    """

    figure: float
    control: float


@dataclass(slots=True, eq=False)
class Ground:
    """One world for all stories that are told in it.

    Parameters
    ----------
    folder
        An empty one, for the home of its shop.
    """

    seed: int
    folder: Path
    _lived: Lived | None = None

    @property
    def lived(self) -> Lived:
        """The world after its days; it is lived once."""
        if self._lived is None:
            self._lived = Lived.made(self.seed, self.folder)
        return self._lived

    def close(self) -> None:
        """Let go of its shop."""
        if self._lived is not None:
            self._lived.shop.close()


def in_lived(tell: Callable[[Lived], Figures]) -> Callable[[Ground], Figures]:
    """A story that is told of a lived world."""
    return lambda ground: tell(ground.lived)


def anew(tell: Callable[[int], Figures]) -> Callable[[Ground], Figures]:
    """A story whose worlds are lived for it alone."""
    return lambda ground: tell(ground.seed)
