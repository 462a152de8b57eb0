"""Log lines as JSON, one a line, without anything about a person."""

import logging
from datetime import UTC, datetime
from traceback import extract_tb
from typing import Any

import orjson


class JsonLines(logging.Formatter):
    """One JSON object a line: when, how grave, where, what; of an error its sort and its frames.

    The words of an error are left out, as they quote what came in: ids of people among it. Our own
    messages name bundles, versions and counts only.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        said: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "where": record.name,
            "pid": record.process,
            "said": _words(record),
        }
        if record.exc_info is not None and record.exc_info[0] is not None:
            kind, _, trace = record.exc_info
            said["error"] = kind.__name__
            said["frames"] = [f"{f.filename}:{f.lineno} {f.name}" for f in extract_tb(trace)]
        return orjson.dumps(said, default=str).decode()


def _words(record: logging.LogRecord) -> str:
    # Others' messages about an error quote it behind the first line.
    said = record.getMessage() if record.exc_info is None else str(record.msg)
    return said.splitlines()[0] if said else ""


def to_stderr(level: str) -> None:
    """Make every logger write such lines to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("uvicorn.error").setLevel("WARNING")
