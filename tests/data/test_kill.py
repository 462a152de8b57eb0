import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from threading import Timer

import pytest

from data.record import Record
from recsys.events import millis

ROOT = Path(__file__).parents[2]
CHILD = Path(__file__).with_name("ingest_child.py")
BATCH = 100
FIRST_MS = 1_779_235_200_000
# The share of acknowledgements that never reach the client, which then sends the batch again.
LOST_ANSWERS = 0.02


def child(path: Path, numbers: list[int], defect: str = "none") -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, str(CHILD), str(path), defect],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    process.stdin.write("".join(f"{number}\n" for number in numbers))
    process.stdin.close()
    return process


@dataclass
class Client:
    """Sends batches until each is acknowledged, whatever happens to the process that takes them."""

    path: Path
    n_batches: int
    defect: str = "none"
    rng: Random = field(default_factory=lambda: Random(7))
    acked: set[int] = field(default_factory=set)
    duplicates: int = 0

    def life(self, kill_after: int | None) -> bool:
        """One process, killed soon after so many answers; whether it was killed alive."""
        open_numbers = [n for n in range(self.n_batches) if n not in self.acked]
        process = child(self.path, open_numbers, self.defect)
        killer = Timer(self.rng.uniform(0, 0.02), process.kill)
        for heard, line in enumerate(process.stdout, start=1):
            if heard == kill_after:
                killer.start()
            self._hear(line)
        process.stdout.close()
        killer.cancel()
        return process.wait() < 0

    def _hear(self, line: str) -> None:
        if not line.endswith("\n"):
            return
        number, duplicates = map(int, line.split())
        self.duplicates += duplicates
        if self.rng.random() >= LOST_ANSWERS:
            self.acked.add(number)

    def finish(self) -> None:
        while len(self.acked) < self.n_batches:
            self.life(None)


def stored(path: Path) -> Counter[int]:
    """How often each event is in the record, by its number."""
    record = Record.open(path)
    found = Counter(
        millis(event.at) - FIRST_MS
        for batch in record.events_between(0, record.last_seq())
        for _, event, _ in batch
    )
    record.close()
    return found


def lost_and_doubled(client: Client) -> tuple[int, int]:
    found = stored(client.path)
    lost = sum(n not in found for n in range(client.n_batches * BATCH))
    return lost, sum(count > 1 for count in found.values())


def test_twenty_kills_lose_nothing_acknowledged_and_double_nothing(tmp_path):
    client = Client(tmp_path / "record.db", n_batches=1_000)
    kills = sum(client.life(client.rng.randint(2, 45)) for _ in range(20))
    assert kills == 20
    client.finish()
    assert lost_and_doubled(client) == (0, 0)
    assert client.duplicates > 0


@pytest.mark.parametrize("defect", ["early answer", "new ids"])
def test_the_check_sees_the_defect(tmp_path, defect):
    client = Client(tmp_path / "record.db", n_batches=300, defect=defect)
    for _ in range(2):
        client.life(10)
    client.finish()
    lost, doubled = lost_and_doubled(client)
    assert (lost > 0) == (defect == "early answer")
    assert (doubled > 0) == (defect == "new ids")


def test_processes_that_send_the_same_store_it_once(tmp_path):
    numbers = [0, 1, 2] * 10
    for _ in range(2):
        processes = [child(tmp_path / "record.db", numbers) for _ in range(3)]
        for process in processes:
            assert process.stdout.read().count("\n") == len(numbers)
            process.stdout.close()
            assert process.wait() == 0
    found = stored(tmp_path / "record.db")
    assert set(found) == set(range(300))
    assert set(found.values()) == {1}
