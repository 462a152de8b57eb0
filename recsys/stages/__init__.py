"""What may only remove, only change scores, or only reorder; `STAGES` is the closed table."""

from recsys.pipeline import Stage
from recsys.stages.availability import blocked, on_sale
from recsys.stages.baskets import in_basket, same_need
from recsys.stages.choices import chosen
from recsys.stages.repeats import bought, excluded, seen

STAGES: dict[str, Stage] = {
    "on_sale": on_sale,
    "chosen": chosen,
    "blocked": blocked,
    "excluded": excluded,
    "bought": bought,
    "seen": seen,
    "in_basket": in_basket,
    "same_need": same_need,
}
