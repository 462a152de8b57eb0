"""A small shop whose people choose what it may know, for tests of controls."""

from datetime import timedelta

from hypothesis import strategies as st

from recsys.catalog import Catalog, Item, Kind
from recsys.controls import FREE, UNREAD, Age, Controls, Purpose
from recsys.events import EventType
from recsys.histories import History
from recsys.models.tags import TagProfile
from recsys.recommend import Request, recommend
from tests.planted import NOW, FixedForAll, bundle_of, event, history_of

TAGS = ("露营", "辅食", "跑步", "阅读")


def made(n: int, kind: Kind = Kind.PRODUCT, **more) -> Item:
    said = {
        "title": f"标题{n}",
        "tags": (TAGS[n % 4],),
        "category": ("类", str(n % 3)),
        "creator_id": f"creator-{n % 5}",
        "sponsored": n % 11 == 0,
        "promotional": n % 13 == 0,
        "restricted": n % 7 == 0,
        "durable": n % 2 == 0,
    }
    return Item(item_id=f"item-{1000 + n}", kind=kind, **said | more)


ITEMS = [made(n) for n in range(60)] + [made(n, Kind.VIDEO) for n in range(60, 90)]
CATALOG = Catalog.of(ITEMS)
MODELS = {
    "tags": TagProfile(),
    "popular": FixedForAll(items=tuple(range(89, -1, -1))),
}
BUNDLE = bundle_of(CATALOG, MODELS)
ACTS = st.lists(
    st.tuples(st.integers(0, 89), st.sampled_from(list(EventType)), st.integers(0, 60)),
    max_size=12,
)
OFF = Controls(is_on=False)
SILENT = [
    OFF,
    UNREAD,
    FREE.unread(),
    Controls(is_erased=True),
    Controls(needs_consent=True),
    Controls(consents={Purpose.PERSONALISE: False}),
]
MINORS = [Controls(age=age, has_guardian=True) for age in (Age.MINOR, Age.UNDER_14)]


def history(acts) -> History:
    return history_of(
        CATALOG,
        *(
            event(f"item-{1000 + n}", kind, event_id=f"e{k}", at=NOW - timedelta(minutes=ago))
            for k, (n, kind, ago) in enumerate(acts)
        ),
    )


def listed(acts=(), controls=FREE, bundle=BUNDLE, user_id="user-5001", **more):
    request = Request(**{"scene": "home", "k": 20, "user_id": user_id, "controls": controls} | more)
    past = acts if isinstance(acts, History) else history(acts)
    return recommend(request, past, bundle, at=NOW, list_id="list-1").served
