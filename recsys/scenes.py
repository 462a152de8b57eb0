"""The places that show a list, and what each wants when the caller does not say."""

from dataclasses import dataclass

from recsys.catalog import Kind
from recsys.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A place that shows a list.

    Parameters
    ----------
    kinds
        What it shows.
    has_basket
        Whether its list is made for the items of an order.
    """

    name: str
    kinds: tuple[Kind, ...] = (Kind.VIDEO, Kind.PRODUCT)
    has_basket: bool = False


SCENES: dict[str, Scene] = {
    scene.name: scene
    for scene in (Scene(name="home"), Scene(name="post_checkout", has_basket=True))
}


def scene_named(name: str) -> Scene:
    """The scene of this name.

    Raises
    ------
    InvalidInput
        There is none.
    """
    if name not in SCENES:
        raise InvalidInput(f"scene is unknown, got {name!r:.80}; allowed: {', '.join(SCENES)}")
    return SCENES[name]
