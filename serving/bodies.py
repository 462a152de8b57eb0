"""Request bodies: read up to a limit, then parsed; no byte sequence may get past as something."""

from collections.abc import Iterable
from typing import TypeVar

import orjson
from fastapi import Request
from pydantic import BaseModel, ValidationError

from recsys.errors import InvalidInput
from serving.errors import BodyTooLarge, MalformedBody, WrongMediaType
from serving.schemas import Body, wrong

MAX_BODY_BYTES = 1_048_576
MAX_DEPTH = 32

B = TypeVar("B", bound=Body)
Q = TypeVar("Q", bound=BaseModel)


async def read(request: Request) -> bytes:
    """The body of a request.

    Raises
    ------
    WrongMediaType
        Its headers do not say plain JSON.
    BodyTooLarge
        It has, or says it has, more than `MAX_BODY_BYTES`; the rest is not read.
    """
    _check_headers(request)
    said = request.headers.get("content-length", "0")
    n_bytes = int(said) if said.isascii() and said.isdigit() else 0
    parts: list[bytes] = []
    _check_size(n_bytes)
    n_bytes = 0
    async for part in request.stream():
        n_bytes += len(part)
        _check_size(n_bytes)
        parts.append(part)
    return b"".join(parts)


def parsed(raw: bytes, shape: type[B]) -> B:
    """The body as its shape.

    Raises
    ------
    MalformedBody
        It is no JSON: also NaN, Infinity, lone surrogates, or nested over `MAX_DEPTH` levels.
    InvalidInput
        It does not have the shape.
    """
    try:
        said = orjson.loads(raw)
        _check_depth(raw, said)
        return shape.model_validate(said)
    except orjson.JSONDecodeError as cause:
        raise MalformedBody(f"the body is no JSON: {cause}") from cause
    except ValidationError as cause:
        raise InvalidInput(wrong(cause)) from cause


def queried(request: Request, shape: type[Q]) -> Q:
    """The query of a request as its shape.

    Raises
    ------
    InvalidInput
        It does not have the shape.
    """
    try:
        return shape.model_validate(dict(request.query_params))
    except ValidationError as cause:
        raise InvalidInput(wrong(cause)) from cause


def _check_depth(raw: bytes, said: object) -> None:
    # Nearly every body has fewer brackets than it may have levels.
    if raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        return
    level = [said]
    for _ in range(MAX_DEPTH):
        level = [part for one in level for part in _parts(one) if type(part) in (dict, list)]
        if not level:
            return
    raise MalformedBody(f"the body is nested too deeply; allowed: {MAX_DEPTH} levels")


def _parts(one: object) -> Iterable[object]:
    if isinstance(one, dict):
        return one.values()
    return one if isinstance(one, list) else ()


def _check_headers(request: Request) -> None:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise WrongMediaType(f"content-type is {media!r:.80}; allowed: application/json")
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        raise WrongMediaType(f"content-encoding is {encoding!r:.80}; allowed: none")


def _check_size(n_bytes: int) -> None:
    if n_bytes > MAX_BODY_BYTES:
        raise BodyTooLarge(f"the body has over {MAX_BODY_BYTES} bytes; allowed: up to that many")
