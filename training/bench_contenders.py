"""Who is measured on public sets: every model of the table as it ships, and blends of several."""

from functools import partial
from typing import Any

from recsys.models.base import Model, parameters
from recsys.models.table import MODELS, model_named
from training.bench_blend import Blending
from training.bench_figures import Factory
from training.bench_trial import Trial
from training.config import TrainConfig

# The bar for every other one; it is measured whatever is asked for.
ALWAYS = "popularity"
# Blends with learned weights: of the models that a shop's lists come from, and of all there are.
SHOP, ALL = "dapei", "all_blended"
# A blend of the models that need nothing but who liked what, one of them in two settings: which
# suits a set is told by its own validation.
PAIRS = "pairs_blended"
SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "spectral": ("spectral", {}),
    "spectral, lifted": (
        "spectral",
        {
            "factors": 1_000,
            "share": 1 / 30,
            "person_damping": 0.4,
            "item_damping": 0.4,
            "target_lift": 0.3,
        },
    ),
    "ials": ("ials", {}),
    "ease": ("ease", {}),
    "local": ("local_ease", {}),
    # What is liked by many or by few, near to the logarithm of how many.
    "popularity": ("popularity", {"damping": 0.9}),
}
# A blend of models that cross from one behaviour or kind to another: what is new to a person each
# of them knows by something else.
ACTS = "acts_blended"
OF_ACTS = ("crossing", "item_knn", "local_ease", "spectral", "ials", "baskets", "popularity")
# Puts impressions in order, where a set has a log of them; it makes no lists.
RANKER = "ranker"


def contenders() -> list[str]:
    """Every name there is, the bar first."""
    return [ALWAYS, *(name for name in MODELS if name != ALWAYS), SHOP, ALL, PAIRS, ACTS, RANKER]


def members(name: str) -> list[str]:
    """The models that a contender is made of, by their names in the table."""
    if name == ALL:
        return list(MODELS)
    if name == SHOP:
        return sorted({one.model for one in TrainConfig().used_models.values()})
    return list(OF_ACTS) if name == ACTS else [name]


def contender(name: str, said: dict[str, Any], seed: int) -> Factory:
    """A model before it learns; `seed` counts where the hyperparameters said name none.

    Parameters
    ----------
    said
        Hyperparameters that differ from the defaults; of a blend, by the name of each member.
    """
    if name in (SHOP, ALL, ACTS):
        makers = {one: partial(_model, one, said.get(one, {}), seed) for one in members(name)}
        return Blending(makers, seed)
    if name == PAIRS:
        makers = {
            one: partial(_model, model, set_ | said.get(one, {}), seed)
            for one, (model, set_) in SETTINGS.items()
        }
        return Blending(makers, seed)
    model_named(name)

    def new(_trial: Trial) -> Model:
        return _model(name, said, seed)

    return new


def _model(name: str, said: dict[str, Any], seed: int) -> Model:
    cls = model_named(name)
    seeded = {"seed": seed} if "seed" in parameters(cls()) else {}
    return cls(**{**seeded, **said})
