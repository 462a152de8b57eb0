"""What pages show of items: the same however often it was shown before, and never too much kept."""

import numpy as np
import orjson
import pytest

from recsys.catalog import Catalog, Kind
from serving import shelf
from serving.shelf import CARDS_SHOWN, Shelf
from tests.planted import item

N = 12
CATALOG = Catalog.of(
    [item(n, available=n != 1) for n in range(N)]
    + [item(N, Kind.VIDEO, cards=tuple(f"item-{1000 + n}" for n in range(N)))]
)


def told(one):
    return orjson.loads(b"{%b}" % one)


def shown(kept, *items):
    return [told(one) for one in kept.shown(np.array(items, dtype=np.int32))]


def test_an_item_is_shown_the_same_again():
    kept = Shelf(CATALOG)
    first = shown(kept, 3, 12)
    assert shown(kept, 12, 3) == first[::-1]
    assert first[0]["title"] == CATALOG.titles[3]
    assert first[0]["cards"] == []


def test_a_video_shows_its_first_cards_that_are_on_sale():
    (video,) = shown(Shelf(CATALOG), 12)
    wanted = [f"item-{1000 + n}" for n in range(N) if n != 1][:CARDS_SHOWN]
    assert [card["item_id"] for card in video["cards"]] == wanted


def test_what_is_kept_is_bounded_and_lists_stay_whole(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shelf, "MAX_KEPT", 4)
    kept, fresh = Shelf(CATALOG), Shelf(CATALOG)
    for start in range(8):
        items = range(start, start + 5)
        assert shown(kept, *items) == [shown(fresh, one)[0] for one in items]
        assert len(kept._kept) <= 4 + 5
        fresh = Shelf(CATALOG)
