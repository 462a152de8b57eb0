"""Power cuts, simulated: what a program did to its files, replayed up to any moment and cut there.

strace records the calls. `Disk` replays them and keeps apart what a disk must still have after a
power cut (what was synced before it) and what it may have: any part of the rest, whole, torn,
zeroed or as garbage. A name in a folder is synced by syncing the folder, as POSIX has it.
"""

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple

# Calls that change files, and those that are needed to know which file is meant.
TRACED = (
    "openat,close,dup,dup2,dup3,fcntl,lseek,write,pwrite64,ftruncate,fsync,fdatasync,rename,"
    "renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,"
    "link,linkat,writev,pwritev,pwritev2,fallocate,copy_file_range,sendfile"
)
# Fail rather than overlook: no program here uses them on its files.
NOT_MODELLED = ("writev", "pwritev", "pwritev2", "fallocate", "copy_file_range", "sendfile")
NAMING = {
    *("rename", "renameat", "renameat2", "link", "linkat"),
    *("unlink", "unlinkat", "rmdir"),
}
SECTOR = 512
LINE = re.compile(r"(\d+) +(?:(\w+)\((.*)|<\.\.\. (\w+) resumed>(.*))$")
RESULT = re.compile(r"\) += (-?\d+|0x[0-9a-f]+)[^=]*$")
UNFINISHED = " <unfinished ...>"


class Call(NamedTuple):
    """A system call that succeeded; `began` and `ended` are lines of the recording."""

    began: int
    ended: int
    name: str
    args: list[str]
    result: int


def recorded(command: Sequence[str], log: Path, *, cwd: Path) -> list[Call]:
    """Run a program under strace; what it did to files, in the order in which calls ended."""
    strace = ["strace", "-f", "-qq", "-xx", "-s", "100000000", "-e", f"trace={TRACED}"]
    done = subprocess.run(
        [*strace, "-e", "signal=none", "-o", str(log), *command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    with log.open() as lines:
        return list(calls(lines))


def calls(lines: Iterator[str]) -> Iterator[Call]:
    """Lines of strace → calls; those that other threads interrupted are put together again."""
    begun: dict[str, tuple[int, str, str]] = {}
    for number, line in enumerate(lines):
        found = LINE.match(line.rstrip("\n"))
        if found is None:
            continue
        thread, name, rest, resumed, tail = found.groups()
        began = number
        if resumed:
            began, name, head = begun.pop(thread)
            rest = head + tail
        elif rest.endswith(UNFINISHED):
            begun[thread] = (number, name, rest.removesuffix(UNFINISHED))
            continue
        result = RESULT.search(rest)
        if result is not None and not result[1].startswith("-"):
            args = rest[: result.start()].split(", ")
            yield Call(began, number, name, args, int(result[1], 0))


class Change(NamedTuple):
    """Bytes put at an offset, or (without bytes) a file cut or stretched to it."""

    ended: int
    offset: int
    content: bytes | None


@dataclass(eq=False)
class File:
    """A file: what is on the disk for sure, and what was done since."""

    kept: bytearray = field(default_factory=bytearray)
    pending: list[Change] = field(default_factory=list)
    size: int = 0

    def change(self, change: Change) -> None:
        end = change.offset if change.content is None else change.offset + len(change.content)
        self.size = end if change.content is None else max(self.size, end)
        self.pending.append(change)

    def sync(self, began: int) -> None:
        for change in [one for one in self.pending if one.ended <= began]:
            apply(self.kept, change)
        self.pending = [one for one in self.pending if one.ended > began]


@dataclass(eq=False)
class Folder:
    """A folder: the names that are on the disk for sure; `now` is what the program sees."""

    kept: dict[str, "File | Folder"] = field(default_factory=dict)
    now: dict[str, "File | Folder"] = field(default_factory=dict)
    pending: list["Renaming"] = field(default_factory=list)

    def sync(self, began: int) -> None:
        for one in [one for one in self.pending if one.ended <= began]:
            one.settle()


@dataclass(eq=False)
class Renaming:
    """Names that change together; None takes a name away."""

    ended: int
    names: list[tuple[Folder, str, "File | Folder | None"]]

    def do(self) -> None:
        for folder, name, node in self.names:
            put(folder.now, name, node)
            if self not in folder.pending:
                folder.pending.append(self)

    def settle(self) -> None:
        for folder, name, node in self.names:
            put(folder.kept, name, node)
            if self in folder.pending:
                folder.pending.remove(self)


def put(names: dict[str, "File | Folder"], name: str, node: "File | Folder | None") -> None:
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


def apply(content: bytearray, change: Change) -> None:
    if change.content is None:
        del content[change.offset :]
    end = change.offset + len(change.content or b"")
    content.extend(bytes(max(0, end - len(content))))
    content[change.offset : end] = change.content or b""


@dataclass(eq=False)
class Open:
    """An open file: several descriptors may share one."""

    node: File | Folder
    path: Path
    flags: str
    at: int = 0


class Disk:
    """Everything below one folder, as calls change it. Other files are somebody else's.

    Attributes
    ----------
    said
        What the program wrote to its standard output so far: its acknowledgements.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.top = Folder()
        self.said = b""
        self._open: dict[int, Open] = {}

    def replay(self, call: Call) -> bool:
        """Do one call again; whether anything changed that a power cut could show."""
        if call.name == "openat":
            return self._openat(call)
        if call.name in NAMING:
            return self._rename_or_remove(call)
        if call.name in ("mkdir", "mkdirat"):
            return self._rename([(self._path(call, call.name == "mkdirat"), Folder())], call)
        number = int(call.args[0]) if call.args[0].isdigit() else -1
        if call.name == "write" and number == 1:
            self.said += text(call.args[1])
            return True
        if number in self._open:
            assert call.name not in NOT_MODELLED, f"{call.name} is not modelled"
            return self._on_descriptor(call, number)
        if call.name in ("dup2", "dup3"):
            self._open.pop(call.result, None)
        return False

    def _on_descriptor(self, call: Call, number: int) -> bool:
        one = self._open[number]
        if call.name.startswith("dup") or call.args[1:2] in (["F_DUPFD"], ["F_DUPFD_CLOEXEC"]):
            self._open[call.result] = one
        elif call.name == "close":
            del self._open[number]
        elif call.name == "lseek":
            one.at = call.result
        elif call.name in ("fsync", "fdatasync"):
            one.node.sync(call.began)
            return True
        elif call.name in ("write", "pwrite64", "ftruncate"):
            return self._write(call, one)
        return False

    def _write(self, call: Call, one: Open) -> bool:
        assert isinstance(one.node, File)
        if call.name == "ftruncate":
            one.node.change(Change(call.ended, int(call.args[1]), None))
            return True
        content = text(call.args[1])[: call.result]
        if call.name == "pwrite64":
            offset = int(call.args[3])
        else:
            assert "O_RDWR" not in one.flags, "reads move the place of writes: not modelled"
            offset = one.node.size if "O_APPEND" in one.flags else one.at
            one.at = offset + len(content)
        one.node.change(Change(call.ended, offset, content))
        return True

    def _openat(self, call: Call) -> bool:
        path, flags = self._path(call, True), call.args[2]
        self._open.pop(call.result, None)
        if not path.is_relative_to(self.root):
            return False
        node = self._node(path)
        is_new = node is None
        if node is None:
            assert "O_CREAT" in flags, f"{path} was there before the recording"
            node = File()
            self._rename([(path, node)], call)
        elif "O_TRUNC" in flags and isinstance(node, File):
            node.change(Change(call.ended, 0, None))
        self._open[call.result] = Open(node, path, flags)
        return is_new or "O_TRUNC" in flags

    def _rename_or_remove(self, call: Call) -> bool:
        has_folder = "at" in call.name
        source = self._path(call, has_folder)
        if not source.is_relative_to(self.root):
            return False
        if call.name in ("unlink", "unlinkat", "rmdir"):
            return self._rename([(source, None)], call)
        target = self._path(call, has_folder, 2 if has_folder else 1)
        gone = [] if call.name.startswith("link") else [(source, None)]
        return self._rename([*gone, (target, self._node(source))], call)

    def _rename(self, changes: list[tuple[Path, File | Folder | None]], call: Call) -> bool:
        names = []
        for path, node in changes:
            folder = self._node(path.parent) if path.is_relative_to(self.root) else None
            if isinstance(folder, Folder) and path != self.root:
                names.append((folder, path.name, node))
        Renaming(call.ended, names).do()
        return bool(names)

    def _path(self, call: Call, has_folder: bool, first: int = 0) -> Path:
        said = Path(text(call.args[first + has_folder]).decode())
        if not has_folder or said.is_absolute():
            return said
        beside = self._open.get(int(call.args[first])) if call.args[first].isdigit() else None
        return (beside.path if beside else Path("/elsewhere")) / said

    def _node(self, path: Path) -> File | Folder | None:
        node: File | Folder | None = self.top
        for part in path.relative_to(self.root).parts:
            node = node.now.get(part) if isinstance(node, Folder) else None
        return node


def text(hexed: str) -> bytes:
    return bytes.fromhex(hexed.strip('"').replace("\\x", ""))


def write_image(folder: Folder, target: Path, rng: Random | None, *, is_lucky: bool) -> None:
    """What the disk holds after a power cut now.

    Parameters
    ----------
    rng
        Decides what of the unsynced is there; None keeps all of it or (unless lucky) nothing.
    """
    names = dict(folder.kept)
    for one in folder.pending:
        if (rng is None and is_lucky) or (rng is not None and rng.random() < 0.5):
            for _, name, node in [change for change in one.names if change[0] is folder]:
                put(names, name, node)
    target.mkdir(parents=True)
    for name, node in names.items():
        if isinstance(node, Folder):
            write_image(node, target / name, rng, is_lucky=is_lucky)
        else:
            (target / name).write_bytes(_content(node, rng, is_lucky))


def _content(file: File, rng: Random | None, is_lucky: bool) -> bytes:
    content = bytearray(file.kept)
    for change in file.pending:
        fate = ("whole" if is_lucky else "lost") if rng is None else rng.choice(FATES)
        if fate == "lost":
            continue
        if change.content is not None:
            change = change._replace(content=_damaged(change.content, fate, rng))
        apply(content, change)
    return bytes(content)


FATES = ("lost", "lost", "whole", "whole", "torn", "zeros", "garbage")


def _damaged(content: bytes, fate: str, rng: Random | None) -> bytes:
    if fate == "whole" or rng is None:
        return content
    if fate == "torn":
        return content[: rng.randrange(0, len(content) + 1, SECTOR)]
    kept = content[: rng.randrange(len(content) + 1)]
    rest = len(content) - len(kept)
    return kept + (bytes(rest) if fate == "zeros" else rng.randbytes(rest))


def images(
    recording: list[Call], root: Path, target: Path, *, seeds: int, cuts: int = 10**9
) -> Iterator[tuple[Path, bytes]]:
    """Every state a power cut may leave, one after the other: its folder, and what was acked.

    Parameters
    ----------
    root, target
        The folder that was recorded; where images are put, each in a folder of its own.
    seeds
        Random images at each cut, beside that of nothing unsynced and that of all of it.
    cuts
        At the most, evenly spread over the calls that matter.
    """
    first = Disk(root)
    n_calls = sum(first.replay(call) for call in recording)
    chosen = {number * n_calls // min(cuts, n_calls) for number in range(min(cuts, n_calls))}
    disk, number = Disk(root), -1
    for call in recording:
        number += disk.replay(call)
        if number not in chosen:
            continue
        chosen.remove(number)
        for seed in range(-2, seeds):
            rng = Random(f"{number}-{seed}") if seed >= 0 else None
            path = target / f"{number}-{seed}"
            write_image(disk.top, path, rng, is_lucky=seed == -1)
            yield path, disk.said
