"""How errors are answered: one table from errors to statuses, one shape of body."""

from collections.abc import Mapping
from http import HTTPStatus

import orjson
from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from recsys.errors import AliasConflict, BundleError, InvalidInput, RecsysError, StoreUnavailable
from serving.errors import (
    BodyTooLarge,
    Forbidden,
    MalformedBody,
    NotThere,
    TooMany,
    Unauthorized,
    WrongMediaType,
)

# The nearest class of an error's line of ancestors decides.
STATUS: dict[type[Exception], HTTPStatus] = {
    Exception: HTTPStatus.INTERNAL_SERVER_ERROR,
    RecsysError: HTTPStatus.INTERNAL_SERVER_ERROR,
    InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    AliasConflict: HTTPStatus.CONFLICT,
    NotThere: HTTPStatus.NOT_FOUND,
    Unauthorized: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    TooMany: HTTPStatus.TOO_MANY_REQUESTS,
    MalformedBody: HTTPStatus.BAD_REQUEST,
    BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    WrongMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    BundleError: HTTPStatus.SERVICE_UNAVAILABLE,
    ClientDisconnect: HTTPStatus.BAD_REQUEST,
}
RETRY_AFTER_S = "1"


def status_of(error: Exception) -> HTTPStatus:
    """The status an error is answered with."""
    return next(STATUS[cls] for cls in type(error).__mro__ if cls in STATUS)


def error_body(
    status: HTTPStatus, code: str, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    """The one shape of an answer that is an error."""
    body = orjson.dumps({"error": code, "detail": detail})
    return Response(body, status, headers, media_type="application/json")


def refusal(error: RecsysError) -> Response:
    """The answer to an error of ours."""
    status = status_of(error)
    headers = {}
    if isinstance(error, Unauthorized):
        headers["www-authenticate"] = "Bearer"
    elif isinstance(error, TooMany):
        headers["retry-after"] = str(error.retry_after_s)
    elif status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["retry-after"] = RETRY_AFTER_S
    return error_body(status, error.code, str(error), headers)


async def refused(_request: Request, error: Exception) -> Response:
    """The same as a handler; raises again what nobody expected."""
    if status_of(error) is HTTPStatus.INTERNAL_SERVER_ERROR:
        raise error
    if isinstance(error, RecsysError):
        return refusal(error)
    return error_body(status_of(error), "disconnected", str(error))


async def no_such_route(_request: Request, error: Exception) -> Response:
    """The answer to what the framework itself refuses."""
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    return error_body(status, status.name.lower(), error.detail, error.headers)


async def broken(_request: Request, _error: Exception) -> Response:
    """The answer to a mistake of ours: the server logs it, the caller must not see it."""
    return error_body(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "the service made a mistake")
