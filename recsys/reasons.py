"""Why an item is in a list, as a true sentence for the person who reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from recsys import kernels_acts
from recsys.campaigns import Offer
from recsys.candidates import Candidates, among
from recsys.catalog import Catalog, Idxs, Kind
from recsys.claims import Claims, sold_there, words_of
from recsys.events import EventType
from recsys.histories import History
from recsys.ids import Mask
from recsys.interactions import Row
from recsys.models.base import Because
from recsys.pipeline import Context, Pipeline, Source
from recsys.scenes import About, scene_named
from recsys.sentences import LANGUAGES, Reason

TITLE_SHOWN = 24

# To look a member up costs more than all else there is to say of an item.
ON_CARD, SHOWS, VIEWED = Reason.ON_CARD, Reason.SHOWS, Reason.VIEWED
POPULAR, SELECTION = Reason.POPULAR, Reason.SELECTION
VIDEO, PLAY = int(Kind.VIDEO), int(EventType.PLAY)

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

_OF_OFFER = (
    (Offer.LIVE, Reason.LIVE),
    (Offer.FLASH, Reason.FLASH_SALE),
    (Offer.TOPIC, Reason.TOPIC),
)

# What brings items for another reason than that many like them.
_OF_SOURCE = {
    "pin": Reason.SELECTION,
    "exposure": Reason.PROMISED,
    "exploration": Reason.UNTRIED,
}

LIKING = frozenset(
    {EventType.LIKE, EventType.FAVOURITE, EventType.SHARE, EventType.COMMENT, EventType.FOLLOW}
)
# Acts that take something back, and tell only that the item was looked at.
AGAINST = (EventType.DISLIKE, EventType.UNCART, EventType.REFUND)
# What a person did with an item, the act that says most first.
_ACTS: tuple[tuple[Reason, frozenset[EventType]], ...] = (
    (Reason.BOUGHT, frozenset({EventType.ORDER})),
    (Reason.CARTED, frozenset({EventType.CART})),
    (Reason.LIKED, LIKING),
    (Reason.TRIED, frozenset({EventType.TRY_ON})),
    (Reason.WATCHED, frozenset({EventType.PLAY})),
    # An impression speaks only of what a friend sent.
    (Reason.VIEWED, frozenset({EventType.VIEW, EventType.CHOOSE, *AGAINST})),
    (Reason.SENT_THIS, frozenset({EventType.IMPRESSION})),
)
_DID = (*(reason for reason, _ in _ACTS), VIEWED)


def _ranked_acts() -> Idxs:
    """By event type its place in `_DID`."""
    ranks = np.full(len(EventType), len(_ACTS), dtype=np.int32)
    for place, (_, types) in enumerate(_ACTS):
        ranks[list(types)] = place
    return ranks


_RANKS = _ranked_acts()


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
    beside
        What the list stands beside, with new items that models do not know.
    """

    pipeline: Pipeline
    context: Context
    standing: History
    catalog: Catalog
    models: Mapping[str, Tells]
    language: str
    beside: tuple[int, ...] = ()

    def explain(self, candidates: Candidates) -> list[tuple[str, str]]:
        """For each candidate the name of its strongest source, and the sentence.

        The strongest source that can say why speaks; each is asked once for all its items.
        """
        parts = candidates.parts.T.tolist()
        firsts = [_strongest(one) for one in parts]
        sentences = self._by_speakers(candidates.items, parts, firsts)
        names = [source.name for source in self.pipeline.sources]
        selection = LANGUAGES[self.language][SELECTION]
        return [
            ("selection" if first < 0 else names[first], sentence or selection)
            for first, sentence in zip(firsts, sentences, strict=True)
        ]

    def _by_speakers(
        self, items: Idxs, parts: list[list[float]], firsts: list[int]
    ) -> list[str | None]:
        """For each item what the first of its speakers says that can say something."""
        sentences: list[str | None] = [None] * len(items)
        waiting, turn = [place for place, first in enumerate(firsts) if first >= 0], 0
        while waiting:
            asked: dict[int, list[int]] = {}
            for place in waiting:
                told = [firsts[place]] if turn == 0 else _strongest_first(parts[place])
                if turn < len(told):
                    asked.setdefault(told[turn], []).append(place)
            for number, places in asked.items():
                found = self._sentences(self.pipeline.sources[number], items[places])
                for place, sentence in zip(places, found, strict=True):
                    sentences[place] = sentence
            waiting = [place for places in asked.values() for place in places]
            waiting, turn = [place for place in waiting if sentences[place] is None], turn + 1
        return sentences

    def _sentences(self, source: Source, items: Idxs) -> list[str | None]:
        model = self.models[source.model]
        if not model.is_personal:
            return self._of_everybody(source, items)
        is_basket = source.of == "basket"
        row = self.context.basket if is_basket else self.context.row
        found: list[str | None] = [None] * len(items)
        spoken: list[int] = []
        own_items: list[int] = []
        for place, because in enumerate(model.because(row, items)):
            if because is None:
                continue
            if because.tag_idx is not None:
                found[place] = (
                    self._of_shared(because.tag_idx, int(items[place]))
                    if is_basket
                    else self._of_tag(because.tag_idx)
                )
            elif because.item_idx is not None:
                spoken.append(place)
                own_items.append(because.item_idx)
        if spoken:
            said = self._of_items(items[spoken].tolist(), own_items, is_basket)
            for place, sentence in zip(spoken, said, strict=True):
                found[place] = sentence
        return found

    def _of_items(
        self, items: list[int], own_items: list[int], is_basket: bool
    ) -> list[str | None]:
        """What to say of items that items of the person's own, or of the basket, spoke for."""
        if is_basket and self.beside:
            own_items = [self._meant(own_idx) for own_idx in own_items]
        own, standing = np.array(own_items, dtype=np.int32), self.standing
        titles = self.catalog.titles.raws(own)
        acts = kernels_acts.lowest(standing.item, standing.type, _RANKS, own, len(_ACTS)).tolist()
        return [
            self._sentence(self._reason(item, own_idx, act, is_basket), title.decode())
            for item, own_idx, act, title in zip(items, own_items, acts, titles, strict=True)
        ]

    def _meant(self, own_idx: int) -> int:
        """What the list stands beside that an item spoke for: itself, or a new one linked to it."""
        if own_idx in self.beside:
            return own_idx
        linked = *self.catalog.cards.row(own_idx), *self.catalog.shown_by.row(own_idx)
        return next((one for one in self.beside if one in linked), own_idx)

    def _of_everybody(self, source: Source, items: Idxs) -> list[str | None]:
        """What to say of items that no act of the person spoke for."""
        model = self.models[source.model]
        if isinstance(model, Claims):
            return [self._claim(item_idx, model) for item_idx in items.tolist()]
        return [self._sentence(_OF_SOURCE.get(source.model, POPULAR), "")] * len(items)

    def _claim(self, item_idx: int, claims: Claims) -> str | None:
        """What an item's claim to a seat is: its campaign, else whom it is meant for."""
        if len(self.catalog.campaigns) and (said := self._of_campaign(item_idx)):
            return said
        meant = words_of(int(self.catalog.audience[item_idx]))
        for word in self.context.standing.words:
            treated = claims.treated.get((self.context.scene, word), ())
            if word in meant or item_idx in treated:
                return self._sentence(Reason(f"for_{word}"), "")
        video, cards = sold_there(self.context.history, self.catalog, self.context.at_ms)
        if item_idx in cards.tolist():
            return self._sentence(ON_CARD, self.catalog.titles[video])
        mine = self.standing.take(self.standing.item == item_idx)
        if EventType.ORDER in mine.type.tolist():
            return self._sentence(Reason.DUE, "")
        return self._sentence(Reason.SENT if mine.order.any() else SELECTION, "")

    def _of_campaign(self, item_idx: int) -> str | None:
        campaigns = self.catalog.campaigns
        entries = campaigns.take(campaigns.item == item_idx).running(self.context.at_ms)
        for offer, reason in _OF_OFFER:
            named = entries.name[entries.offer == offer].tolist()
            if named:
                return self._sentence(reason, campaigns.names[named[0]])
        return None

    def _reason(self, item_idx: int, own_idx: int, act: int, is_basket: bool) -> Reason:
        if is_basket:
            about = scene_named(self.context.scene).about
            if self._sells(item_idx, own_idx):
                return _SHOWS[about]
            return Reason.SOLD_HERE if self._sells(own_idx, item_idx) else _GOES_WITH[about]
        reason = _DID[act]
        if self._sells(own_idx, item_idx):
            # Who liked or shared a video need not have watched it.
            is_watched = reason is Reason.WATCHED or self._has_played(own_idx)
            return ON_CARD if is_watched else Reason.SOLD_HERE
        return SHOWS if reason is VIEWED and self._sells(item_idx, own_idx) else reason

    def _has_played(self, item_idx: int) -> bool:
        standing = self.standing
        return bool(((standing.item == item_idx) & (standing.type == PLAY)).any())

    def _sells(self, video_idx: int, product_idx: int) -> bool:
        """Whether a product is on the cards of a video."""
        if self.catalog.kind[video_idx] != VIDEO:
            return False
        return product_idx in self.catalog.cards.row(video_idx).tolist()

    def _of_shared(self, tag_idx: int, item_idx: int) -> str | None:
        """What to say of a tag of the basket; nothing unless the item carries it as well."""
        beside = self.beside or self.context.basket.items.tolist()
        carried = self.catalog.tags.rows(np.array(beside, dtype=np.int32))[1]
        if tag_idx not in carried or tag_idx not in self.catalog.tags.row(item_idx):
            return None
        about = scene_named(self.context.scene).about
        return self._sentence(_OF_TAG[about], self.catalog.tag_names[tag_idx])

    def _of_tag(self, tag_idx: int) -> str | None:
        row, name = self.context.row, self.catalog.tag_names[tag_idx]
        owners, tags = self.catalog.tags.rows(row.items)
        own = owners[tags == tag_idx]
        items, weights = row.items[own], row.weights[own]
        videos = self.catalog.kind[items] == Kind.VIDEO
        are_videos = weights[videos].sum() > weights[~videos].sum()
        spoke = among(self.standing.item, items[videos if are_videos else ~videos])
        acts = self._acts(spoke)
        if acts == {int(EventType.IMPRESSION)}:
            return self._sentence(Reason.SENT_TAG, name)
        if are_videos and EventType.PLAY in acts:
            reason = Reason.WATCHED_TAG
        elif are_videos:
            reason = Reason.VIEWED_VIDEO_TAG if acts.isdisjoint(LIKING) else Reason.LIKED_TAG
        else:
            reason = Reason.BOUGHT_TAG if EventType.ORDER in acts else Reason.VIEWED_TAG
        return self._sentence(reason, name)

    def _acts(self, chosen: Mask) -> set[int]:
        return set(self.standing.type[chosen].tolist())

    def _sentence(self, reason: Reason, what: str) -> str | None:
        """The reason in words; None if it would have to name what is blocked."""
        if what and self.context.controls.blocked.hits(what):
            return None
        shown = what if len(what) <= TITLE_SHOWN else what[: TITLE_SHOWN - 1] + "…"
        return LANGUAGES[self.language][reason].format(what=shown)


def _strongest(parts: list[float]) -> int:
    """Which source gave most; of equally strong ones the first; −1 if none gave anything."""
    most = max(parts, default=0.0)
    return parts.index(most) if most > 0 else -1


def _strongest_first(parts: list[float]) -> list[int]:
    return sorted((n for n, part in enumerate(parts) if part > 0), key=lambda n: -parts[n])
