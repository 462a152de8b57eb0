"""`make demo`: the sample shop from its files to lists that change, in one terminal.

It starts the service as anybody would, by the command, and talks to it over HTTP.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from training.demo_story import Client, Guest, Sample, console, headline, table, watched

SAMPLE = Path(__file__).parents[1] / "data" / "sample"
READY_WITHIN_S = 30
STOPPED_WITHIN_S = 15
WATCHED, WATCHED_NEXT = "营灯", "咖啡豆"
# The bundle was measured on everybody when it was learned; here a look at the tables is enough.
MEASURED_PEOPLE = "200"


def main(
    home: Annotated[Path, typer.Option(help="Folder of the demo's shop; made on first use.")],
    once: Annotated[bool, typer.Option(help="Stop the service after the lists.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any free one.")] = 0,
) -> None:
    """Import, train, evaluate and serve the sample shop, then show lists of three people."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    out = console()
    for name, lines in (("products", "jsonl"), ("videos", "jsonl"), ("events", "csv.gz")):
        files = (SAMPLE / f"{name}.toml", SAMPLE / f"{name}.{lines}")
        run_step(out, f"Import the {name}", "import", *map(str, files), "--home", str(home))
    run_step(out, "Learn a bundle and publish it", "train", "--home", str(home), "--publish")
    measured = ("evaluate", "--home", str(home), "--k", "10", "--people", MEASURED_PEOPLE)
    run_step(out, "Measure it on a split by time", *measured)
    out.rule("[bold]Start the service[/bold]")
    with serving(home, port or free_port()) as (service, client):
        tell_story(out, client, Sample(SAMPLE))
        if not once:
            stay(out, service)


def run_step(out: Console, title: str, *words: str) -> None:
    """Run one sub-command of `dapei` in sight; if it fails, the demo ends with its exit code."""
    out.rule(f"[bold]{title}[/bold]")
    out.print(f"$ dapei {' '.join(words)}", style="dim", soft_wrap=True, markup=False)
    # A step that writes to a file or a pipe cannot ask a terminal how wide tables may be.
    environment = os.environ | {"COLUMNS": str(out.width)}
    command = [sys.executable, "-m", "dapei", *words]
    code = subprocess.run(command, check=False, env=environment).returncode
    if code:
        out.print(f"[red]dapei {words[0]} failed with exit code {code}; the demo stops here.[/red]")
        raise typer.Exit(code)


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def serving(home: Path, port: int) -> Iterator[tuple[subprocess.Popen[bytes], Client]]:
    """A service that answers, stopped on the way out; what it says goes to serve.log."""
    command = [sys.executable, "-m", "dapei", "serve", "--home", str(home), "--port", str(port)]
    with (home / "serve.log").open("wb") as log:
        service = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    client = Client(f"http://127.0.0.1:{port}")
    try:
        wait_ready(service, client, home / "serve.log")
        yield service, client
    finally:
        service.terminate()
        service.wait(STOPPED_WITHIN_S)


def wait_ready(service: subprocess.Popen[bytes], client: Client, log: Path) -> None:
    """Return once the service may get requests; exit if it ended or takes too long."""
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and service.poll() is None:
        try:
            with urllib.request.urlopen(client.url + "/readyz", timeout=1):
                return
        except OSError:
            # Not listening yet, or not ready yet (an HTTPError is an OSError too).
            time.sleep(0.05)
    typer.echo(f"the service is not ready; what it said is in {log}", err=True)
    raise typer.Exit(service.poll() or 1)


def tell_story(out: Console, client: Client, sample: Sample) -> None:
    """Three people's lists, one event, and what it changed."""
    guests = sample.guests()
    for guest in guests:
        show_guest(out, client, sample, guest)
    newcomer = guests[-1].user_id
    before = client.ask("home", newcomer)
    video = sample.named("videos.jsonl", WATCHED)
    event = watched(video, newcomer, datetime.now(UTC))
    receipt = client.tell(event)
    after = client.ask("home", newcomer)
    out.rule(f"[bold]{newcomer} watches one video: {video['title']}[/bold]")
    out.print(f"accepted: {receipt['accepted']} event; before: {headline(before)}")
    out.print(table("home, one moment later", after, before))
    out.print(headline(after))
    out.rule("[bold]Go on[/bold]")
    more = watched(sample.named("videos.jsonl", WATCHED_NEXT), newcomer, datetime.now(UTC))
    for line in (
        client.curl("/v1/lists", client.list_body("home", guests[0].user_id)),
        client.curl("/v1/events", {"events": [more]}),
        f"curl -s {client.url}/readyz",
    ):
        out.print(line, soft_wrap=True, markup=False)


def show_guest(out: Console, client: Client, sample: Sample, guest: Guest) -> None:
    """One person's page and what comes after an order."""
    out.rule(f"[bold]{guest.user_id}[/bold], {guest.about}")
    home = client.ask("home", guest.user_id)
    out.print(table("home", home))
    out.print(headline(home))
    ordered = sample.named("products.jsonl", guest.ordered)
    after = client.ask("post_checkout", guest.user_id, (ordered["item_id"],))
    out.print(table(f"after ordering {ordered['title']}", after))
    out.print(headline(after))


def stay(out: Console, service: subprocess.Popen[bytes]) -> None:
    """Keep the service until Ctrl-C, or say that it ended by itself."""
    out.print("The service goes on; Ctrl-C stops it.", style="bold")
    try:
        code = service.wait()
    except KeyboardInterrupt:
        out.print("stopping")
        return
    out.print(f"[red]the service ended by itself with exit code {code}[/red]")
    raise typer.Exit(code or 1)


if __name__ == "__main__":
    typer.run(main)
