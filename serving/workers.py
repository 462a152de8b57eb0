"""Several processes behind one listening socket: started, restarted when they die, stopped."""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

import uvicorn
import uvloop
from fastapi import FastAPI

from recsys.errors import ConfigError
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


@dataclass(slots=True, kw_only=True)
class Workers:
    """A parent that keeps `n` workers alive on one socket.

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
    _is_stopping: bool = False

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; in a worker this never returns."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGALRM, self._kill)
        # What was loaded so far stays for good: workers share it, and no collection walks it again.
        gc.freeze()
        # Its other end is closed when the parent is gone, however it went; then workers stop.
        alive, held = os.pipe()
        for _ in range(self.n):
            self._start(alive, held)
        while self._born_at:
            self._bury(alive, held)

    def _start(self, alive: int, held: int) -> None:
        pid = os.fork()
        if pid:
            self._born_at[pid] = time.monotonic()
            if self._is_stopping:
                os.kill(pid, signal.SIGTERM)
            return
        os.close(held)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        uvloop.run(self._work(alive))
        sys.exit(0)

    def _bury(self, alive: int, held: int) -> None:
        """Wait for a worker to end and start another one in its place."""
        pid, status = os.wait()
        lived_s = time.monotonic() - self._born_at.pop(pid)
        if self._is_stopping:
            return
        log.error("worker pid=%d ended status=%d", pid, os.waitstatus_to_exitcode(status))
        if lived_s < YOUNG_S:
            time.sleep(PAUSE_S)
        if not self._is_stopping:
            self._start(alive, held)

    async def _work(self, alive: int) -> None:
        config = uvicorn.Config(
            self.app(),
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=self.settings.stop_s,
        )
        server = uvicorn.Server(config)
        asyncio.get_running_loop().add_reader(alive, setattr, server, "should_exit", True)
        await server.serve(sockets=[self.sock])

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        # A terminal sends SIGINT to workers too, and a second one would cut their requests: so
        # they always get SIGTERM from here.
        self._is_stopping = True
        self.sock.close()
        signal.alarm(self.settings.stop_s + KILL_AFTER_S)
        self._signal_all(signal.SIGTERM)

    def _kill(self, _number: int, _frame: FrameType | None) -> None:
        log.error("workers did not stop in time, killing %d", len(self._born_at))
        self._signal_all(signal.SIGKILL)

    def _signal_all(self, number: int) -> None:
        for pid in list(self._born_at):
            os.kill(pid, number)
