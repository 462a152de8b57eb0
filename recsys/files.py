"""Files that survive a crash: written whole or not at all, by one writer at a time."""

import fcntl
import hashlib
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys.errors import ConfigError


def fsync_folder(folder: Path) -> None:
    """Make renames inside a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, so that a power cut leaves them there."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        fsync_folder(folder.parent)


def fsync_tree(folder: Path) -> None:
    """Bring every file below a folder, and the folder, to the disk."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    fsync_folder(folder)


def write_atomic(path: Path, content: bytes) -> None:
    """Replace a file so that a reader or a crash sees the old or the new one, never a part."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)
    fsync_folder(path.parent)


def write_private(path: Path, content: bytes) -> None:
    """The same for a secret: at no moment can another than its owner read it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)
    fsync_folder(path.parent)


def write_section(path: Path, name: str, text: str) -> None:
    """Replace what a text file says between the marks of a section; the rest stays as it is.

    A file without the marks gets the section at its end, so that several commands can each keep
    their own part of one page.
    """
    start, end = (f"<!-- {name}: {word} -->\n" for word in ("begin", "end"))
    said = path.read_text(encoding="utf-8") if path.exists() else ""
    before, has_start, rest = said.partition(start)
    _, has_end, after = rest.partition(end)
    if has_start and not has_end:
        raise ConfigError(
            f"{path} begins section {name!r} and never ends it; needed: {end.strip()}"
        )
    if not has_start and said:
        before = said.rstrip("\n") + "\n\n"
    body = text.strip("\n") + "\n"
    write_atomic(path, (before + start + body + end + after).encode())


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder alone among processes, waiting for it; the lock dies with its holder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def sha256_of(path: Path) -> str:
    """The hash of a file's content."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return hashlib.sha256(content).hexdigest()
