"""TRUST R28, R29, R30: damaged, hostile and unsigned bundles are refused; the old one serves."""

import ast
import io
import os
import pickle
import random
import shutil
import zipfile
from pathlib import Path

import numpy as np
import orjson
import pytest

from data.record import Record
from recsys import bundle_files as bundles
from recsys.bundle_files import MANIFEST, SIGNATURE, read
from recsys.errors import BundleError
from recsys.files import sha256_of
from recsys.pointer import publish
from recsys.signing import SigningKey, VerifyKey
from serving.bundles import Watcher
from tests.serving.conftest import TABLE, Shop

FLIPS, CUTS = 1_000, 100
ROOT = Path(__file__).parents[2]


def put(path: Path, content: bytes) -> None:
    """A new file in the old one's place: who has mapped the old one still reads it whole."""
    beside = path.parents[2] / "beside"
    beside.write_bytes(content)
    beside.replace(path)


class Place:
    """A bundle folder that is damaged again and again, and mended."""

    def __init__(self, shop: Shop) -> None:
        shop.publish("bundle-1")
        self.key = SigningKey.load_or_make(shop.home.keys)
        self.path = shop.home.bundles / "bundle-1"
        self.files = sorted(self.path.iterdir())
        self.sound = {path: path.read_bytes() for path in self.files}

    def is_refused(self) -> bool:
        try:
            read(self.path, self.key.public, table=TABLE)
        except BundleError:
            return True
        return False

    def mend(self, path: Path) -> None:
        path.write_bytes(self.sound[path])


@pytest.fixture
def place(planted):
    return Place(planted)


def flipped(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(8 * len(content))
    damaged = bytearray(content)
    damaged[at // 8] ^= 1 << at % 8
    return bytes(damaged)


def refused_of(place: Place, n: int, damage, seed: int = 28) -> int:
    """How many of n damaged bundles were refused; each is damaged in one file."""
    rng, refused = random.Random(seed), 0
    for _ in range(n):
        path = rng.choice(place.files)
        path.write_bytes(damage(place.sound[path], rng))
        refused += place.is_refused()
        place.mend(path)
    assert not place.is_refused(), "the mended bundle is not"
    return refused


def test_every_flipped_bit_is_refused(place):
    assert refused_of(place, FLIPS, flipped) == FLIPS


def test_every_cut_file_is_refused(place):
    assert refused_of(place, CUTS, lambda c, rng: c[: rng.randrange(len(c))]) == CUTS


def test_zeroed_tails_and_empty_files_are_refused(place):
    def zeroed(content: bytes, rng: random.Random) -> bytes:
        n = rng.randrange(1, min(64, len(content)))
        tail = bytes(n) if any(content[-n:]) else b"\x01" * n
        return content[:-n] + tail

    assert refused_of(place, 50, zeroed) == 50
    assert refused_of(place, 20, lambda _content, _rng: b"") == 20


def test_without_hashes_damage_would_be_loaded(place, monkeypatch):
    """The negative control: arrays have no checksums of their own."""
    monkeypatch.setattr(bundles, "check_files", lambda _path, _manifest: None)
    assert refused_of(place, 100, flipped) < 100


def test_the_old_bundle_answers_while_damaged_ones_are_refused(planted):
    planted.publish("bundle-1")
    with planted.client() as client:
        planted.publish("bundle-2")
        rng = random.Random(3)
        record = Record.open(planted.home.record_path)
        for number in range(20):
            path = rng.choice(sorted((planted.home.bundles / "bundle-2").glob("*.npy")))
            sound = path.read_bytes()
            put(path, flipped(sound, rng))
            watcher = Watcher(planted.home, record, table=TABLE)
            watcher.look()
            assert (watcher.current, watcher.refused) == (None, 1), number
            put(path, sound)
            answer = client.post("/v1/lists", json={"scene": "home"})
            assert answer.status_code == 200
            assert answer.json()["items"]
        record.close()


class Canary:
    """Whoever unpickles it leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def pickled(canary: Path) -> bytes:
    return pickle.dumps(Canary(canary))


def npy(array: np.ndarray, **more) -> bytes:
    out = io.BytesIO()
    np.save(out, array, **more)
    return out.getvalue()


def object_npy(canary: Path) -> bytes:
    return npy(np.array([Canary(canary)], dtype=object), allow_pickle=True)


def header(text: str, rest: bytes = b"") -> bytes:
    said = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(said).to_bytes(2, "little") + said + rest


def zipped(canary: Path, name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, pickled(canary))
    return out.getvalue()


# What stands in place of `catalog.kind.npy`, an array of int8, one an item.
HOSTILE = {
    "a header that is cut": lambda _: header("{'descr': ('|i1', "),
    "a pickle": pickled,
    "a pickle of an older protocol": lambda canary: pickle.dumps(Canary(canary), protocol=0),
    "an array of objects": object_npy,
    "objects inside a structure": lambda canary: header(
        "{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (10,)}", pickled(canary)
    ),
    "a checkpoint of another library": lambda canary: zipped(canary, "archive/data.pkl"),
    "an archive that writes outside": lambda canary: zipped(canary, "../../../escaped.npy"),
    "an archive of arrays": lambda canary: zipped(canary, "kind.npy"),
    "code in a header": lambda canary: header(
        f"{{'descr': __import__('os').mkdir({str(canary)!r}), 'fortran_order': False}}"
    ),
    "a header that never ends": lambda _: b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{",
    "a header nested too deep": lambda _: header("[" * 60_000),
    "a shape of more than there is": lambda _: header(
        "{'descr': '|i1', 'fortran_order': False, 'shape': (9999999999,)}", b"\x01"
    ),
    "a negative shape": lambda _: header(
        "{'descr': '|i1', 'fortran_order': False, 'shape': (-1,)}", b"\x01"
    ),
    "text": lambda _: npy(np.array(["x"] * 10)),
    "too many dimensions": lambda _: npy(np.zeros((10, 1), dtype=np.int8)),
    "too few items": lambda _: npy(np.zeros(3, dtype=np.int8)),
    "numbers out of range": lambda _: npy(np.full(10, 99, dtype=np.int8)),
    "another type": lambda _: npy(np.zeros(10, dtype=np.float64)),
    "numbers that are none": lambda _: npy(np.full(10, np.nan, dtype=np.float32)),
    "endless numbers": lambda _: npy(np.full(10, np.inf, dtype=np.float32)),
    "nothing": lambda _: b"",
    "noise": lambda _: random.Random(1).randbytes(500),
}


def sign_again(place: Place) -> None:
    """What somebody with our key could do: the manifest fits whatever the files are."""
    manifest = orjson.loads((place.path / MANIFEST).read_bytes())
    manifest["files"] = {
        path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
        if path.stat().st_size
        else {"bytes": 0, "sha256": ""}
        for path in place.path.glob("*.npy")
    }
    signed(place, orjson.dumps(manifest))


def signed(place: Place, manifest: bytes) -> None:
    (place.path / MANIFEST).write_bytes(manifest)
    (place.path / SIGNATURE).write_bytes(place.key.sign("bundle manifest", manifest))


@pytest.mark.parametrize("is_signed", [False, True])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_files_are_refused_and_run_nothing(place, tmp_path, hostile, is_signed):
    canary = tmp_path / "canary"
    (place.path / "catalog.kind.npy").write_bytes(HOSTILE[hostile](canary))
    if is_signed:
        sign_again(place)
    assert place.is_refused()
    assert not canary.exists()


def test_the_canary_sings(tmp_path):
    pickle.loads(pickled(tmp_path / "canary"))
    assert (tmp_path / "canary").exists()


def link_outside(place: Place) -> None:
    path = place.path / "catalog.kind.npy"
    shutil.move(path, place.path.parent.parent / "kind.npy")
    path.symlink_to(place.path.parent.parent / "kind.npy")


def pipe(place: Place) -> None:
    path = place.path / "catalog.kind.npy"
    path.unlink()
    os.mkfifo(path)
    manifest = orjson.loads((place.path / MANIFEST).read_bytes())
    manifest["files"][path.name]["bytes"] = 0
    signed(place, orjson.dumps(manifest))


def path_outside(place: Place) -> None:
    manifest = orjson.loads((place.path / MANIFEST).read_bytes())
    manifest["files"]["../../keys/bundles.key"] = manifest["files"].pop("catalog.kind.npy")
    signed(place, orjson.dumps(manifest))


def nested_manifest(place: Place) -> None:
    signed(place, b"[" * 100_000)


def manifest_of_nothing(place: Place) -> None:
    signed(place, b"{}")


def manifest_without_files(place: Place) -> None:
    manifest = orjson.loads((place.path / MANIFEST).read_bytes())
    del manifest["files"]
    signed(place, orjson.dumps(manifest))


def other_key(place: Place) -> None:
    content = (place.path / MANIFEST).read_bytes()
    other = SigningKey.load_or_make(place.path.parent.parent / "other")
    (place.path / SIGNATURE).write_bytes(other.sign("bundle manifest", content))


def unsigned(place: Place) -> None:
    (place.path / SIGNATURE).unlink()


def edited(place: Place) -> None:
    content = (place.path / MANIFEST).read_bytes()
    (place.path / MANIFEST).write_bytes(content.replace(b'"figures"', b'"figure5"'))


WRONG = [
    *(link_outside, pipe, path_outside, nested_manifest, manifest_of_nothing),
    *(manifest_without_files, other_key, unsigned, edited),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_not_signed_by_us_or_leads_outside_is_refused(place, wrong):
    wrong(place)
    assert place.is_refused()


@pytest.mark.parametrize("wrong", [other_key, edited])
def test_without_the_signature_it_would_be_taken(place, wrong, monkeypatch):
    """The negative control. (An edit outside the hashed files shows nowhere else.)"""
    monkeypatch.setattr(VerifyKey, "check", lambda *_: None)
    manifest = orjson.loads((place.path / MANIFEST).read_bytes())
    wrong(place)
    if wrong is edited:
        manifest["origin"] = {"by": "somebody"}
        (place.path / MANIFEST).write_bytes(orjson.dumps(manifest))
    assert not place.is_refused()


def test_a_pointer_put_back_is_refused_and_a_rollback_is_not(planted):
    """R30 of the pointer; `tests/serving/test_bundles.py` asks the same of the watcher."""
    planted.publish("bundle-1")
    planted.publish("bundle-2")
    record = Record.open(planted.home.record_path)
    watcher = Watcher(planted.home, record, table=TABLE)
    watcher.look()
    older = (planted.home.bundles / "pointers" / "00000001.json").read_bytes()
    (planted.home.bundles / "current.json").write_bytes(older)
    watcher.look()
    assert (watcher.bundle_id, watcher.refused) == ("bundle-2", 1)
    publish(planted.home.bundles, "bundle-1", SigningKey.load_or_make(planted.home.keys))
    watcher.look()
    assert watcher.bundle_id == "bundle-1"
    record.close()


DANGEROUS = {"pickle", "joblib", "shelve", "marshal", "dill", "cloudpickle", "torch", "cPickle"}


def dangers(source: str) -> list[str]:
    """Where code could be run from a file: imports of picklers, `allow_pickle=True`, eval."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in DANGEROUS]
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in DANGEROUS:
            found.append(str(node.module))
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            found += [] if ast.unparse(node.value) == "False" else ["allow_pickle"]
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("eval", "exec", "np.load"):
            safe = any(word.arg == "allow_pickle" for word in node.keywords)
            found += [] if safe else [ast.unparse(node.func)]
    return found


@pytest.mark.parametrize("room", ["recsys", "data", "serving"])
def test_what_serves_can_run_nothing_from_a_file(room):
    found = {path: dangers(path.read_text()) for path in (ROOT / room).rglob("*.py")}
    assert {path: what for path, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "np.load(p, allow_pickle=True)",
        "np.load(p)",
        "eval(x)",
    ],
)
def test_the_check_of_code_sees_the_danger(line):
    assert dangers(line)
