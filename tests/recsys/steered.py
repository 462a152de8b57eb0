"""A small shop whose lists are steered, for tests of rules."""

import numpy as np

from recsys.catalog import Catalog, Kind
from recsys.events import EventType
from recsys.interactions import Row
from recsys.models.base import Ranking
from recsys.overlay import Overlay
from recsys.recommend import Request, recommend
from recsys.rule_values import rule_of
from tests.planted import NOW, Fixed, FixedForAll, bundle_of, event, history_of, item

# Positions 0–59 products, 60–119 videos, of 8 categories, 5 creators and 3 shops.
TRAITS = [
    {"category": ("类", str(n % 8)), "creator_id": f"c{n % 5}", "shop_id": f"s{n % 3}"}
    for n in range(120)
]
ITEMS = [item(n, tags=("野",) if n % 4 == 0 else (), **TRAITS[n]) for n in range(60)]
ITEMS += [item(n, Kind.VIDEO, **TRAITS[n]) for n in range(60, 120)]
NEAR = (*range(0, 40), *range(60, 100))
POPULAR = (*range(59, 19, -1), *range(119, 79, -1))
LIKED = [event("item-1055", EventType.LIKE)]
HOME = {"scenes": ["home"]}


class Ready:
    """What a model says, kept, as a prepared list is."""

    def fit(self, interactions, catalog):
        super().fit(interactions, catalog)
        asked = Row(np.zeros(1, dtype=np.int32), np.ones(1, dtype=np.float32))
        self.kept_ = {kind: super(Ready, self).candidates(asked, 999, kind) for kind in Kind}
        return self

    def candidates(self, row, k, within):
        if self.is_personal and len(row) == 0:
            return Ranking.none()
        found = self.kept_[within]
        return Ranking(found.items[:k], found.scores[:k])


class Near(Ready, Fixed):
    """A personal model."""


class Popular(Ready, FixedForAll):
    """The same for everybody."""


def rule(effect, rule_id=None, **said):
    who = {"who": "li", "why": "autumn"}
    return rule_of(rule_id or effect, {"effect": effect, **who, **said})


def bundle(*rules, items=ITEMS, near=NEAR, popular=POPULAR, new=()):
    catalog = Catalog.of(items)
    models = {"near": Near(items=near), "popular": Popular(items=popular)}
    return bundle_of(catalog, models).ruled(rules).now_with(Overlay.of(catalog).with_items(new))


def shown(made, *events, k=20, scene="home", list_id="list-1", **more):
    request = Request(scene=scene, user_id="user-5001", k=k, **more)
    history = history_of(made.catalog, *events)
    return recommend(request, history, made, at=NOW, list_id=list_id).served


def ids(served):
    return [one.item_id for one in served.items]


def columns(made, served, name):
    at = made.catalog.ids.find_all(ids(served))
    return getattr(made.catalog, name)[at].tolist()


# What makes a list come from each rung of the ladder.
RUNGS = {
    "race": {},
    "popular": {"near": ()},
    "popular of the ladder": {"near": (), "popular": tuple(range(119, -1, -1))},
    "newest": {"near": (), "popular": ()},
}
