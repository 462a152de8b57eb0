"""The scenarios of `dapei bench faults`, by the test they belong to, and their figures as rows.

To add one: write a function from a home to what it saw (`Broken`), and a line here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.home import Home
from serving.bench_faults import Broken, Press, killed_workers, rolling_restart, swapped_bundles
from serving.bench_faults_crowd import event_flood, held_loop, slow_clients
from serving.bench_faults_cut import cut_redis
from serving.bench_faults_disk import failed_fsync, failed_writes
from serving.bench_faults_hurry import hurried
from serving.bench_faults_redis import emptied_redis, frozen_redis, killed_redis, one_for_all
from serving.bench_faults_soak import soak
from serving.bench_faults_start import bare_start, damaged_bundle, killed_service

Row = dict[str, Any]
SHOWN = {
    "requests": "lists",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "max_ms": "max ms",
    "valid_%": "valid %",
    "lost": "lost",
}
Run = Callable[[Home], Broken]
# Half of what two cores shared with the client do, so that latency is not the queue's.
STEADY = Press(lists_per_second=150)
MANY = Press(lists_per_second=500, connections=64)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What breaks, and how to see what people notice of it."""

    says: str
    run: Run


SCENARIOS: Mapping[str, Scenario] = {
    "R01": Scenario("parent and workers killed, started again", killed_service),
    "R03": Scenario("fsync fails", failed_fsync),
    "R04": Scenario("no space for writes", failed_writes),
    "R15": Scenario("a flood of events", event_flood),
    "R16": Scenario("callers that wait 5 to 50 ms", hurried),
    "R17": Scenario("Redis killed, back after 5 s", killed_redis),
    "R18": Scenario("Redis frozen for 30 s", frozen_redis),
    "R19": Scenario("packets to Redis swallowed, then refused", cut_redis),
    "R23": Scenario("Redis emptied five times", emptied_redis),
    "R25": Scenario("four of five lists for one person", one_for_all),
    "R28": Scenario("a bundle of 50 MB with a flipped bit", damaged_bundle),
    "R32": Scenario("20 swaps of the bundle", lambda home: swapped_bundles(home, press=STEADY)),
    "R34": Scenario("no bundle, nothing in the record", bare_start),
    "R35": Scenario("10 rolling restarts", lambda home: rolling_restart(home, press=MANY)),
    "R37": Scenario("500 clients of a byte a second", slow_clients),
    "R38": Scenario("a worker killed every 5 s", lambda home: killed_workers(home, times=5)),
    "R39": Scenario(
        "two minutes, a fault every ten seconds", lambda home: soak(home, seconds=120, every_s=10)
    ),
    "R40": Scenario("a steady load", held_loop),
}


def row_of(name: str, home: Path) -> Row:
    """Run one scenario in a home that is its own; its figures."""
    scenario = SCENARIOS[name]
    broken = scenario.run(Home(home))
    return {
        "test": name,
        "says": scenario.says,
        **broken.lists.figures(),
        "dropped": broken.lists.dropped + broken.events.dropped,
        "refused": broken.lists.refused + broken.events.refused,
        "lost": len(broken.lost),
        "more": broken.more,
    }


def shown(value: float) -> str:
    """A figure in a table; a dash where nothing was asked."""
    return "–" if value != value else f"{value:,}"


def page(rows: Sequence[Row]) -> str:
    """The rows as a section of `benchmarks/RESULTS.md`."""
    lines = [
        "## Faults",
        "",
        "Latency of lists while something is broken; `valid` counts every list that was asked for, "
        "`lost` acknowledged events that the record does not hold.",
        "",
        "| test | what breaks | " + " | ".join(SHOWN.values()) + " | more | command |",
        "|---|---|--:|--:|--:|--:|--:|--:|---|---|",
    ]
    for row in rows:
        more = ", ".join(f"{name} {value:g}" for name, value in row["more"].items())
        told = " | ".join(shown(row[key]) for key in SHOWN)
        command = f"`dapei bench faults --only {row['test']}`"
        lines.append(f"| {row['test']} | {row['says']} | {told} | {more} | {command} |")
    return "\n".join(lines) + "\n"
