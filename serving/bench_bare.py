"""The bare endpoint of the benchmark: FastAPI that returns the same bytes, whatever is asked."""

import sys
from pathlib import Path

import typer
from fastapi import FastAPI, Response

from serving.settings import Settings
from serving.workers import Workers, listening


def bare_app(body: bytes) -> FastAPI:
    """An application of one endpoint that does nothing."""
    app = FastAPI()

    @app.post("/v1/lists")
    async def same() -> Response:
        return Response(body, media_type="application/json")

    @app.get("/readyz")
    async def ready() -> Response:
        return Response()

    return app


def main() -> None:
    """Serve the bytes of a file on a free port, in a process like the service's."""
    body = Path(sys.argv[1]).read_bytes()
    sock = listening("127.0.0.1", 0)
    typer.echo(f"http://127.0.0.1:{sock.getsockname()[1]}")
    Workers(sock=sock, n=1, settings=Settings(), app=lambda: bare_app(body)).run()


if __name__ == "__main__":
    main()
