"""The description of the HTTP surface, made from the shapes that bodies are checked with."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serving import answer_schemas as answers
from serving import openapi_hand, rule_schemas, schemas
from serving.access import ACCESS, Access
from serving.openapi_examples import ERRORS, EXAMPLES

VERSION = "1"
REF = "#/components/schemas/{model}"
ABOUT = (
    "Ranked lists for a shop that sells through short videos and mini-programs. Errors are always "
    '`{"error": code, "detail": text}`.'
)
JSON, TEXT, LINES = "application/json", "text/plain", "application/x-ndjson"
REFUSED = {
    "400": "The body is no JSON.",
    "401": "There is no key or token, or none that holds.",
    "403": "The key is not for this.",
    "404": "There is no such thing; to a user token, nothing that only servers may use.",
    "409": "The guest is joined to somebody else.",
    "413": "The body or batch is too large.",
    "415": "The body is not plain JSON by its headers.",
    "422": "A field is unknown, of the wrong kind or out of range.",
    "429": "Too many in a minute.",
    "503": "Not now; the same may be sent again.",
}
# What a refusal says besides its body.
HEADERS = {
    "401": ("WWW-Authenticate", "string", "How to say who one is: `Bearer`."),
    "429": ("Retry-After", "integer", "Seconds after which there is room again."),
    "503": ("Retry-After", "integer", "Seconds after which to try again."),
}
SECURITY = {
    "serverKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key of `dapei keys new`: another server's. It names whom it means.",
    },
    "userToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "Made by the shop's backend for one person, who is its subject.",
    },
}
GUARDED = {"401", "403", "429", "503"}
BODY_ERRORS = ("400", "413", "415", "422")
STORE_ERROR = ("503",)
# Parts of paths, an example and the longest of each.
NAMED = (
    ("item_id", "product-1121", 128),
    ("user_id", "user-5001", 128),
    ("rule_id", "autumn-pin", 64),
    ("tag", "露营", 128),
)


class Operation(NamedTuple):
    """One path and method.

    Parameters
    ----------
    body, query, answer
        Shapes; an answer of None is text, of the kind `media`.
    errors
        Statuses besides success.
    """

    path: str
    method: str
    summary: str
    answer: type[BaseModel] | None
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    errors: tuple[str, ...] = ()
    status: str = "200"
    media: str = TEXT

    @property
    def example(self) -> str:
        """What its examples are called."""
        return f"{self.method} {self.path}"

    @property
    def access(self) -> Access:
        """Who may use it."""
        method = self.method.upper()
        named = {said.replace(":path", ""): said for way, said in ACCESS if way == method}
        return ACCESS[method, named[self.path]]

    @property
    def refusals(self) -> list[str]:
        """Statuses of answers that are errors."""
        access = self.access
        if access.scope is None:
            return sorted(self.errors)
        return sorted({*self.errors, *GUARDED, *([] if access.is_users else ["404"])})


OPERATIONS = (
    Operation(
        "/v1/lists",
        "post",
        "A ranked list for one person in one place",
        answers.ListAnswer,
        body=schemas.ListBody,
        errors=BODY_ERRORS,
    ),
    Operation(
        "/v1/prefetch/home",
        "get",
        "The home list as a mini-program platform fetches it ahead, at most 256 kB",
        answers.ListAnswer,
        query=schemas.PrefetchQuery,
        errors=("422",),
    ),
    Operation(
        "/v1/events",
        "post",
        "What people did, at most 1,000 events; answered once they are durable",
        answers.EventsAnswer,
        body=schemas.BatchBody,
        errors=BODY_ERRORS + STORE_ERROR,
        status="202",
    ),
    Operation(
        "/v1/items",
        "put",
        "Add items or replace them whole, at most 1,000",
        answers.ItemsAnswer,
        body=schemas.ItemsBody,
        errors=BODY_ERRORS + STORE_ERROR,
    ),
    Operation(
        "/v1/items/availability",
        "post",
        "Take items off sale, or back on",
        answers.SwitchManyAnswer,
        body=schemas.SwitchManyBody,
        errors=BODY_ERRORS + STORE_ERROR,
    ),
    Operation(
        "/v1/items/{item_id}",
        "patch",
        "Take an item off sale, or back on",
        answers.SwitchAnswer,
        body=schemas.SwitchBody,
        errors=("404", *BODY_ERRORS, *STORE_ERROR),
    ),
    Operation(
        "/v1/items/{item_id}",
        "get",
        "An item as it is kept",
        answers.ItemAnswer,
        errors=("404", "422", *STORE_ERROR),
    ),
    Operation(
        "/v1/rules",
        "get",
        "Every rule that holds, defaults included",
        rule_schemas.RulesAnswer,
        errors=STORE_ERROR,
    ),
    Operation(
        "/v1/rules/{rule_id}",
        "put",
        "Set a rule; every worker follows within a second",
        rule_schemas.RuleAnswer,
        body=rule_schemas.RuleBody,
        errors=("404", *BODY_ERRORS, *STORE_ERROR),
    ),
    Operation(
        "/v1/rules/{rule_id}",
        "delete",
        "Let a rule, or a default, hold no longer",
        rule_schemas.RuleAnswer,
        query=rule_schemas.DropQuery,
        errors=("404", "422", *STORE_ERROR),
    ),
    Operation(
        "/v1/aliases",
        "post",
        "A guest logged in: what it did is the person's from now on",
        answers.AliasAnswer,
        body=schemas.AliasBody,
        errors=("409", *BODY_ERRORS, *STORE_ERROR),
    ),
    Operation(
        "/v1/users/{user_id}/history",
        "get",
        "What lists of a person are made from, newest first",
        answers.HistoryAnswer,
        query=schemas.HistoryQuery,
        errors=("404", "422", *STORE_ERROR),
    ),
    Operation(
        "/v1/me/history",
        "get",
        "What lists are made from, newest first",
        answers.HistoryAnswer,
        query=schemas.HistoryQuery,
        errors=("422", *STORE_ERROR),
    ),
    *(
        Operation(
            path,
            row.method,
            row.summary,
            row.answer,
            body=row.body,
            errors=row.errors,
            status=row.status,
            media=JSON if row.answer else LINES,
        )
        for row in openapi_hand.ROWS
        for path in row.paths()
    ),
    Operation("/healthz", "get", "The process answers", answers.HealthAnswer),
    Operation("/readyz", "get", "Requests may be sent", answers.ReadyAnswer, errors=()),
    Operation("/metrics", "get", "Numbers of all workers, for Prometheus", None),
)


def document() -> dict[str, Any]:
    """The description, as OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    for one in OPERATIONS:
        paths.setdefault(one.path, {})[one.method] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Dapei", "version": VERSION, "description": ABOUT},
        "paths": paths,
        "components": {"schemas": _schemas(), "securitySchemes": SECURITY},
    }


def _schemas() -> dict[str, Any]:
    shapes = {shape: None for one in OPERATIONS for shape in (one.body, one.answer) if shape}
    more = (schemas.EventBody, schemas.ItemBody, answers.ErrorAnswer)
    asked = [(shape, "validation") for shape in (*shapes, *more)]
    _, found = models_json_schema(asked, ref_template=REF)  # type: ignore[arg-type]
    return dict(sorted(found["$defs"].items()))


def _operation(one: Operation) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": one.example,
        "summary": one.summary,
        "parameters": [*_named(one.path), *_queried(one.query)],
        "responses": {one.status: _success(one)} | dict(_refusals(one)),
        "security": _security(one.access),
    }
    if one.body is not None:
        content = _content(one.body, EXAMPLES[one.example]["body"])
        said["requestBody"] = {"required": True, "content": content}
    return said


def _named(path: str) -> Iterator[dict[str, Any]]:
    for name, example, limit in NAMED:
        if f"{{{name}}}" in path:
            schema = {"type": "string", "minLength": 1, "maxLength": limit}
            yield {
                "name": name,
                "in": "path",
                "required": True,
                "schema": schema,
                "example": example,
            }


def _queried(query: type[BaseModel] | None) -> Iterator[dict[str, Any]]:
    if query is None:
        return
    for name, schema in query.model_json_schema()["properties"].items():
        yield {"name": name, "in": "query", "required": False, "schema": schema}


def _success(one: Operation) -> dict[str, Any]:
    if one.answer is None:
        text = {"schema": {"type": "string"}, "example": EXAMPLES[one.example]["answer"]}
        return {"description": one.summary, "content": {one.media: text}}
    content = _content(one.answer, EXAMPLES[one.example]["answer"])
    return {"description": one.summary, "content": content}


def _refusals(one: Operation) -> Iterator[tuple[str, dict[str, Any]]]:
    if one.path == "/readyz":
        content = {JSON: {"schema": _ref(answers.ReadyAnswer)}}
        yield "503", {"description": "No requests yet.", "content": content}
    for status in one.refusals:
        content = {JSON: {"schema": _ref(answers.ErrorAnswer), "example": ERRORS[status]}}
        said: dict[str, Any] = {"description": REFUSED[status], "content": content}
        if status in HEADERS:
            name, kind, told = HEADERS[status]
            said["headers"] = {name: {"description": told, "schema": {"type": kind}}}
        yield status, said


def _security(access: Access) -> list[dict[str, list[str]]]:
    # The scope is told in the words of OpenAPI 3.1: roles of a scheme that is no OAuth.
    if access.scope is None:
        return []
    servers: list[dict[str, list[str]]] = [{"serverKey": [access.scope.value]}]
    return servers + ([{"userToken": []}] if access.is_users else [])


def _content(shape: type[BaseModel], example: Mapping[str, Any]) -> dict[str, Any]:
    return {JSON: {"schema": _ref(shape), "example": example}}


def _ref(shape: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REF.format(model=shape.__name__)}
