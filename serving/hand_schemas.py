"""The shapes of what a person sends and gets about what is known of them."""

from typing import Annotated, Any

from pydantic import Field

from recsys.controls import Age
from serving.answer_schemas import Told
from serving.schemas import Body, ItemId


class OnBody(Body):
    """Body of PUT /v1/me/personalisation."""

    on: bool


class RefusalBody(Body):
    """Body of POST /v1/me/not-interested."""

    item_id: ItemId


class ConsentBody(Body):
    """Body of PUT /v1/me/consent; what is left out stays as it was."""

    personalise: bool | None = None
    learn: bool | None = None


class MinorsBody(Body):
    """Body of PUT /v1/me/minors; to leave it, or to agree as a guardian, needs a guardian's key."""

    age: Annotated[str, Field(json_schema_extra={"enum": list(Age)})]
    guardian: bool = False


class MeAnswer(Told):
    """What a person chose, and what follows from it.

    `kept` says whether what they do is kept, `learned_from` whether models may learn from it; a
    consent is null where the person was never asked.
    """

    personalised: bool
    on: bool
    basis: str
    consents: dict[str, bool | None]
    kept: bool
    learned_from: bool
    age: str
    guardian: bool
    removed_tags: list[str]
    not_interested: list[str]
    erased: bool
    erasure: dict[str, Any] | None


class SwitchedAnswer(Told):
    """What holds from the next request on."""

    on: bool
    personalised: bool


class Label(Told):
    """One label lists are made from, and the share of the person's acts that carry it."""

    name: str
    kind: str
    share: float


class TagsAnswer(Told):
    """Every label that lists are made from, and those removed."""

    tags: list[Label]
    removed: list[str]


class TagAnswer(Told):
    """Whether a tag is removed."""

    tag: str
    removed: bool


class RefusalAnswer(Told):
    """Whether an item is refused."""

    item_id: str
    not_interested: bool


class ConsentAnswer(Told):
    """What the person agreed to, null where they were never asked, and whether they are known."""

    consents: dict[str, bool | None]
    personalised: bool


class MinorsAnswer(Told):
    """In whose hands the account is."""

    age: str
    guardian: bool


class ErasureAnswer(Told):
    """How far a person is forgotten: asked, running or done; and what is not in our hands."""

    state: str
    asked_at: str
    done_at: str | None
    steps: list[str]
    left: list[str]
