"""Ends erasures in a process that kills itself at its nth write: `erase_child.py HOME N`."""

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from data.erasing import finish_erasures
from data.home import Home

# What makes something durable or visible, as the interpreter tells of it.
WATCHED = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree"}
left = int(sys.argv[2])


def count() -> None:
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)


def fsync(handle: int) -> None:
    count()
    real(handle)


sys.addaudithook(lambda name, _: count() if name in WATCHED else None)
real, os.fsync = os.fsync, fsync

if __name__ == "__main__":
    from sqlalchemy import Engine, event

    event.listen(Engine, "commit", lambda _: count())
    finish_erasures(Home(Path(sys.argv[1])), now=datetime.now(UTC))
