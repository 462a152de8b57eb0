"""The closed table of models: what a configuration may name."""

from recsys.errors import UnknownModel
from recsys.models.aligned_tags import AlignedTags
from recsys.models.als import ALS
from recsys.models.base import Model
from recsys.models.baskets import Baskets
from recsys.models.cards import Cards
from recsys.models.choices import Choices
from recsys.models.creators import Creators
from recsys.models.crossing import Crossing
from recsys.models.ease import EASE
from recsys.models.finished import Finished
from recsys.models.graph import Graph
from recsys.models.ials import IALS
from recsys.models.item_knn import ItemKNN
from recsys.models.local_ease import LocalEASE
from recsys.models.newness import Newness
from recsys.models.next_basket import NextBasket
from recsys.models.popularity import Popularity
from recsys.models.spectral import Spectral
from recsys.models.tags import TagProfile
from recsys.models.transitions import Transitions
from recsys.models.trend import TasteTrend, Trend

MODELS: dict[str, type[Model]] = {
    "popularity": Popularity,
    "item_knn": ItemKNN,
    "als": ALS,
    "ials": IALS,
    "ease": EASE,
    "local_ease": LocalEASE,
    "graph": Graph,
    "spectral": Spectral,
    "tags": TagProfile,
    "aligned_tags": AlignedTags,
    "newness": Newness,
    "trend": Trend,
    "taste_trend": TasteTrend,
    "cards": Cards,
    "creators": Creators,
    "choices": Choices,
    "finished": Finished,
    "crossing": Crossing,
    "baskets": Baskets,
    "next_basket": NextBasket,
    "transitions": Transitions,
}


def model_named(name: str) -> type[Model]:
    """The class of a model; UnknownModel if the table does not hold the name."""
    if name not in MODELS:
        raise UnknownModel(f"there is no model {name!r}; allowed: {', '.join(MODELS)}")
    return MODELS[name]
