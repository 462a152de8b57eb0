"""A small shop on disk for fault tests, and its service in processes that can be broken."""

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import orjson

from data.home import Home
from data.record import Record
from recsys.bundle_files import write
from recsys.errors import RecsysError
from recsys.ids import Texts
from recsys.pointer import publish
from recsys.signing import SigningKey
from serving.bench_faults_load import event_bodies
from serving.bench_world import histories, synthetic_bundle
from serving.leash import leashed

N_ITEMS, PERSONS, EVENTS_A_PERSON = 1_000, 200, 30
BUNDLES = ("faults-1", "faults-2")
# Titles begin so in the second bundle: an answer made of both would show it.
NEWER = "新 "
PROGRAM = (sys.executable, "-m", "dapei")
START_S = 60.0
LOOK_S = 0.005
ASK_S = 30.0


def furnish(folder: Path, *, n_items: int = N_ITEMS, persons: int = PERSONS) -> Home:
    """A home with a bundle in use, one with other titles beside it, and people with histories."""
    home = Home(folder)
    key = SigningKey.load_or_make(home.keys)
    bundle = synthetic_bundle(n_items, BUNDLES[0])
    write(bundle, home.bundles, key)
    titles = [NEWER + bundle.catalog.titles[n] for n in range(n_items)]
    newer = replace(bundle.catalog, titles=Texts.of(titles))
    write(replace(bundle, bundle_id=BUNDLES[1], catalog=newer), home.bundles, key)
    publish(home.bundles, BUNDLES[0], key)
    record, now = Record.of(home), datetime.now(UTC)
    record.append(list(histories(n_items, persons, EVENTS_A_PERSON, now)), received_at=now)
    record.close()
    return home


@dataclass(slots=True, kw_only=True)
class Serving:
    """A service in a process group of its own.

    Attributes
    ----------
    parent
        The process that keeps the workers.
    started_at
        On the monotonic clock.
    """

    parent: "subprocess.Popen[str]"
    port: int
    started_at: float

    def workers(self) -> list[int]:
        """The workers' process ids."""
        listed = Path(f"/proc/{self.parent.pid}/task/{self.parent.pid}/children").read_text()
        return [int(pid) for pid in listed.split()]

    def processes(self) -> list[int]:
        """Every process of the service."""
        stats = [path for path in Path("/proc").glob("[0-9]*/stat") if path.exists()]
        fields = {int(path.parent.name): _fields(path) for path in stats}
        return [pid for pid, said in fields.items() if said[2:3] == [str(self.parent.pid)]]

    def rss_mb(self) -> float:
        """Memory of all its processes that nobody else has, MB."""
        rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in self.processes()]
        private = re.compile(r"Private_\w+: +(\d+) kB")
        return sum(int(kb) for text in rollups for kb in private.findall(text)) / 1_024

    def arrays(self) -> int:
        """How many arrays of bundles its workers have in memory, whatever their size."""
        maps = [Path(f"/proc/{pid}/maps").read_text() for pid in self.workers()]
        return sum(text.count(".npy\n") for text in maps)

    def post_events(self, mark: str, batch: int = 1) -> tuple[int, dict[str, str], bytes]:
        """Send a few events on a connection of its own; status, headers and body."""
        return self.ask("POST", "/v1/events", event_bodies(mark, 0, batch))

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ASK_S)
        try:
            content = b"" if body is None else orjson.dumps(body)
            connection.request(method, path, content, {"content-type": "application/json"})
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, headers, answer.read()
        finally:
            connection.close()

    def is_ready(self) -> bool:
        """Whether it takes requests."""
        try:
            return self.ask("GET", "/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def until_ready(self) -> float:
        """Wait; milliseconds since the start."""
        until(self.is_ready)
        return 1_000 * (time.monotonic() - self.started_at)

    def stop(self) -> float:
        """SIGTERM; seconds until all of it was gone."""
        told_at = time.monotonic()
        self.parent.send_signal(signal.SIGTERM)
        self.parent.wait(START_S)
        return time.monotonic() - told_at

    def kill(self) -> None:
        """SIGKILL for parent and workers."""
        if self.parent.poll() is None:
            os.killpg(self.parent.pid, signal.SIGKILL)
        self.parent.wait()


def start(
    home: Path,
    *,
    workers: int = 1,
    port: int = 0,
    program: Sequence[str] = PROGRAM,
    log: Path | None = None,
) -> Serving:
    """Start a service; returns when its socket listens.

    Parameters
    ----------
    program
        What takes the words `serve --home …`: the command, or it with a defect put back.
    log
        Gets what it says on stderr; by default nobody does.

    Raises
    ------
    RecsysError
        It did not start.
    """
    command = [*program, "serve", "--home", str(home)]
    command += ["--port", str(port), "--workers", str(workers)]
    started_at = time.monotonic()
    with (log or Path(os.devnull)).open("ab") as stderr:
        parent = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
            preexec_fn=leashed,
        )
    assert parent.stdout is not None
    with parent.stdout as said:
        line = said.readline()
    if "http://127.0.0.1:" not in line:
        parent.kill()
        raise RecsysError(f"the service did not start, it said {line!r}")
    listens_at = int(line.split("http://127.0.0.1:")[1].split()[0])
    return Serving(parent=parent, port=listens_at, started_at=started_at)


def _fields(stat: Path) -> list[str]:
    """State, parent, group … of a process; none if it has just ended."""
    try:
        return stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


@contextmanager
def serving(home: Path, **more: object) -> Iterator[Serving]:
    """A ready service, ended however this ends."""
    served = start(home, **more)  # type: ignore[arg-type]
    try:
        served.until_ready()
        yield served
    finally:
        served.kill()


def until(holds: Callable[[], object], seconds: float = START_S) -> None:
    """Wait until something holds.

    Raises
    ------
    RecsysError
        It did not in time.
    """
    end_at = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end_at:
            raise RecsysError(f"what was waited for did not come in {seconds:g} s")
        time.sleep(LOOK_S)


def stored_ids(home: Home) -> list[str]:
    """The ids of all events the record holds, in order of arrival."""
    record = Record.of(home)
    try:
        batches = record.events_between(0, record.last_seq())
        return [event.event_id for batch in batches for _, event, _ in batch]
    finally:
        record.close()
