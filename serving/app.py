"""The HTTP application: its routes, its life, and one table from errors to statuses."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus

import orjson
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from recsys.errors import AliasConflict, BundleError, InvalidInput, RecsysError, StoreUnavailable
from serving.counted import Counted
from serving.errors import BodyTooLarge, MalformedBody, NotThere, WrongMediaType
from serving.routes import events, health, items, lists, rules, users
from serving.service import Service

log = logging.getLogger(__name__)

# The nearest class of an error's line of ancestors decides.
STATUS: dict[type[Exception], HTTPStatus] = {
    Exception: HTTPStatus.INTERNAL_SERVER_ERROR,
    RecsysError: HTTPStatus.INTERNAL_SERVER_ERROR,
    InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    AliasConflict: HTTPStatus.CONFLICT,
    NotThere: HTTPStatus.NOT_FOUND,
    MalformedBody: HTTPStatus.BAD_REQUEST,
    BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    WrongMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    BundleError: HTTPStatus.SERVICE_UNAVAILABLE,
    ClientDisconnect: HTTPStatus.BAD_REQUEST,
}
RETRY_AFTER_S = "1"
PARTS = (lists, events, items, rules, users, health)


def create_app(service: Service) -> FastAPI:
    """The application around a service; it closes the service when it stops."""

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(service.watcher.look_for_bundle)
        watching = asyncio.create_task(service.watcher.run(service.settings.poll_s))
        telling = asyncio.create_task(_tell(service))
        trusting = asyncio.create_task(service.persons.watch())
        log.info("ready, bundle=%s", service.watcher.bundle_id)
        yield
        watching.cancel()
        telling.cancel()
        trusting.cancel()
        await service.persons.close()
        await asyncio.to_thread(service.close)

    app = FastAPI(
        lifespan=life, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    app.add_middleware(Counted, metrics=service.metrics)
    for part in PARTS:
        app.include_router(part.router(service))
    app.add_exception_handler(RecsysError, _refused)
    app.add_exception_handler(ClientDisconnect, _refused)
    app.add_exception_handler(HTTPException, _no_such_route)
    app.add_exception_handler(Exception, _broken)
    return app


async def _tell(service: Service) -> None:
    """Keep the numbers of this worker that others may be asked for fresh."""
    while True:
        service.look()
        await asyncio.sleep(service.settings.poll_s)


def status_of(error: Exception) -> HTTPStatus:
    """The status an error is answered with."""
    return next(STATUS[cls] for cls in type(error).__mro__ if cls in STATUS)


def error_body(
    status: HTTPStatus, code: str, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    """The one shape of an answer that is an error."""
    body = orjson.dumps({"error": code, "detail": detail})
    return Response(body, status, headers, media_type="application/json")


async def _refused(_request: Request, error: Exception) -> Response:
    status = status_of(error)
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        raise error
    headers = {"retry-after": RETRY_AFTER_S} if status is HTTPStatus.SERVICE_UNAVAILABLE else None
    code = error.code if isinstance(error, RecsysError) else "disconnected"
    return error_body(status, code, str(error), headers)


async def _no_such_route(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    return error_body(status, status.name.lower(), error.detail, error.headers)


async def _broken(_request: Request, _error: Exception) -> Response:
    # The server logs the traceback; the caller must not see it.
    return error_body(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "the service made a mistake")
