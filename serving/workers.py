"""Several processes behind one listening socket: started, replaced, restarted, stopped."""

import asyncio
import gc
import logging
import math
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType

import uvicorn
import uvloop
from fastapi import FastAPI

from recsys.errors import ConfigError
from serving.draining import HEARD_S, Connection, Server
from serving.settings import Settings

log = logging.getLogger(__name__)

BACKLOG = 2_048
# Longer than load balancers keep a connection, so that they close it first and never send into one
# that is being closed.
KEEP_ALIVE_S = 75
# A worker that dies younger than this is restarted only after a pause, so that one that cannot
# start does not eat the machine.
YOUNG_S = 1.0
PAUSE_S = 0.5
# How much longer than its requests a worker may take to stop before it is killed.
KILL_AFTER_S = 3
# How long a worker that shall replace another may take until it answers.
START_S = 60.0
# Of every answer: nobody between here and the person keeps it, or takes it for something else.
HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
LOOK_S = 0.2
# Says to a worker that another one is new: kept connections would stay with those that lived on
# when one died, and the new one would have nothing to do.
SHARE = signal.SIGUSR1
# So long a thread that computes keeps others waiting: a list that reads the record waits for its
# turn several times, and with Python's own 5 ms a new bundle, or a flood of events being written,
# made lists take several times as long.
TURN_S = 0.001


def listening(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on; they wait until a worker is there.

    Raises
    ------
    ConfigError
        Somebody else listens there, or this process may not.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as cause:
        raise ConfigError(f"port {port} of {host} cannot be used: {cause.strerror}") from cause


@dataclass(slots=True)
class Replacing:
    """A rolling restart: old workers go one by one, each when a new one answers in its place.

    Parameters
    ----------
    old
        Those that are still to go.
    newcomer
        Who takes the place of the first of them once it answers.
    leaving
        Those told to stop, and until when they may take.
    """

    old: list[int] = field(default_factory=list)
    newcomer: int | None = None
    leaving: dict[int, float] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Workers:
    """A parent that keeps `n` workers alive on one socket.

    SIGTERM and SIGINT stop it; SIGHUP replaces every worker without dropping a request.

    Parameters
    ----------
    app
        Makes the application; called in each worker, after the fork.
    """

    sock: socket.socket
    n: int
    settings: Settings
    app: Callable[[], FastAPI]
    _born_at: dict[int, float] = field(default_factory=dict)
    _replacing: Replacing = field(default_factory=Replacing)
    _is_stopping: bool = False
    # Reading and writing ends. The parent alone holds the writing end of `_alive`, so workers see
    # when it is gone, however it went; on `_ready` workers say that they answer; signals wake.
    _alive: tuple[int, int] = field(default_factory=os.pipe)
    _ready: tuple[int, int] = field(default_factory=os.pipe)
    _woken: tuple[int, int] = field(default_factory=os.pipe)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; in a worker this never returns."""
        for end in (self._ready[0], *self._woken):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._woken[1], warn_on_full_buffer=False)
        for number, handler in self._handlers().items():
            signal.signal(number, handler)
        # Who has not begun to listen has nothing to share.
        signal.signal(SHARE, signal.SIG_IGN)
        # What was loaded so far stays for good: workers share it, and no collection walks it again.
        gc.freeze()
        for _ in range(self.n):
            self._start()
        while self._born_at:
            is_replacing = self._replacing.newcomer is not None or self._replacing.leaving
            wait_s = LOOK_S if is_replacing else None
            select.select([self._ready[0], self._woken[0]], [], [], wait_s)
            _emptied(self._woken[0])
            self._welcome()
            while self._bury():
                pass
            self._replace_next()

    def _handlers(self) -> dict[int, Callable[[int, FrameType | None], None]]:
        return {
            signal.SIGTERM: self._stop,
            signal.SIGINT: self._stop,
            signal.SIGALRM: self._kill,
            signal.SIGHUP: self._replace_all,
            # Without a handler the end of a worker would not wake the parent.
            signal.SIGCHLD: lambda _number, _frame: None,
        }

    def _start(self) -> int:
        pid = os.fork()
        if pid:
            self._born_at[pid] = time.monotonic()
            if self._is_stopping:
                os.kill(pid, signal.SIGTERM)
            return pid
        signal.set_wakeup_fd(-1)
        for number in self._handlers():
            signal.signal(number, signal.SIG_DFL)
        os.close(self._alive[1])
        sys.setswitchinterval(TURN_S)
        uvloop.run(self._work())
        sys.exit(0)

    def _bury(self) -> bool:
        """Whether a worker had ended; another one takes its place unless it was told to go."""
        pid, status = os.waitpid(-1, os.WNOHANG) if self._born_at else (0, 0)
        if not pid:
            return False
        lived_s = time.monotonic() - self._born_at.pop(pid)
        was_told = self._replacing.leaving.pop(pid, None) is not None
        if self._is_stopping or was_told:
            return True
        log.error("worker pid=%d ended status=%d", pid, os.waitstatus_to_exitcode(status))
        if pid == self._replacing.newcomer:
            self._give_up(f"the new worker pid={pid} did not start")
            return True
        if lived_s < YOUNG_S:
            time.sleep(PAUSE_S)
        if pid in self._replacing.old:
            self._replacing.old.remove(pid)
        if not self._is_stopping:
            self._start()
        return True

    def _welcome(self) -> None:
        """Hear who answers now: it gets a share of the work, or its elder may go."""
        replacing = self._replacing
        answering = {int(pid) for pid in _emptied(self._ready[0]).split()}
        if answering - {replacing.newcomer} and not self._is_stopping:
            self._signal(self._born_at.keys() - answering - replacing.leaving.keys(), SHARE)
        if replacing.newcomer not in answering:
            return
        replacing.newcomer = None
        if replacing.old:
            elder = replacing.old.pop(0)
            replacing.leaving[elder] = time.monotonic() + self.settings.stop_s + KILL_AFTER_S
            os.kill(elder, signal.SIGTERM)

    def _replace_all(self, _number: int, _frame: FrameType | None) -> None:
        there = [pid for pid in self._born_at if pid not in self._replacing.leaving]
        self._replacing.old = [pid for pid in there if pid != self._replacing.newcomer]
        log.info("replacing %d workers one by one", len(self._replacing.old))

    def _replace_next(self) -> None:
        """One at a time: the next is started when the last one's elder is gone."""
        replacing, now = self._replacing, time.monotonic()
        for pid in [pid for pid, until in replacing.leaving.items() if now > until]:
            log.error("worker pid=%d did not stop in time, killing it", pid)
            os.kill(pid, signal.SIGKILL)
        if replacing.newcomer is not None:
            if now - self._born_at[replacing.newcomer] > START_S:
                os.kill(replacing.newcomer, signal.SIGKILL)
        elif replacing.old and not replacing.leaving and not self._is_stopping:
            replacing.newcomer = self._start()

    def _give_up(self, why: str) -> None:
        log.error(
            "replacing ends here, %d workers stay as they were: %s", len(self._replacing.old), why
        )
        self._replacing.old, self._replacing.newcomer = [], None

    async def _work(self) -> None:
        config = uvicorn.Config(
            self.app(),
            http=Connection,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            headers=list(HEADERS.items()),
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=max(1, self.settings.stop_s - math.ceil(HEARD_S)),
        )
        server = Server(config, self._is_ready)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._alive[0], setattr, server, "should_exit", True)
        loop.add_signal_handler(SHARE, server.share, self.n)
        await server.serve(sockets=[self.sock])

    def _is_ready(self) -> None:
        # The bundle and what answers with it stay as well.
        gc.collect()
        gc.freeze()
        os.write(self._ready[1], b"%d\n" % os.getpid())

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        # A terminal sends SIGINT to workers too, and a second one would cut their requests: so
        # they always get SIGTERM from here.
        self._is_stopping = True
        self.sock.close()
        signal.alarm(self.settings.stop_s + KILL_AFTER_S)
        self._signal(self._born_at, signal.SIGTERM)

    def _kill(self, _number: int, _frame: FrameType | None) -> None:
        log.error("workers did not stop in time, killing %d", len(self._born_at))
        self._signal(self._born_at, signal.SIGKILL)

    def _signal(self, pids: Iterable[int], number: int) -> None:
        for pid in list(pids):
            os.kill(pid, number)


def _emptied(pipe: int) -> bytes:
    """All that was said on a pipe."""
    said = b""
    with suppress(BlockingIOError):
        while part := os.read(pipe, 4_096):
            said += part
    return said
