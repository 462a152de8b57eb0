"""Scenarios of starting: after a kill, with nothing there, with bundles that must be refused."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from data.home import Home
from recsys.bundle_files import read
from recsys.errors import BundleError, RecsysError
from recsys.signing import SigningKey
from serving.bench_faults import Broken, Press, lost_of, under_load
from serving.bench_faults_load import lists
from serving.bench_faults_shop import PROGRAM, furnish, serving, start
from serving.bench_world import CLUSTER

# So many items of the synthetic shop make a bundle of about 50 MB.
ITEMS_50_MB = 25 * CLUSTER
FLIPS = 5


def killed_service(home: Home) -> Broken:
    """R01: parent and workers are killed at once under load, and started again."""
    ready_ms: list[float] = []
    served = start(home.root)
    served.until_ready()
    again = [served]

    def breaking() -> None:
        served.kill()
        again.append(start(home.root, port=served.port))
        ready_ms.append(again[-1].until_ready())

    try:
        broken = under_load(served, breaking, press=Press(tries=1))
    finally:
        again[-1].kill()
    broken.more["ready_again_ms"] = round(ready_ms[0], 1)
    broken.lost = lost_of(home, broken.events)
    return broken


def bare_start(home: Home, *, program: Sequence[str] = PROGRAM) -> Broken:
    """R34: no bundle, no histories, an empty record, nobody else to talk to."""
    for path in (home.bundles, home.histories, home.keys):
        shutil.rmtree(path, ignore_errors=True)
    home.record_path.unlink(missing_ok=True)
    with serving(home.root, program=program) as served:
        ready_ms = served.until_ready()
        broken = under_load(
            served, lambda: time.sleep(1), press=Press(), list_of=lists(str, is_fallback)
        )
    broken.more["ready_ms"] = round(ready_ms, 1)
    broken.lost = lost_of(home, broken.events)
    return broken


def is_fallback(status: int, body: bytes) -> bool:
    """Whether an answer is a well-formed list that says that it is not what it could be."""
    return status == 200 and b'"degraded":["' in body and b'"items":[' in body


def damaged_bundle(home: Home) -> Broken:
    """R28: how long it takes to refuse a bundle of 50 MB with one flipped bit, at the worst."""
    spent_ms, n_bytes = [], 0
    with TemporaryDirectory(dir=home.root) as folder:
        big = furnish(Path(folder), n_items=ITEMS_50_MB, persons=1)
        public = SigningKey.load_or_make(big.keys).public
        bundle = next(path for path in sorted(big.bundles.iterdir()) if path.name == "faults-1")
        files = sorted(bundle.glob("*.npy"), key=lambda path: path.stat().st_size)
        n_bytes = sum(path.stat().st_size for path in files)
        # Hashes are compared in the order of names, so the last ones cost the most.
        for path in sorted(files)[-FLIPS:]:
            flip(path, path.stat().st_size // 2)
            started_at = time.perf_counter()
            if not is_refused(bundle, big):
                raise RecsysError(f"a bundle with a flipped bit in {path.name} was not refused")
            spent_ms.append(1_000 * (time.perf_counter() - started_at))
            flip(path, path.stat().st_size // 2)
        read(bundle, public)
    return Broken(more={"refused_ms": round(max(spent_ms), 1), "mb": round(n_bytes / 1e6, 1)})


def is_refused(bundle: Path, home: Home) -> bool:
    """Whether reading a bundle fails as it should: with a BundleError."""
    try:
        read(bundle, SigningKey.load_or_make(home.keys).public)
    except BundleError:
        return True
    return False


def flip(path: Path, at: int, bit: int = 3) -> None:
    """Change one bit of a file; a second time changes it back."""
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ (1 << bit)]))
