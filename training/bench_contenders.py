"""Who is measured on public sets: every model of the table as it ships."""

from typing import Any

from recsys.models.base import Model, parameters
from recsys.models.table import MODELS, model_named
from training.bench_figures import Factory
from training.bench_trial import Trial

# The bar for every other one; it is measured whatever is asked for.
ALWAYS = "popularity"


def contenders() -> list[str]:
    """Every name there is, the bar first."""
    return [ALWAYS, *(name for name in MODELS if name != ALWAYS)]


def contender(name: str, said: dict[str, Any], seed: int) -> Factory:
    """A model before it learns; `seed` counts where the hyperparameters said name none."""
    cls = model_named(name)
    seeded = {"seed": seed} if "seed" in parameters(cls()) else {}

    def new(_trial: Trial) -> Model:
        return cls(**{**seeded, **said})

    return new
