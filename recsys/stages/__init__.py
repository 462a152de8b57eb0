"""What may only remove, only change scores, or only reorder; `STAGES` is the closed table."""

from recsys.pipeline import Stage
from recsys.stages.availability import audience, blocked, in_time, on_sale
from recsys.stages.baskets import in_basket, same_need
from recsys.stages.choices import chosen
from recsys.stages.repeats import bought, excluded, seen

# Whatever a configuration leaves out: what rules or the person's own choices keep out is not shown,
# what a page shows already does not come again, and nobody is shown what is over, not yet out, or
# meant for others.
ALWAYS = ("blocked", "chosen", "excluded", "in_time", "audience")

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
