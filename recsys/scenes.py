"""The places that show a list, and what each wants when the caller does not say."""

from dataclasses import dataclass
from enum import StrEnum

from recsys.catalog import Kind
from recsys.errors import InvalidInput


class About(StrEnum):
    """What a list stands beside; the value names the field of a request's context."""

    NOTHING = ""
    ORDER = "order_items"
    CART = "cart"
    ITEM = "item_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A place that shows a list.

    Parameters
    ----------
    kinds
        What it shows.
    about
        What its list stands beside: those items are the basket of the request.
    is_measured
        Whether what people did later says if its list was right, so that it can be evaluated.
    """

    name: str
    kinds: tuple[Kind, ...] = (Kind.VIDEO, Kind.PRODUCT)
    about: About = About.NOTHING
    is_measured: bool = False

    @property
    def has_basket(self) -> bool:
        """Whether its list is made for the items of an order, of a cart, or beside one item."""
        return self.about is not About.NOTHING


PRODUCTS = (Kind.PRODUCT,)
SCENES: dict[str, Scene] = {
    scene.name: scene
    for scene in (
        Scene(name="home", is_measured=True),
        Scene(name="post_checkout", about=About.ORDER, is_measured=True),
        Scene(name="video", kinds=PRODUCTS, about=About.ITEM),
        Scene(name="product", about=About.ITEM),
        Scene(name="cart", kinds=PRODUCTS, about=About.CART),
        Scene(name="live", kinds=PRODUCTS),
    )
}
MEASURED: tuple[str, ...] = tuple(name for name, scene in SCENES.items() if scene.is_measured)


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
