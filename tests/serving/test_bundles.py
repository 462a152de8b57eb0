"""The watcher: what it takes over, what it refuses, and what keeps serving meanwhile."""

import shutil
from datetime import timedelta

import pytest

from data.home import Home
from data.record import Record
from recsys import bundle_files
from recsys.pointer import CURRENT, publish
from recsys.signing import SigningKey
from serving.bundles import Watcher
from serving.cli import checked_bundle
from tests.planted import NOW, item
from tests.serving.conftest import ITEMS, TABLE


@pytest.fixture
def record(shop):
    record = Record.open(shop.home.record_path)
    yield record
    record.close()


@pytest.fixture
def watcher(shop, record):
    return Watcher(shop.home, record, table=TABLE)


def in_use(watcher):
    return None if watcher.current is None else watcher.current.bundle.bundle_id


def damage(shop, bundle_id):
    path = next((shop.home.bundles / bundle_id).glob("*.npy"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_a_shop_without_a_bundle_is_no_error(watcher):
    watcher.look()
    assert watcher.current is None
    assert (watcher.has_looked, watcher.refused) == (True, 0)


def test_a_new_pointer_is_followed(shop, watcher):
    shop.publish("bundle-1")
    watcher.look()
    assert in_use(watcher) == "bundle-1"
    shop.publish("bundle-2")
    watcher.look()
    assert in_use(watcher) == "bundle-2"


def test_nothing_new_swaps_nothing(shop, watcher):
    shop.publish()
    watcher.look()
    current = watcher.current
    watcher.look()
    assert watcher.current is current


def test_a_damaged_bundle_is_refused_once_and_the_old_one_stays(shop, watcher, caplog):
    shop.publish("bundle-1")
    watcher.look()
    shop.publish("bundle-2")
    damage(shop, "bundle-2")
    watcher.look()
    watcher.look()
    assert (in_use(watcher), watcher.refused) == ("bundle-1", 1)
    refusals = [line for line in caplog.messages if "refused" in line]
    assert len(refusals) == 1
    assert "bundle bundle-2 is damaged" in refusals[0]


def test_a_good_bundle_after_a_damaged_one_is_taken(shop, watcher):
    shop.publish("bundle-1")
    damage(shop, "bundle-1")
    watcher.look()
    assert in_use(watcher) is None
    shop.publish("bundle-2")
    watcher.look()
    assert (in_use(watcher), watcher.refused) == ("bundle-2", 1)


@pytest.mark.parametrize("content", [b"", b"{}", b"\x80", b'{"pointer":"x","signature":"00"}'])
def test_a_damaged_pointer_is_refused(shop, watcher, content):
    shop.publish()
    watcher.look()
    (shop.home.bundles / CURRENT).write_bytes(content)
    watcher.look()
    assert (in_use(watcher), watcher.refused) == ("bundle-1", 1)


def test_an_older_pointer_put_back_is_refused_and_a_rollback_is_not(shop, watcher):
    shop.publish("bundle-1")
    old = (shop.home.bundles / CURRENT).read_bytes()
    shop.publish("bundle-2")
    watcher.look()
    (shop.home.bundles / CURRENT).write_bytes(old)
    watcher.look()
    assert (in_use(watcher), watcher.refused) == ("bundle-2", 1)
    publish(shop.home.bundles, "bundle-1", SigningKey.load_or_make(shop.home.keys))
    watcher.look()
    assert in_use(watcher) == "bundle-1"


def test_a_bundle_of_a_stranger_is_refused(shop, watcher, tmp_path):
    shop.publish()
    shutil.rmtree(shop.home.keys)
    SigningKey.load_or_make(shop.home.keys)
    watcher.look()
    assert (in_use(watcher), watcher.refused) == (None, 1)


def test_items_switched_off_in_the_record_go_at_the_next_look(shop, record, watcher):
    shop.publish()
    record.put_items(ITEMS, at=NOW)
    watcher.look()
    assert watcher.current.bundle.catalog.on_sale.all()
    record.put_items([item(3, available=False), item(4, stock=0)], at=NOW)
    watcher.look()
    assert watcher.current.bundle.catalog.on_sale.tolist().count(False) == 2
    record.put_items([item(3)], at=NOW + timedelta(seconds=1))
    watcher.look()
    assert watcher.current.bundle.catalog.on_sale.tolist().count(False) == 1


def test_a_new_bundle_learns_at_once_what_was_switched_off_before(shop, record, watcher):
    record.put_items([item(3, available=False)], at=NOW)
    shop.publish("bundle-1")
    watcher.look()
    shop.publish("bundle-2")
    watcher.look()
    assert in_use(watcher) == "bundle-2"
    assert not watcher.current.bundle.catalog.on_sale[3]


def test_what_the_record_said_before_the_bundle_was_made_is_not_read_again(shop, record, watcher):
    record.put_items([item(3, available=False)], at=NOW)
    shop.publish(item_version=record.item_version())
    watcher.look()
    assert watcher.current.bundle.catalog.on_sale.all()
    record.put_items([item(4, available=False)], at=NOW)
    watcher.look()
    assert watcher.current.bundle.catalog.on_sale.tolist() == [n != 4 for n in range(10)]


def test_new_histories_are_followed_and_damaged_ones_are_not(shop, watcher, caplog):
    shop.publish()
    watcher.look()
    assert watcher.current.past is None
    shop.write_histories("v1", record_seq=5)
    watcher.look()
    assert watcher.current.record_seq == 5
    shop.write_histories("v2", record_seq=9)
    (shop.home.histories / "v2" / "about.json").write_text("{")
    watcher.look()
    assert watcher.current.record_seq == 5
    assert "refused histories" in caplog.text


def test_files_that_were_compared_before_there_were_workers_are_not_read_again(shop, record):
    shop.publish()
    checked = checked_bundle(shop.home)
    assert checked.path.name == "bundle-1"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundle_files, "check_files", lambda *_: pytest.fail("read again"))
        watcher = Watcher(shop.home, record, table=TABLE, checked=checked)
        watcher.look()
    assert watcher.bundle_id == "bundle-1"


def test_before_there_is_a_sound_bundle_nothing_is_compared(shop, tmp_path):
    assert checked_bundle(Home(tmp_path / "nothing")) is None
    shop.publish()
    damage(shop, "bundle-1")
    assert checked_bundle(shop.home) is None
