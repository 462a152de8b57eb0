"""Whether a bundle is what was signed: its manifest, and every file it names, byte for byte.

What the files mean is not asked here, so nothing that understands them is loaded for it.
"""

import re
import shutil
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from stat import S_ISREG
from typing import Any, NamedTuple

import orjson

from recsys.errors import BundleError
from recsys.files import sha256_of
from recsys.signing import VerifyKey

FORMAT = 2
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
PURPOSE = "bundle manifest"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Mark(NamedTuple):
    """Tells a file, and its last change: the system sets that time itself, nobody else can."""

    device: int
    inode: int
    n_bytes: int
    changed_ns: int

    @classmethod
    def of(cls, path: Path) -> "Mark":
        """The mark of a file now; BundleError if it is no plain file."""
        # A link leads elsewhere, and to open a pipe is to wait for ever.
        found = path.lstat()
        if not S_ISREG(found.st_mode):
            raise BundleError(f"bundle {path.parent.name} has {path.name}, which is no plain file")
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns)


class Checked(NamedTuple):
    """Files that were found to be what a manifest says, and what marked them before they were read.

    It holds until any of them is touched, so several processes need to read them only once.
    """

    path: Path
    files: Mapping[str, Any]
    marks: Mapping[str, Mark]

    def holds(self, path: Path, manifest: Mapping[str, Any]) -> bool:
        """Whether a bundle is the one that was checked, none of its files touched since."""
        if path != self.path or manifest.get("files") != self.files:
            return False
        try:
            return _marks(path, _names(path)) == self.marks
        except (OSError, BundleError):
            return False


def check_name(name: str, what: str) -> str:
    """The name, if it can be part of a file's name; else BundleError."""
    if not _NAME.fullmatch(name):
        raise BundleError(f"{what} is no name, got {name!r:.80}; allowed: letters, digits, _ and -")
    return name


def clear_unfinished(folder: Path) -> None:
    """Remove what killed writers left; only for who holds the folder's lock."""
    for path in folder.glob(".*.unfinished"):
        shutil.rmtree(path)


def read_manifest(path: Path, public: VerifyKey) -> dict[str, Any]:
    """What a bundle says of itself, once the signature was found right.

    Raises
    ------
    BundleError
        It is missing, not signed by us, of another format, or of another name than its folder.
    """
    try:
        content, signature = (path / MANIFEST).read_bytes(), (path / SIGNATURE).read_bytes()
    except OSError as cause:
        raise BundleError(f"bundle {path.name} cannot be read: {cause.strerror}") from cause
    public.check(PURPOSE, content, signature)
    try:
        manifest: dict[str, Any] = orjson.loads(content)
        said_format, bundle_id = manifest["format"], manifest["bundle_id"]
    except (ValueError, KeyError, TypeError) as cause:
        raise BundleError(f"the manifest of {path.name} is none: {cause!r:.100}") from cause
    if said_format != FORMAT:
        raise BundleError(f"bundle {path.name} has format {said_format}; allowed: {FORMAT}")
    if bundle_id != path.name:
        raise BundleError(f"the bundle in folder {path.name} is {bundle_id}, moved")
    return manifest


def check_files(path: Path, manifest: Mapping[str, Any], *, n_threads: int = 1) -> Checked:
    """The files of a bundle, which are those its manifest names, byte for byte.

    Parameters
    ----------
    n_threads
        How many files are read at once.

    Raises
    ------
    BundleError
        Some are missing, there are others, or one is not what was signed.
    """
    try:
        files = dict(manifest["files"])
        there = _names(path)
        if there != set(files):
            odd = sorted(there ^ set(files))
            raise BundleError(f"bundle {path.name} has missing or unexpected files: {odd[:5]}")
        marks = _marks(path, files)
        for name, mark in marks.items():
            if mark.n_bytes != files[name]["bytes"]:
                raise _damaged(path, name)
        # The longest first, so that no thread is left alone with it in the end.
        longest = sorted(files, key=lambda name: -marks[name].n_bytes)
        with ThreadPoolExecutor(n_threads) as threads:
            hashes = threads.map(sha256_of, [path / name for name in longest])
            for name, sha256 in zip(longest, hashes, strict=True):
                if sha256 != files[name]["sha256"]:
                    raise _damaged(path, name)
    except OSError as cause:
        raise BundleError(f"bundle {path.name} cannot be read: {cause.strerror}") from cause
    except (ValueError, KeyError, TypeError) as cause:
        raise BundleError(f"bundle {path.name} has no list of files: {cause!r:.100}") from cause
    return Checked(path, files, marks)


def _names(path: Path) -> set[str]:
    return {one.name for one in path.iterdir()} - {MANIFEST, SIGNATURE}


def _marks(path: Path, names: Iterable[str]) -> dict[str, Mark]:
    return {name: Mark.of(path / name) for name in names}


def _damaged(path: Path, name: str) -> BundleError:
    return BundleError(f"bundle {path.name} is damaged: {name} is not what was signed")
