"""Writes docs/map.md: one line a file, taken from the file's own first line of documentation."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = {
    "recsys": "events, catalogue, models, pipeline, lists: pure, no network, no clock",
    "data": "data at rest: record, lake, histories, import",
    "training": "offline work: data at rest becomes a bundle",
    "serving": "the service: a bundle and a history become a list, events come in",
    "benchmarks": "every figure of the README, rerunnable",
}


def line_of(path: Path) -> str:
    """The first line of a module's docstring."""
    told = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return told.split("\n", 1)[0].replace("|", "/")


def section(room: str) -> list[str]:
    """One room as a Markdown table."""
    paths = [p for p in sorted((ROOT / room).rglob("*.py")) if p.name != "__init__.py"]
    rows = [f"| `{path.relative_to(ROOT)}` | {line_of(path)} |" for path in paths]
    return [f"## {room}/: {ROOMS[room]}", "", "| file | what it holds |", "|---|---|", *rows, ""]


def whole() -> str:
    """The whole page."""
    head = [
        "# The map",
        "",
        "Where to find the file for a change. Made by `python scripts/map.py`, checked by a test.",
        "",
        "| file | what it holds |",
        "|---|---|",
        f"| `dapei.py` | {line_of(ROOT / 'dapei.py')} |",
        "",
    ]
    return "\n".join([*head, *(line for room in ROOMS for line in section(room))])


if __name__ == "__main__":
    (ROOT / "docs" / "map.md").write_text(whole(), encoding="utf-8")
