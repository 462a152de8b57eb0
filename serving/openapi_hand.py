"""What a person may do with what is known of them, as the API's description tells it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel

from serving import hand_schemas as shapes

ME, USERS = "/v1/me", "/v1/users/{user_id}"
BODY = ("400", "413", "415")


class Row(NamedTuple):
    """One path behind /v1/me and behind /v1/users/{user_id}, with its examples.

    Parameters
    ----------
    answer
        None is JSON lines.
    """

    method: str
    path: str
    summary: str
    answer: type[BaseModel] | None
    example: Any
    body: type[BaseModel] | None = None
    said: Any = None
    status: str = "200"
    errors: tuple[str, ...] = ("422", "503")

    def paths(self) -> Iterator[str]:
        """Where it is: of the person's own, and of the shop's backend."""
        yield ME + self.path
        yield USERS + (self.path or "/choices")


_ERASURE = {
    "state": "asked",
    "asked_at": "2026-10-01T12:00:00+00:00",
    "done_at": None,
    "steps": [],
    "left": ["record", "pages", "lake", "histories", "files", "copies"],
}
_CONSENTS = {"personalise": True, "learn": None}
ROWS = (
    Row(
        "get",
        "",
        "What is chosen, and what follows from it",
        shapes.MeAnswer,
        {
            "personalised": True,
            "on": True,
            "basis": "contract",
            "consents": _CONSENTS,
            "kept": True,
            "learned_from": True,
            "age": "adult",
            "guardian": False,
            "removed_tags": ["露营"],
            "not_interested": ["product-1121"],
            "erased": False,
            "erasure": None,
        },
    ),
    Row(
        "put",
        "/personalisation",
        "Lists for this person, or as for nobody, from the next request on",
        shapes.SwitchedAnswer,
        {"on": False, "personalised": False},
        shapes.OnBody,
        {"on": False},
        errors=(*BODY, "422", "503"),
    ),
    Row(
        "put",
        "/consent",
        "What the person agrees to; what is left out stays",
        shapes.ConsentAnswer,
        {"consents": _CONSENTS, "personalised": True},
        shapes.ConsentBody,
        {"personalise": True},
        errors=(*BODY, "422", "503"),
    ),
    Row(
        "put",
        "/minors",
        "Minors mode; only a guardian's key leaves it",
        shapes.MinorsAnswer,
        {"age": "minor", "guardian": False},
        shapes.MinorsBody,
        {"age": "minor"},
        errors=(*BODY, "403", "422", "503"),
    ),
    Row(
        "get",
        "/tags",
        "Every label that lists are made from",
        shapes.TagsAnswer,
        {"tags": [{"name": "辅食", "kind": "tag", "share": 0.5}], "removed": ["露营"]},
    ),
    Row(
        "delete",
        "/tags/{tag}",
        "What was done with items of a tag speaks no more",
        shapes.TagAnswer,
        {"tag": "露营", "removed": True},
        errors=("404", "422", "503"),
    ),
    Row(
        "put",
        "/tags/{tag}",
        "It speaks again",
        shapes.TagAnswer,
        {"tag": "露营", "removed": False},
        errors=("404", "422", "503"),
    ),
    Row(
        "post",
        "/not-interested",
        "Never this item, and for 30 days half of its category",
        shapes.RefusalAnswer,
        {"item_id": "product-1121", "not_interested": True},
        shapes.RefusalBody,
        {"item_id": "product-1121"},
        errors=(*BODY, "422", "503"),
    ),
    Row(
        "delete",
        "/not-interested/{item_id}",
        "The item may come again",
        shapes.RefusalAnswer,
        {"item_id": "product-1121", "not_interested": False},
        errors=("404", "422", "503"),
    ),
    Row(
        "get",
        "/export",
        "Everything that is kept, as JSON lines; the last counts and seals them",
        None,
        '{"what":"person","ids":["user-5001"]}\n{"what":"end","events":0,"lists":0,"sha256":"…"}\n',
    ),
    Row(
        "post",
        "/erase",
        "Forget the person; nothing is shown or kept from now on",
        shapes.ErasureAnswer,
        _ERASURE,
        status="202",
    ),
    Row(
        "get",
        "/erase",
        "How far that is, and what is left to others",
        shapes.ErasureAnswer,
        _ERASURE,
        errors=("404", "422", "503"),
    ),
)


def examples() -> dict[str, dict[str, Any]]:
    """The examples of both planes, by method and path."""
    return {
        f"{row.method} {path}": {"answer": row.example} | ({"body": row.said} if row.body else {})
        for row in ROWS
        for path in row.paths()
    }
