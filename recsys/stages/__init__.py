"""What may only remove, only change scores, or only reorder; `STAGES` is the closed table."""

from recsys.pipeline import Stage
from recsys.stages.availability import audience, in_time, on_sale
from recsys.stages.baskets import in_basket, same_need
from recsys.stages.repeats import bought, excluded, seen

# Whatever a configuration leaves out: what a page shows already must not come again, and nobody is
# shown what is over, not yet out, or meant for others.
ALWAYS = ("excluded", "in_time", "audience")

STAGES: dict[str, Stage] = {
    "on_sale": on_sale,
    "in_time": in_time,
    "audience": audience,
    "excluded": excluded,
    "bought": bought,
    "seen": seen,
    "in_basket": in_basket,
    "same_need": same_need,
}
