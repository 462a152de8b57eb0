"""Which bundle is in use: a signed pointer with a counter that only rises, and the way back.

`current.json` is the pointer; `pointers/` keeps every pointer there was, by counter.
"""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from recsys.errors import BundleError
from recsys.files import locked, make_folder, write_atomic
from recsys.seals import MANIFEST, check_files, check_name, clear_unfinished, read_manifest
from recsys.signing import SigningKey, VerifyKey

CURRENT, PAST = "current.json", "pointers"
# Bundles kept, of those that were in use and of those that never were.
KEPT = 3
_PURPOSE = "bundle pointer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """One decision to use a bundle.

    Parameters
    ----------
    counter
        Rises with every pointer; a reader refuses one lower than it has seen.
    repeats
        Counter of the pointer this one goes back to; its own where it goes forward. So a second
        rollback goes further back, not forward again.
    """

    bundle_id: str
    counter: int
    repeats: int


def publish(folder: Path, bundle_id: str, key: SigningKey) -> Pointer:
    """Point to a bundle that is there, and drop the oldest ones.

    Raises
    ------
    BundleError
        The bundle is missing, damaged or not ours.
    """
    with locked(folder):
        return _point(folder, bundle_id, key, repeats=None)


def rollback(folder: Path, key: SigningKey) -> Pointer:
    """Point to the bundle that was in use before the present one.

    Raises
    ------
    BundleError
        There is none, or it is damaged.
    """
    with locked(folder):
        now = read_pointer(folder, key.public)
        earlier = [
            past
            for past in history(folder, key.public)
            if now is not None
            and past.counter == past.repeats < now.repeats
            and past.bundle_id != now.bundle_id
            and (folder / past.bundle_id).is_dir()
        ]
        if not earlier:
            raise BundleError("there is no earlier bundle to go back to")
        return _point(folder, earlier[-1].bundle_id, key, repeats=earlier[-1].counter)


def _point(folder: Path, bundle_id: str, key: SigningKey, *, repeats: int | None) -> Pointer:
    path = folder / check_name(bundle_id, "bundle_id")
    check_files(path, read_manifest(path, key.public))
    # The past is written before the pointer, so its highest counter is the highest ever given.
    counter = 1 + max((past.counter for past in history(folder, key.public)), default=0)
    pointer = Pointer(bundle_id=bundle_id, counter=counter, repeats=repeats or counter)
    content = _sealed(pointer, key)
    past = folder / PAST
    make_folder(past)
    write_atomic(past / f"{counter:08d}.json", content)
    write_atomic(folder / CURRENT, content)
    _drop_old(folder, key.public)
    return pointer


def _sealed(pointer: Pointer, key: SigningKey) -> bytes:
    said = orjson.dumps(asdict(pointer))
    signature = key.sign(_PURPOSE, said).hex()
    return orjson.dumps({"pointer": said.decode(), "signature": signature})


def _opened(path: Path, public: VerifyKey) -> Pointer:
    try:
        sealed = orjson.loads(path.read_bytes())
        said, signature = sealed["pointer"].encode(), bytes.fromhex(sealed["signature"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as cause:
        raise BundleError(f"pointer {path.name} is damaged: {cause!r:.100}") from cause
    public.check(_PURPOSE, said, signature)
    return Pointer(**orjson.loads(said))


def read_pointer(folder: Path, public: VerifyKey, *, at_least: int = 0) -> Pointer | None:
    """The pointer to the bundle in use; None where nothing was published yet.

    Parameters
    ----------
    at_least
        The highest counter the reader has seen.

    Raises
    ------
    BundleError
        The pointer is damaged, not ours, or older than one seen before.
    """
    path = folder / CURRENT
    if not path.exists():
        if at_least:
            raise BundleError(f"pointer {CURRENT} is gone, after counter {at_least} was seen")
        return None
    pointer = _opened(path, public)
    if pointer.counter < at_least:
        raise BundleError(
            f"pointer {CURRENT} went back, got counter {pointer.counter}; "
            f"allowed: {at_least} or more"
        )
    return pointer


def pointed(folder: Path, public: VerifyKey) -> str | None:
    """The id of the bundle in use; None where nothing was published yet."""
    pointer = read_pointer(folder, public)
    return None if pointer is None else pointer.bundle_id


def history(folder: Path, public: VerifyKey) -> list[Pointer]:
    """Every pointer there was, oldest first."""
    return [_opened(path, public) for path in sorted((folder / PAST).glob("*.json"))]


def bundle_ids(folder: Path) -> list[str]:
    """The ids of the bundles there are, oldest first."""
    paths = sorted(folder.glob(f"[!.]*/{MANIFEST}"), key=_age)
    return [path.parent.name for path in paths]


def _age(manifest: Path) -> tuple[int, str]:
    return manifest.stat().st_mtime_ns, manifest.parent.name


def drop_old(folder: Path, public: VerifyKey) -> None:
    """Keep the last bundles that were in use and the last that never were; remove the others."""
    with locked(folder):
        _drop_old(folder, public)


def _drop_old(folder: Path, public: VerifyKey) -> None:
    used = list(dict.fromkeys(past.bundle_id for past in reversed(history(folder, public))))
    never_used = [one for one in reversed(bundle_ids(folder)) if one not in used]
    clear_unfinished(folder)
    for bundle_id in used[KEPT:] + never_used[KEPT:]:
        path = folder / bundle_id
        if path.is_dir():
            # Renamed first, so that nobody opens a bundle that is half gone.
            shutil.rmtree(path.rename(folder / f".{bundle_id}.unfinished"))
