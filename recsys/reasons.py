"""Why an item is in a list, as a true sentence for the person who reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol

import numpy as np

from recsys.catalog import Catalog, Idxs, Kind
from recsys.events import EventType
from recsys.histories import History
from recsys.ids import Mask
from recsys.interactions import Row
from recsys.models.base import Because
from recsys.pipeline import Candidates, Context, Pipeline, Source, among
from recsys.scenes import About, scene_named

TITLE_SHOWN = 24


class Reason(StrEnum):
    """The closed set of reasons."""

    BOUGHT = "bought"
    CARTED = "carted"
    LIKED = "liked"
    WATCHED = "watched"
    VIEWED = "viewed"
    BOUGHT_TAG = "bought_tag"
    WATCHED_TAG = "watched_tag"
    LIKED_TAG = "liked_tag"
    VIEWED_TAG = "viewed_tag"
    ON_CARD = "on_card"
    SHOWS = "shows"
    GOES_WITH = "goes_with"
    SHOWS_ORDERED = "shows_ordered"
    ORDERED_TAG = "ordered_tag"
    GOES_WITH_CART = "goes_with_cart"
    SHOWS_CARTED = "shows_carted"
    CARTED_TAG = "carted_tag"
    SOLD_HERE = "sold_here"
    GOES_WITH_THIS = "goes_with_this"
    SHOWS_THIS = "shows_this"
    THIS_TAG = "this_tag"
    POPULAR = "popular"
    SELECTION = "selection"


LANGUAGES: dict[str, dict[Reason, str]] = {
    "en": {
        Reason.BOUGHT: "bought {what}",
        Reason.CARTED: "put {what} in the cart",
        Reason.LIKED: "liked {what}",
        Reason.WATCHED: "watched {what}",
        Reason.VIEWED: "looked at {what}",
        Reason.BOUGHT_TAG: "bought {what} products",
        Reason.WATCHED_TAG: "watched {what} videos",
        Reason.LIKED_TAG: "liked {what} videos",
        Reason.VIEWED_TAG: "looked at {what} products",
        Reason.ON_CARD: "sold in {what}, which you watched",
        Reason.SHOWS: "shows {what}, which you looked at",
        Reason.GOES_WITH: "goes with {what} of this order",
        Reason.SHOWS_ORDERED: "shows {what} of this order",
        Reason.ORDERED_TAG: "about {what}, as this order",
        Reason.GOES_WITH_CART: "goes with {what} in the cart",
        Reason.SHOWS_CARTED: "shows {what} in the cart",
        Reason.CARTED_TAG: "about {what}, as the cart",
        Reason.SOLD_HERE: "sold in {what}",
        Reason.GOES_WITH_THIS: "goes with {what}",
        Reason.SHOWS_THIS: "shows {what}",
        Reason.THIS_TAG: "about {what} too",
        Reason.POPULAR: "popular now",
        Reason.SELECTION: "from the shop's selection",
    },
    "zh": {
        Reason.BOUGHT: "买过{what}",
        Reason.CARTED: "加购过{what}",
        Reason.LIKED: "喜欢过{what}",
        Reason.WATCHED: "看过{what}",
        Reason.VIEWED: "浏览过{what}",
        Reason.BOUGHT_TAG: "买过{what}商品",
        Reason.WATCHED_TAG: "看过{what}视频",
        Reason.LIKED_TAG: "喜欢过{what}视频",
        Reason.VIEWED_TAG: "浏览过{what}商品",
        Reason.ON_CARD: "看过的{what}里有售",
        Reason.SHOWS: "介绍浏览过的{what}",
        Reason.GOES_WITH: "与本单的{what}搭配",
        Reason.SHOWS_ORDERED: "介绍本单的{what}",
        Reason.ORDERED_TAG: "与本单同属{what}",
        Reason.GOES_WITH_CART: "与购物车里的{what}搭配",
        Reason.SHOWS_CARTED: "介绍购物车里的{what}",
        Reason.CARTED_TAG: "与购物车同属{what}",
        Reason.SOLD_HERE: "{what}里有售",
        Reason.GOES_WITH_THIS: "与{what}搭配",
        Reason.SHOWS_THIS: "介绍{what}",
        Reason.THIS_TAG: "同属{what}",
        Reason.POPULAR: "正在热门",
        Reason.SELECTION: "本店精选",
    },
}

# Of an item, and of a tag, that a list's basket speaks for: by what it stands beside.
_GOES_WITH = {
    About.ORDER: Reason.GOES_WITH,
    About.CART: Reason.GOES_WITH_CART,
    About.ITEM: Reason.GOES_WITH_THIS,
}
_SHOWS = {
    About.ORDER: Reason.SHOWS_ORDERED,
    About.CART: Reason.SHOWS_CARTED,
    About.ITEM: Reason.SHOWS_THIS,
}
_OF_TAG = {
    About.ORDER: Reason.ORDERED_TAG,
    About.CART: Reason.CARTED_TAG,
    About.ITEM: Reason.THIS_TAG,
}

# What a person did with an item, the act that says most first.
_ACTS: tuple[tuple[Reason, frozenset[EventType]], ...] = (
    (Reason.BOUGHT, frozenset({EventType.ORDER})),
    (Reason.CARTED, frozenset({EventType.CART})),
    (
        Reason.LIKED,
        frozenset(
            {
                EventType.LIKE,
                EventType.FAVOURITE,
                EventType.SHARE,
                EventType.COMMENT,
                EventType.FOLLOW,
            }
        ),
    ),
    (Reason.WATCHED, frozenset({EventType.PLAY})),
)


class Tells(Protocol):
    """What can be asked for reasons: a model, or what answers like one."""

    is_personal: ClassVar[bool]

    def because(self, row: Row, items: Idxs) -> list[Because | None]:
        """What in the row spoke most for each of the items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explainer:
    """Finds the reason of a candidate: what its strongest source says of the person's own acts.

    Parameters
    ----------
    standing
        The person's history without orders they gave back.
    """

    pipeline: Pipeline
    context: Context
    standing: History
    catalog: Catalog
    models: Mapping[str, Tells]
    language: str

    def explain(self, candidates: Candidates) -> list[tuple[str, str]]:
        """For each candidate the name of its strongest source, and the sentence.

        The strongest source that can say why speaks; each is asked once for all its items.
        """
        by_strength = np.argsort(-candidates.parts, axis=0, kind="stable")
        sentences: list[str | None] = [None] * len(candidates)
        for numbers in by_strength:
            for number, source in enumerate(self.pipeline.sources):
                asked = [
                    place
                    for place in np.flatnonzero(numbers == number).tolist()
                    if sentences[place] is None and candidates.parts[number, place] > 0
                ]
                found = self._sentences(source, candidates.items[asked]) if asked else []
                for place, sentence in zip(asked, found, strict=True):
                    sentences[place] = sentence
        selection = self._sentence(Reason.SELECTION, "")
        return [
            (self._source_name(candidates, place), sentence or selection)
            for place, sentence in enumerate(sentences)
        ]

    def _source_name(self, candidates: Candidates, place: int) -> str:
        parts = candidates.parts[:, place]
        return self.pipeline.sources[int(np.argmax(parts))].name if parts.any() else "selection"

    def _sentences(self, source: Source, items: Idxs) -> list[str | None]:
        model = self.models[source.model]
        if not model.is_personal:
            return [self._sentence(Reason.POPULAR, "")] * len(items)
        is_basket = source.of == "basket"
        row = self.context.basket if is_basket else self.context.row
        return [
            self._told(because, int(item_idx), is_basket)
            for because, item_idx in zip(model.because(row, items), items, strict=True)
        ]

    def _told(self, because: Because | None, item_idx: int, is_basket: bool) -> str | None:
        if because is None:
            return None
        if because.tag_idx is not None:
            return self._of_tag(because.tag_idx, is_basket)
        return self._of_item(because, item_idx, is_basket)

    def _of_item(self, because: Because, item_idx: int, is_basket: bool) -> str | None:
        own_idx = because.item_idx
        if own_idx is None:
            return None
        shows = own_idx in self.catalog.cards.row(item_idx).tolist()
        is_sold = item_idx in self.catalog.cards.row(own_idx).tolist()
        if is_basket:
            about = scene_named(self.context.scene).about
            plain = Reason.SOLD_HERE if is_sold else _GOES_WITH[about]
            reason = _SHOWS[about] if shows else plain
        elif is_sold:
            reason = Reason.ON_CARD
        else:
            reason = _act(self._acts(self.standing.item == own_idx))
            if shows and reason is Reason.VIEWED:
                reason = Reason.SHOWS
        return self._sentence(reason, self.catalog.titles[own_idx])

    def _of_tag(self, tag_idx: int, is_basket: bool) -> str:
        name = self.catalog.tag_names[tag_idx]
        if is_basket:
            return self._sentence(_OF_TAG[scene_named(self.context.scene).about], name)
        row = self.context.row
        owners, tags = self.catalog.tags.rows(row.items)
        own = owners[tags == tag_idx]
        items, weights = row.items[own], row.weights[own]
        videos = self.catalog.kind[items] == Kind.VIDEO
        are_videos = weights[videos].sum() > weights[~videos].sum()
        spoke = among(self.standing.item, items[videos if are_videos else ~videos])
        acts = self._acts(spoke)
        if are_videos:
            reason = Reason.WATCHED_TAG if EventType.PLAY in acts else Reason.LIKED_TAG
        else:
            reason = Reason.BOUGHT_TAG if EventType.ORDER in acts else Reason.VIEWED_TAG
        return self._sentence(reason, name)

    def _acts(self, chosen: Mask) -> set[int]:
        return set(self.standing.type[chosen].tolist())

    def _sentence(self, reason: Reason, what: str) -> str:
        shown = what if len(what) <= TITLE_SHOWN else what[: TITLE_SHOWN - 1] + "…"
        return LANGUAGES[self.language][reason].format(what=shown)


def _act(types: set[int]) -> Reason:
    """Of what a person did with an item, the act that says most."""
    for reason, meant in _ACTS:
        if types & meant:
            return reason
    return Reason.VIEWED
