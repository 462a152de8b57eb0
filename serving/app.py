"""The HTTP application: its routes, what stands around them, its life."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from recsys.errors import RecsysError
from serving.access import Rules
from serving.counted import Counted
from serving.failures import broken, no_such_route, refused
from serving.gate import Gate
from serving.guard import Guard
from serving.routes import events, health, items, lists, me, rules, users
from serving.service import Service

log = logging.getLogger(__name__)

PARTS = (lists, events, items, rules, users, me, health)


def create_app(service: Service) -> FastAPI:
    """The application around a service; it closes the service when it stops."""
    home, settings = service.watcher.home, service.settings
    gate = Gate.of(service.record, home.keys, settings, service.persons.hot, now=service.now)

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(service.watcher.look_for_bundle)
        watching = asyncio.create_task(service.watcher.run(service.settings.poll_s))
        telling = asyncio.create_task(_tell(service))
        keeping = asyncio.create_task(service.keeper().run(service.settings.poll_s))
        trusting = asyncio.create_task(service.persons.watch())
        checking = asyncio.create_task(gate.keyring.watch())
        log.info("ready, bundle=%s", service.watcher.bundle_id)
        yield
        watching.cancel()
        telling.cancel()
        trusting.cancel()
        checking.cancel()
        keeping.cancel()
        # It may have a program of its own running, which ends first.
        await asyncio.gather(keeping, return_exceptions=True)
        await service.persons.close()
        await asyncio.to_thread(service.close)

    app = FastAPI(
        lifespan=life, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    routers = [part.router(service) for part in PARTS]
    for router in routers:
        app.include_router(router)
    rules = Rules(route for router in routers for route in router.routes)
    app.add_middleware(Guard, rules=rules, gate=gate)
    # Added last, so it stands outside and counts refusals too.
    app.add_middleware(Counted, metrics=service.metrics)
    app.add_exception_handler(RecsysError, refused)
    app.add_exception_handler(ClientDisconnect, refused)
    app.add_exception_handler(HTTPException, no_such_route)
    app.add_exception_handler(Exception, broken)
    return app


async def _tell(service: Service) -> None:
    """Keep the numbers of this worker that others may be asked for fresh."""
    while True:
        service.look()
        await asyncio.sleep(service.settings.poll_s)
