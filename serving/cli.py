"""`dapei serve`: its words; what it loads is loaded while the bundle is being checked."""

import gc
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from data.home import Home
from recsys.errors import RecsysError
from recsys.pointer import read_pointer
from recsys.seals import Checked, check_files, read_manifest
from recsys.signing import VerifyKey

# Files that are read at once: a third would only take the processor from what is loaded meanwhile.
CHECKERS = 2
# All that serving needs, a second of loading.
START = "serving.start"

app = typer.Typer(no_args_is_help=True)

HomeOption = Annotated[Path, typer.Option(envvar="DAPEI_HOME", help="The shop's home folder.")]
ClockOption = Annotated[
    bool,
    typer.Option(
        "--simulated-clock",
        help="For `dapei simulate --url`: requests say what time it is. Loopback only.",
    ),
]


@app.command()
def serve(
    home: HomeOption,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes.")] = 1,
    simulated_clock: ClockOption = False,
) -> None:
    """Answer lists and take events in over HTTP, until SIGTERM or Ctrl-C."""
    shop, threads = Home(home), ThreadPoolExecutor(1)
    # A million items take a second to read, and so does the service to load: both at once.
    checking = threads.submit(checked_bundle, shop)
    threads.shutdown(wait=False)
    # What is loaded stays for good; to look through it again and again took a fifth of the time.
    gc.disable()
    try:
        start = import_module(START)
        asked = start.Asked(
            home=shop, host=host, port=port, workers=workers, simulated_clock=simulated_clock
        )
        start.run(asked, checking)
    finally:
        gc.enable()


def checked_bundle(home: Home) -> Checked | None:
    """The bundle in use, its files compared with what was signed; None if it cannot be used.

    Why it cannot, a worker says when it looks for itself.
    """
    try:
        public = VerifyKey.load(home.keys)
        pointer = read_pointer(home.bundles, public)
        if pointer is None:
            return None
        path = home.bundles / pointer.bundle_id
        return check_files(path, read_manifest(path, public), n_threads=CHECKERS)
    except RecsysError:
        return None
