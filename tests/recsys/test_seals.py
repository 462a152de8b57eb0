"""Files of bundles are compared with what was signed once, and again as soon as one is touched."""

import os
from dataclasses import replace

import numpy as np
import pytest

from recsys import bundle_files, soundness
from recsys.bundle_files import read, write
from recsys.catalog import Catalog
from recsys.errors import BundleError
from recsys.seals import MANIFEST, Checked, check_files, read_manifest
from recsys.signing import SigningKey
from tests.planted import Fixed, bundle_of, item

TABLE = {"fixed": Fixed}
TITLES = "catalog.titles.blob.npy"


class Written:
    """A bundle on disk, whose files were found whole."""

    def __init__(self, folder):
        self.key = SigningKey.load_or_make(folder / "keys")
        bundle = bundle_of(Catalog.of([item(n) for n in range(5)]), {"fixed": Fixed(items=(1, 0))})
        self.path = write(bundle, folder / "bundles", self.key, table=TABLE)
        self.checked = check_files(self.path, self.manifest)

    @property
    def manifest(self):
        return read_manifest(self.path, self.key.public)

    def read(self):
        return read(self.path, self.key.public, table=TABLE, checked=self.checked)


@pytest.fixture
def written(tmp_path):
    return Written(tmp_path)


def flip(path):
    """Another title of the same length, with the times of before."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def put_in_its_place(path):
    """The same, in a file that takes its name."""
    beside = path.with_name("beside")
    beside.write_bytes(path.read_bytes())
    flip(beside)
    os.utime(beside, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    beside.rename(path)


def link(path):
    away = path.parents[2] / "away.npy"
    path.rename(away)
    path.symlink_to(away)


def test_whole_files_are_read_once(written, monkeypatch):
    monkeypatch.setattr(bundle_files, "check_files", lambda *_: pytest.fail("read again"))
    assert written.read().bundle_id == written.path.name


@pytest.mark.parametrize("touch", [flip, put_in_its_place])
def test_what_was_touched_since_is_compared_again(written, touch):
    touch(written.path / TITLES)
    with pytest.raises(BundleError, match=f"is damaged: {TITLES}"):
        written.read()


@pytest.mark.parametrize("touch", [flip, put_in_its_place])
def test_without_marks_damage_would_be_loaded(written, touch, monkeypatch):
    monkeypatch.setattr(Checked, "holds", lambda *_: True)
    touch(written.path / TITLES)
    assert written.read().bundle_id == written.path.name


def test_a_link_to_the_very_same_file_is_refused(written):
    link(written.path / TITLES)
    with pytest.raises(BundleError, match="no plain file"):
        written.read()


def test_a_file_more_or_less_is_seen(written):
    (written.path / "more.npy").write_bytes(b"")
    with pytest.raises(BundleError, match="unexpected files"):
        written.read()
    (written.path / "more.npy").unlink()
    (written.path / TITLES).unlink()
    with pytest.raises(BundleError, match="missing"):
        written.read()


def test_files_of_one_bundle_say_nothing_of_another(written, tmp_path):
    other = written.path.with_name("other")
    made = replace(written.read(), bundle_id="other")
    write(made, other.parent, written.key, table=TABLE)
    flip(other / TITLES)
    with pytest.raises(BundleError, match="is damaged"):
        read(other, written.key.public, table=TABLE, checked=written.checked)


def test_another_manifest_asks_for_all_again(written):
    assert written.checked.holds(written.path, written.manifest)
    files = {name: said | {"sha256": "0" * 64} for name, said in written.manifest["files"].items()}
    assert not written.checked.holds(written.path, {"files": files})
    assert not written.checked.holds(written.path, {})


def test_several_at_once_see_the_same(written):
    assert check_files(written.path, written.manifest, n_threads=3) == written.checked
    flip(written.path / TITLES)
    with pytest.raises(BundleError, match=f"is damaged: {TITLES}"):
        check_files(written.path, written.manifest, n_threads=3)


def test_the_manifest_itself_is_no_file_of_it(written):
    assert MANIFEST not in written.checked.files


@pytest.mark.parametrize("at", [0, 6, 7, 10])
def test_a_bad_value_is_seen_in_any_part_of_a_long_array(at, monkeypatch):
    monkeypatch.setattr(soundness, "BLOCK", 3)
    scores, items = np.ones(11, np.float32), np.arange(11)
    scores[at], items[at] = np.inf, 11
    with pytest.raises(BundleError, match="1 values that are not finite"):
        soundness.check_value(scores, np.ndarray, "scores")
    with pytest.raises(BundleError, match="to 11; allowed: 0 to 10"):
        soundness.check_range(items, 11, "items")
    soundness.check_range(items, 12, "items")
