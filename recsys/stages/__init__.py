"""What may not be in a list, and why: each stage bars something; `STAGES` is the closed table."""

from collections.abc import Callable, Iterable

from recsys.bars import Bar, Bars
from recsys.catalog import Catalog
from recsys.pipeline import Context
from recsys.stages.availability import audience, blocked, in_time, on_sale
from recsys.stages.baskets import in_basket, same_need
from recsys.stages.choices import chosen
from recsys.stages.repeats import bought, excluded, seen

# Whatever a configuration leaves out: what is off sale, or what rules or the person's own choices
# keep out, is not shown, what a page shows already does not come again, and nobody is shown what is
# over, not yet out, or meant for others.
ALWAYS = ("on_sale", "blocked", "chosen", "excluded", "in_time", "audience")

Stage = Callable[[Context, Catalog], Bar]

STAGES: dict[str, Stage] = {
    "on_sale": on_sale,
    "in_time": in_time,
    "audience": audience,
    "chosen": chosen,
    "blocked": blocked,
    "excluded": excluded,
    "bought": bought,
    "seen": seen,
    "in_basket": in_basket,
    "same_need": same_need,
}


def barring(names: Iterable[str], context: Context, catalog: Catalog) -> Bars:
    """What the stages of these names bar together."""
    return Bars.of([STAGES[name](context, catalog) for name in names], catalog, context.at_ms)
