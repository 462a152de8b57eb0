from dataclasses import dataclass

import pytest

from recsys.catalog import Catalog, Item, Kind
from recsys.events import EventType
from recsys.models.base import Because
from recsys.reasons import TITLE_SHOWN
from recsys.recommend import Request, recommend
from recsys.sentences import LANGUAGES, Reason
from tests.planted import NOW, Fixed, bundle_of, event, history_of, item

CATALOG = Catalog.of(
    [
        item(0, tags=("辅食",)),
        item(1, tags=("辅食",)),
        item(2, Kind.VIDEO, tags=("辅食",)),
        item(3, tags=("露营",)),
    ]
)


@dataclass(kw_only=True)
class ByTag(Fixed):
    """Always says: because of the tag 辅食."""

    def because(self, _row, items):
        return [Because(tag_idx=self.catalog_.tag_names.find("辅食")) for _ in items]


@dataclass(kw_only=True)
class Silent(Fixed):
    """Gives items and cannot say why."""

    def because(self, _row, items):
        return [None for _ in items]


def reason(model, *events, scene="home", **more):
    bundle = bundle_of(CATALOG, {"only": model(items=(0,))})
    request = Request(scene=scene, kinds=(Kind.PRODUCT,), k=1, **more)
    history = history_of(CATALOG, *events)
    return recommend(request, history, bundle, at=NOW, list_id="l").served.items[0].reason


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([event("item-1002", EventType.PLAY)], "watched 辅食 videos"),
        ([event("item-1002", EventType.LIKE)], "liked 辅食 videos"),
        ([event("item-1001", EventType.ORDER)], "bought 辅食 products"),
        ([event("item-1001", EventType.VIEW)], "looked at 辅食 products"),
        (
            [event("item-1001", EventType.ORDER), event("item-1002", EventType.PLAY)],
            "bought 辅食 products",
        ),
    ],
)
def test_a_tag_is_named_with_what_was_done(events, expected):
    assert reason(ByTag, *events) == expected


def test_a_tag_of_the_order_is_named():
    said = reason(ByTag, scene="post_checkout", basket=("item-1001",))
    assert said == "about 辅食, as this order"


def test_a_source_that_cannot_say_why_gives_no_invented_reason():
    assert reason(Silent, event("item-1001")) == "from the shop's selection"


def test_long_titles_are_cut():
    catalog = Catalog.of([item(0), Item(item_id="item-1001", kind=Kind.PRODUCT, title="很" * 60)])
    bundle = bundle_of(catalog, {"only": Fixed(items=(0,))})
    request = Request(scene="home", kinds=(Kind.PRODUCT,), k=1)
    history = history_of(catalog, event("item-1001"))
    said = recommend(request, history, bundle, at=NOW, list_id="l").served.items[0].reason
    assert said == "looked at " + "很" * (TITLE_SHOWN - 1) + "…"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_reason(language):
    assert set(LANGUAGES[language]) == set(Reason)
