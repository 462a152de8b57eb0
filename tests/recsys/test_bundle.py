import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.arrays import flat
from recsys.bundle import check
from recsys.bundle_files import MANIFEST, SIGNATURE, read, read_manifest, write
from recsys.catalog import Catalog, Idxs, Kind
from recsys.errors import BundleError
from recsys.links import Links
from recsys.models.base import Ranking, Scores, parameters
from recsys.models.lists import ListsByKind, ScoredLists
from recsys.signing import SigningKey
from tests.planted import Fixed, bundle_of, item

CATALOG = Catalog.of(
    [item(n, tags=("苹果", f"tag-{n}"), category=("食品",)) for n in range(4)]
    + [item(n, Kind.VIDEO, cards=("item-1001",), duration_s=12.5) for n in range(4, 7)]
)


def lists(neighbours):
    """One neighbour an item."""
    ones = np.ones(1, np.float32)
    return ScoredLists.of([Ranking(np.array([one], np.int32), ones) for one in neighbours])


@dataclass(kw_only=True)
class Near(Fixed):
    """Learns one list of neighbours an item, as a model would."""

    items: tuple[int, ...] = ()
    strength: float = 0.5
    name: str | None = None
    neighbours_: ListsByKind = field(init=False, repr=False)
    scores_: Scores = field(init=False, repr=False)
    links_: Links = field(init=False, repr=False)
    of_item_: Idxs = field(init=False, repr=False)
    is_personal: ClassVar[bool] = True

    def fit(self, interactions, catalog):
        n = len(catalog)
        self.neighbours_ = ListsByKind.of(lambda _: lists((i + 1) % n for i in range(n)))
        self.scores_ = np.linspace(0, 1, n, dtype=np.float32)
        self.links_ = catalog.cards
        self.of_item_ = np.arange(n, dtype=np.int32)
        return super().fit(interactions, catalog)


TABLE = {"near": Near}


def a_bundle(bundle_id="bundle-1", **models):
    made = bundle_of(CATALOG, models or {"near": Near(strength=0.25)})
    return replace(made, bundle_id=bundle_id, figures={"ndcg": 0.5}, origin={"code": "1"})


@pytest.fixture
def key(tmp_path):
    return SigningKey.load_or_make(tmp_path / "keys")


@pytest.fixture
def written(tmp_path, key):
    return write(a_bundle(), tmp_path / "bundles", key, table=TABLE)


def read_back(path, key):
    return read(path, key.public, table=TABLE)


def resigned(path, key, **changes):
    """The bundle with another manifest, rightly signed."""
    manifest = json.loads((path / MANIFEST).read_text()) | changes
    content = json.dumps(manifest).encode()
    (path / MANIFEST).write_bytes(content)
    (path / SIGNATURE).write_bytes(key.sign("bundle manifest", content))


def test_catalogue_comes_back_bit_for_bit(written, key):
    before, after = flat(CATALOG, "catalog"), flat(read_back(written, key).catalog, "catalog")
    assert before.keys() == after.keys()
    for name, array in before.items():
        assert array.dtype == after[name].dtype
        assert array.tobytes() == after[name].tobytes()


def test_model_comes_back_with_parameters_and_learned_arrays(written, key):
    model = read_back(written, key).models["near"]
    assert parameters(model) == {"items": [], "strength": 0.25, "name": None}
    assert model.neighbours_.videos.items.tolist() == [1, 2, 3, 4, 5, 6, 0]
    assert model.scores_.tobytes() == np.linspace(0, 1, 7, dtype=np.float32).tobytes()


def test_everything_else_comes_back(written, key):
    made, back = a_bundle(), read_back(written, key)
    assert back.pipelines == made.pipelines
    assert back.taste.weighting.by_type == made.taste.weighting.by_type
    assert back.taste.weighting.visit == made.taste.weighting.visit > 0
    assert (back.figures, back.origin) == ({"ndcg": 0.5}, {"code": "1"})
    assert (back.bundle_id, back.data_until_ms) == (made.bundle_id, made.data_until_ms)


def test_arrays_are_mapped_not_read(written, key):
    blob = read_back(written, key).catalog.titles.blob
    assert type(blob) is np.ndarray
    assert isinstance(blob.base, np.memmap)


def test_manifest_names_hash_and_size_of_each_file(written, key):
    files = read_manifest(written, key.public)["files"]
    assert set(files) == {p.name for p in written.iterdir()} - {MANIFEST, SIGNATURE}
    assert all(len(f["sha256"]) == 64 and f["bytes"] > 0 for f in files.values())


def test_written_bundle_can_be_written_again(written, key, tmp_path):
    again = write(read_back(written, key), tmp_path / "other", key, table=TABLE)
    assert {p.name: p.read_bytes() for p in again.iterdir()} == {
        p.name: p.read_bytes() for p in written.iterdir()
    }


def test_id_that_is_taken_is_refused(written, key):
    with pytest.raises(BundleError, match="bundle-1 is there already"):
        write(a_bundle(), written.parent, key, table=TABLE)


@pytest.mark.parametrize("bundle_id", ["", "..", "a/b", ".hidden", "a" * 65, "a\n"])
def test_id_that_is_no_file_name_is_refused(bundle_id, key, tmp_path):
    with pytest.raises(BundleError, match="allowed: letters, digits"):
        write(a_bundle(bundle_id), tmp_path, key, table=TABLE)


SMALL = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SMALL
@given(data=st.data())
def test_one_flipped_bit_anywhere_is_refused(written, key, data):
    path = data.draw(st.sampled_from(sorted(written.iterdir())))
    content = path.read_bytes()
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    damaged = bytearray(content)
    damaged[bit // 8] ^= 1 << bit % 8
    path.write_bytes(damaged)
    with pytest.raises(BundleError):
        read_back(written, key)
    path.write_bytes(content)


@SMALL
@given(data=st.data())
def test_a_cut_file_is_refused(written, key, data):
    path = data.draw(st.sampled_from(sorted(written.iterdir())))
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(BundleError):
        read_back(written, key)
    path.write_bytes(content)


def missing_file(path):
    (path / "catalog.kind.npy").unlink()


def extra_file(path):
    (path / "more.npy").write_bytes(b"x")


def extra_folder(path):
    (path / "more").mkdir()


def swapped_files(path):
    a, b = path / "catalog.kind.npy", path / "catalog.ad.npy"
    first, second = a.read_bytes(), b.read_bytes()
    a.write_bytes(second)
    b.write_bytes(first)


def object_array(path):
    np.save(path / "catalog.kind.npy", np.array([{}], dtype=object), allow_pickle=True)


def no_manifest(path):
    (path / MANIFEST).unlink()


def no_signature(path):
    (path / SIGNATURE).unlink()


def edited_manifest(path):
    text = (path / MANIFEST).read_text()
    (path / MANIFEST).write_text(text.replace("0.25", "0.75"))


def gone(path):
    shutil.rmtree(path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (missing_file, "missing or unexpected files: .'catalog.kind.npy'"),
        (extra_file, "missing or unexpected files: .'more.npy'"),
        (extra_folder, "missing or unexpected files: .'more'"),
        (swapped_files, "is damaged: catalog.ad.npy is not what was signed"),
        (object_array, "is damaged: catalog.kind.npy is not what was signed"),
        (no_manifest, "cannot be read: No such file"),
        (no_signature, "cannot be read: No such file"),
        (edited_manifest, "signature of the bundle manifest does not fit"),
        (gone, "cannot be read: No such file"),
    ],
)
def test_damage_is_refused_and_named(damage, message, written, key):
    damage(written)
    with pytest.raises(BundleError, match=message):
        read_back(written, key)


def test_another_key_is_refused(written, tmp_path):
    other = SigningKey.load_or_make(tmp_path / "other-keys")
    with pytest.raises(BundleError, match="another key's"):
        read_back(written, other)


def test_bundle_in_another_folder_is_refused(written, key):
    with pytest.raises(BundleError, match="folder bundle-2 is bundle-1, moved"):
        read_back(written.rename(written.parent / "bundle-2"), key)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 3}, "has format 3; allowed: 2"),
        ({"models": {"near": {"model": "gone", "parameters": {}}}}, "does not fit this code"),
        ({"models": {"near": {"model": "near", "parameters": {"x": 1}}}}, "does not fit this code"),
        ({"models": {}}, "names what is not there: ..near"),
        ({"taste": {}}, "does not fit this code"),
        ({"pipelines": {}, "models": {}}, "arrays that this code does not know"),
    ],
)
def test_signed_bundle_of_other_code_is_refused(changes, message, written, key):
    resigned(written, key, **changes)
    with pytest.raises(BundleError, match=message):
        read_back(written, key)


def test_signed_pickle_is_refused(written, key):
    object_array(written)
    path = written / "catalog.kind.npy"
    manifest = json.loads((written / MANIFEST).read_text())
    sha256 = subprocess.run(["sha256sum", path], capture_output=True, text=True).stdout[:64]
    manifest["files"][path.name] = {"bytes": path.stat().st_size, "sha256": sha256}
    resigned(written, key, files=manifest["files"])
    with pytest.raises(BundleError, match="does not fit this code: ValueError"):
        read_back(written, key)


def of_both(videos):
    return ListsByKind(lists(range(7)), videos)


def fitted(**changes):
    model = Near()
    bundle = a_bundle(near=model)
    for name, value in changes.items():
        setattr(model, name, value)
    return bundle


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scores_": np.array([np.nan], np.float32)}, "scores_ has 1 values that are not finite"),
        ({"scores_": np.zeros(2)}, "wrong type, got float64; allowed: float32"),
        ({"of_item_": np.array(["a"])}, "wrong type, got <U1; allowed: int32"),
        ({"scores_": [1.0]}, "neither array nor dataclass, got list"),
        ({"neighbours_": of_both(lists([7]))}, "videos.items is out of range, got 7 to 7"),
        ({"neighbours_": of_both(lists([1, 1]))}, "videos has 2 lists; allowed: one an item"),
        ({"links_": Links(np.array([0, 2, 1]), np.zeros(1, np.int32))}, "do not rise from 0 to 1"),
        ({"links_": Links(np.array([0, 2]), np.zeros(1, np.int32))}, "do not rise from 0 to 1"),
    ],
)
def test_unsound_model_is_never_written(changes, message, key, tmp_path):
    with pytest.raises(BundleError, match=message):
        write(fitted(**changes), tmp_path / "bundles", key, table=TABLE)
    assert not (tmp_path / "bundles").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": CATALOG.kind[:3]}, "catalog.kind has shape"),
        ({"kind": np.full(7, 2, np.int8)}, "catalog.kind is out of range, got 2 to 2"),
        ({"category": np.full(7, -1, np.int32)}, "catalog.category is out of range"),
        ({"duration_s": np.full(7, np.inf, np.float32)}, "catalog.duration_s has 7 values"),
        ({"titles": replace(CATALOG.titles, offsets=np.zeros(3, np.int64))}, "do not rise"),
        ({"display": CATALOG.categories}, "catalog.display has another length"),
        ({"tags": CATALOG.tags.turned(9)}, "catalog.tags has 9 rows; allowed: 7"),
        ({"ids": replace(CATALOG.ids, order=CATALOG.ids.order[:2])}, "columns of different length"),
        ({"ids": replace(CATALOG.ids, hashes=CATALOG.ids.hashes[::-1])}, "hashes out of order"),
    ],
)
def test_unsound_catalogue_is_refused(changes, message):
    bundle = replace(a_bundle(), catalog=replace(CATALOG, **changes))
    with pytest.raises(BundleError, match=message):
        check(bundle)


def test_taste_of_another_catalogue_is_refused():
    bundle = a_bundle()
    taste = replace(bundle.taste, video_s=bundle.taste.video_s[:2])
    with pytest.raises(BundleError, match="taste.video_s has length 2; allowed: 7"):
        check(replace(bundle, taste=taste))


def test_model_named_like_a_path_is_refused():
    with pytest.raises(BundleError, match="a model is no name, got 'a.b'"):
        check(a_bundle(**{"a.b": Near()}))


ENDLESS = """
import sys, itertools
from pathlib import Path
from recsys.pointer import publish
from recsys.bundle_files import write
from tests.recsys.test_bundle import TABLE, SigningKey, a_bundle
root = Path(sys.argv[1])
key = SigningKey.load_or_make(root / "keys")
for n in itertools.count():
    write(a_bundle(f"bundle-{sys.argv[2]}-{n}"), root / "bundles", key, table=TABLE)
    publish(root / "bundles", f"bundle-{sys.argv[2]}-{n}", key)
    print(n, flush=True)
"""


def kill_while_writing(root: Path, turn: int) -> None:
    command = [sys.executable, "-c", ENDLESS, str(root), str(turn)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert child.stdout.readline()
    time.sleep(0.011 * turn)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()


@pytest.mark.parametrize("turn", range(1, 5))
def test_kill_9_leaves_only_whole_bundles(turn, tmp_path):
    key = SigningKey.load_or_make(tmp_path / "keys")
    kill_while_writing(tmp_path, turn)
    folder = tmp_path / "bundles"
    whole = [path for path in folder.glob("bundle-*") if read_back(path, key)]
    current = json.loads(json.loads((folder / "current.json").read_text())["pointer"])
    assert current["bundle_id"] in {path.name for path in whole}
    write(a_bundle("bundle-after"), folder, key, table=TABLE)
    assert not list(folder.glob(".*.unfinished"))
