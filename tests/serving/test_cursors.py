"""Cursors: nothing comes twice, whatever changes meanwhile, and nobody else's are taken."""

import base64
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.catalog import Kind
from recsys.errors import ConfigError, InvalidInput
from recsys.ids import mark_of
from serving.cursors import KEY_NAME, MAX_SHOWN, MAX_TEXT, Cursors
from tests.planted import item
from tests.serving.conftest import ITEMS
from tests.serving.test_lists import ask, ids

CURSORS = Cursors(b"k" * 32)


def pages(client, n=20, **said):
    """Lists one after the other, each with the cursor of the one before, until one is empty."""
    cursor, found = None, []
    while n and (not found or cursor is not None):
        answer = ask(client, cursor=cursor, **said)
        found.append(answer)
        cursor, n = answer["cursor"], n - 1
    return found


def test_pages_bring_everything_once_and_then_end(still):
    found = pages(still, k=4)
    shown = [one for answer in found for one in ids(answer)]
    assert len(shown) == len(set(shown)) == len(ITEMS)
    assert (found[-1]["items"], found[-1]["cursor"]) == ([], None)


def test_without_a_cursor_a_list_begins_anew(still):
    assert ids(ask(still, k=4)) == ids(ask(still, k=4))


def test_an_event_between_pages_repeats_nothing(shop, client):
    first = ask(client, k=4)
    client.post("/v1/events", json={"events": [shop.body(item_id=ids(first)[0])]})
    second = ask(client, k=4, cursor=first["cursor"])
    assert second["personalised"]
    assert not set(ids(first)) & set(ids(second))


def test_another_bundle_between_pages_repeats_nothing(shop, client, wait_for):
    first = ask(client, k=4)
    # The same items at other positions, and one more.
    shop.near, shop.popular = (0, 2, 4), (1, 3, 5)
    shop.publish("bundle-2", [item(50), *reversed(ITEMS)])
    wait_for(lambda: ask(client)["bundle"] == "bundle-2")
    rest = [one for answer in pages(client, k=4) for one in ids(answer)]
    later = ids(ask(client, k=100, cursor=first["cursor"]))
    assert sorted(rest) == sorted([*later, *ids(first)])
    assert "item-1050" in later


def test_a_cursor_holds_for_another_scene_and_person(still):
    first = ask(still, k=4)
    other = ask(still, k=6, cursor=first["cursor"], user_id="user-5002", scene="post_checkout")
    assert not set(ids(first)) & set(ids(other))


def test_another_worker_reads_it(shop, client):
    first = ask(client, k=4)
    with shop.client() as other:
        assert not set(ids(first)) & set(ids(ask(other, k=6, cursor=first["cursor"])))


@given(st.lists(st.text(min_size=1), max_size=30), st.lists(st.text(min_size=1), max_size=30))
def test_what_was_shown_is_what_comes_back(first, second):
    cursor = CURSORS.after((), first)
    shown = CURSORS.read(CURSORS.after(CURSORS.read(cursor), second))
    expected = {mark_of(one) for one in (*first, *second)} if second else set()
    assert set(shown) == expected


def test_it_never_grows_beyond_its_bound():
    shown = ()
    for page in range(30):
        cursor = CURSORS.after(shown, [f"item-{page}-{n}" for n in range(100)])
        assert len(cursor) <= MAX_TEXT
        shown = CURSORS.read(cursor)
    assert len(shown) == MAX_SHOWN
    assert mark_of("item-29-99") in shown
    assert mark_of("item-0-0") not in shown


def changed(cursor, at):
    raw = bytearray(base64.urlsafe_b64decode(cursor))
    raw[at] ^= 1
    return base64.urlsafe_b64encode(bytes(raw)).decode()


OURS = CURSORS.after((), ["item-1001", "item-1002"])


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "page-2",
        "长" * 9,
        OURS[:-4],
        OURS + OURS,
        changed(OURS, 0),
        changed(OURS, -1),
        Cursors(b"x" * 32).after((), ["item-1001"]),
        "A" * 20_000,
    ],
)
def test_what_is_none_of_ours_is_refused(cursor):
    with pytest.raises(InvalidInput, match="cursor is none of ours"):
        CURSORS.read(cursor)


def test_the_key_is_made_once_and_is_the_owners(tmp_path):
    folder = tmp_path / "keys"
    assert Cursors.of(folder) == Cursors.of(folder)
    assert stat.S_IMODE((folder / KEY_NAME).stat().st_mode) == 0o600
    assert Cursors.of(folder) != Cursors.of(tmp_path / "others")


@pytest.mark.parametrize(("content", "why"), [(b"short", "has 5 bytes"), (None, "cannot be read")])
def test_a_key_that_cannot_be_used_stops_the_start(tmp_path, content, why):
    path = tmp_path / KEY_NAME
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(ConfigError, match=why):
        Cursors.of(tmp_path)


def test_a_video_shown_is_left_out_among_both_kinds(still):
    first = ask(still, k=2, kinds=[Kind.VIDEO.word])
    rest = ask(still, k=20, cursor=first["cursor"])
    assert not set(ids(first)) & set(ids(rest))
    assert len(rest["items"]) == len(ITEMS) - 2
