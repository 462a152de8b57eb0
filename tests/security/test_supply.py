"""S20: what is installed is what was locked, by its hash."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# One requirement: its name and exact version, then one hash or more, each on a line of its own.
LOCKED = re.compile(r"[a-z0-9][a-z0-9._-]*(\[[a-z,]+\])?==[\w.+!-]+( ?;[^\\]*)?")


def requirements(text: str) -> list[list[str]]:
    """Each requirement's lines, joined where they go on."""
    joined = text.replace("\\\n", " ")
    lines = [line.split(" #")[0].strip() for line in joined.splitlines()]
    return [re.split(r"\s+(?=--hash)", line) for line in lines if line and line[0] not in "#-"]


def unlocked(text: str) -> list[str]:
    """Requirements that another file than the one meant could satisfy."""
    return [
        one[0]
        for one in requirements(text)
        if not LOCKED.fullmatch(one[0].strip())
        or len(one) < 2
        or not all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", part.strip()) for part in one[1:])
    ]


def test_every_requirement_has_one_version_and_hashes():
    text = lock()
    assert len(requirements(text)) > 20
    assert unlocked(text) == []


@pytest.mark.parametrize(
    "line", ["numpy==2.3.0", "numpy>=2.3.0 --hash=sha256:" + "a" * 64, "numpy==2 --hash=md5:abc"]
)
def test_one_without_them_would_be_seen(line):
    assert unlocked(line) == [line.split(" --hash")[0]]


def test_what_is_declared_is_locked():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.match(r"[\w.-]+", one)[0].lower() for one in declared}
    locked = {re.match(r"[\w.-]+?(?=[=\[])", one[0])[0] for one in requirements(lock())}
    assert names <= locked


def lock() -> str:
    return (ROOT / "requirements.lock").read_text()
