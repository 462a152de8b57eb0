"""The shapes of bodies and answers about rules. What a rule may say is `recsys.rules`' business."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from recsys.rules import BOUNDS, TIERS, WHY_LIMIT, By, Effect
from recsys.scenes import SCENES
from serving.answer_schemas import Told
from serving.schemas import Body, bound


def _number(name: str, kind: type) -> Any:
    low, high = BOUNDS[name]
    return Annotated[kind | None, bound(minimum=low, maximum=high)]


def _words(words: Any) -> Any:
    return Annotated[list[str], bound(items={"enum": [str(one) for one in words]})]


class RuleBody(Body):
    """Body of PUT /v1/rules/{rule_id}: the rule, whole."""

    model_config = ConfigDict(populate_by_name=False)

    effect: Annotated[str, bound(enum=[str(one) for one in Effect])]
    who: str
    why: str
    scenes: _words(SCENES) = []  # type: ignore[valid-type]
    tiers: _words(TIERS) = []  # type: ignore[valid-type]
    kinds: _words(("product", "video")) = []  # type: ignore[valid-type]
    items: list[str] = []
    tags: list[str] = []
    categories: list[str] = []
    creators: list[str] = []
    shops: list[str] = []
    seat: _number("seat", int) = None  # type: ignore[valid-type]
    places: _number("places", int) = None  # type: ignore[valid-type]
    at_least: _number("at_least", int) = None  # type: ignore[valid-type]
    at_most: _number("at_most", int) = None  # type: ignore[valid-type]
    share: _number("share", float) = None  # type: ignore[valid-type]
    by: Annotated[str | None, bound(enum=[*map(str, By), None])] = None
    distinct: _number("distinct", int) = None  # type: ignore[valid-type]
    apart: _number("apart", int) = None  # type: ignore[valid-type]
    in_a_row: _number("in_a_row", int) = None  # type: ignore[valid-type]
    times: _number("times", int) = None  # type: ignore[valid-type]
    days: _number("days", int) = None  # type: ignore[valid-type]
    impressions: _number("impressions", int) = None  # type: ignore[valid-type]
    new_days: _number("new_days", int) = None  # type: ignore[valid-type]
    from_at: str | None = Field(default=None, alias="from")
    until_at: str | None = Field(default=None, alias="until")

    def values(self) -> dict[str, Any]:
        """What was said, by the names callers use."""
        said = self.model_dump(by_alias=True, exclude_unset=True)
        return {name: value for name, value in said.items() if value is not None}


class DropQuery(BaseModel):
    """Query of DELETE /v1/rules/{rule_id}: why it holds no longer, for the audit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    why: Annotated[str, Field(min_length=1, max_length=WHY_LIMIT)]


class RulesAnswer(Told):
    """Every rule that holds, each with its id and whether it is a default; and what was dropped."""

    version: int
    rules: list[dict[str, Any]]
    dropped: list[str]


class RuleAnswer(Told):
    """The version from which on a rule holds, or does not."""

    rule_id: str
    version: int
