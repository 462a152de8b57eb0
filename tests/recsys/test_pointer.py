import json
import shutil
import time

import pytest

from recsys.bundle_files import write
from recsys.errors import BundleError
from recsys.pointer import (
    CURRENT,
    bundle_ids,
    drop_old,
    history,
    pointed,
    publish,
    read_pointer,
    rollback,
)
from recsys.signing import SigningKey
from tests.recsys.test_bundle import TABLE, a_bundle


@pytest.fixture
def key(tmp_path):
    return SigningKey.load_or_make(tmp_path / "keys")


@pytest.fixture
def folder(tmp_path, key):
    """Three bundles, none published."""
    for n in range(3):
        write(a_bundle(f"bundle-{n}"), tmp_path / "bundles", key, table=TABLE)
        time.sleep(0.002)
    return tmp_path / "bundles"


def test_nothing_is_pointed_to_at_first(folder, key):
    assert pointed(folder, key.public) is None
    assert history(folder, key.public) == []


def test_published_bundle_is_pointed_to(folder, key):
    assert publish(folder, "bundle-0", key).counter == 1
    assert publish(folder, "bundle-1", key).counter == 2
    assert pointed(folder, key.public) == "bundle-1"


def test_rollbacks_go_further_and_further_back(folder, key):
    for n in range(3):
        publish(folder, f"bundle-{n}", key)
    assert rollback(folder, key).bundle_id == "bundle-1"
    assert rollback(folder, key).bundle_id == "bundle-0"
    assert pointed(folder, key.public) == "bundle-0"
    with pytest.raises(BundleError, match="no earlier bundle"):
        rollback(folder, key)
    assert [past.counter for past in history(folder, key.public)] == [1, 2, 3, 4, 5]


def test_rollback_skips_what_is_gone(folder, key):
    for n in range(3):
        publish(folder, f"bundle-{n}", key)
    shutil.rmtree(folder / "bundle-1")
    assert rollback(folder, key).bundle_id == "bundle-0"


def test_rollback_of_nothing_is_refused(folder, key):
    with pytest.raises(BundleError, match="no earlier bundle"):
        rollback(folder, key)


@pytest.mark.parametrize("bundle_id", ["bundle-9", "../bundle-1", ""])
def test_bundle_that_is_not_there_is_not_published(bundle_id, folder, key):
    with pytest.raises(BundleError):
        publish(folder, bundle_id, key)


def test_damaged_bundle_is_not_published(folder, key):
    (folder / "bundle-1" / "catalog.kind.npy").write_bytes(b"x")
    with pytest.raises(BundleError, match="is damaged"):
        publish(folder, "bundle-1", key)
    assert pointed(folder, key.public) is None


def test_lower_counter_than_seen_is_refused(folder, key):
    publish(folder, "bundle-0", key)
    old = (folder / CURRENT).read_bytes()
    seen = publish(folder, "bundle-1", key).counter
    (folder / CURRENT).write_bytes(old)
    with pytest.raises(BundleError, match="went back, got counter 1; allowed: 2 or more"):
        read_pointer(folder, key.public, at_least=seen)


def test_pointer_that_vanished_is_refused(folder, key):
    seen = publish(folder, "bundle-0", key).counter
    (folder / CURRENT).unlink()
    with pytest.raises(BundleError, match="is gone, after counter 1 was seen"):
        read_pointer(folder, key.public, at_least=seen)


def test_counter_rises_though_the_pointer_was_put_back(folder, key):
    publish(folder, "bundle-0", key)
    old = (folder / CURRENT).read_bytes()
    publish(folder, "bundle-1", key)
    (folder / CURRENT).write_bytes(old)
    assert publish(folder, "bundle-2", key).counter == 3


def test_edited_pointer_is_refused(folder, key):
    publish(folder, "bundle-0", key)
    text = (folder / CURRENT).read_text()
    (folder / CURRENT).write_text(text.replace("bundle-0", "bundle-1"))
    with pytest.raises(BundleError, match="signature of the bundle pointer does not fit"):
        pointed(folder, key.public)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"pointer": 1}', b'{"pointer": "", "signature": "x"}']
)
def test_damaged_pointer_is_refused(content, folder, key):
    (folder / CURRENT).write_bytes(content)
    with pytest.raises(BundleError, match=r"pointer current.json is damaged"):
        pointed(folder, key.public)


def test_signature_of_a_manifest_is_none_of_a_pointer(folder, key):
    content = (folder / "bundle-0" / "manifest.json").read_text()
    signature = (folder / "bundle-0" / "manifest.sig").read_bytes().hex()
    (folder / CURRENT).write_text(json.dumps({"pointer": content, "signature": signature}))
    with pytest.raises(BundleError, match="signature of the bundle pointer"):
        pointed(folder, key.public)


def test_last_three_in_use_and_last_three_unused_are_kept(folder, key):
    for n in range(3):
        publish(folder, f"bundle-{n}", key)
    for n in range(3, 8):
        write(a_bundle(f"bundle-{n}"), folder, key, table=TABLE)
        time.sleep(0.002)
    publish(folder, "bundle-3", key)
    assert bundle_ids(folder) == [f"bundle-{n}" for n in (1, 2, 3, 5, 6, 7)]


def test_dropping_old_ones_needs_no_publishing(folder, key):
    for n in range(3, 5):
        write(a_bundle(f"bundle-{n}"), folder, key, table=TABLE)
        time.sleep(0.002)
    drop_old(folder, key.public)
    assert bundle_ids(folder) == ["bundle-2", "bundle-3", "bundle-4"]
