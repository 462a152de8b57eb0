"""Items with a claim to be seen now: campaigns, what is for, sent or sold to this person, due.

Nothing need have been learned of them; they get seats of their own, among their kind, and stages
hold for them as for all others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from recsys import kernels_place
from recsys.audience import AUDIENCES
from recsys.campaigns import Campaigns, Offer
from recsys.candidates import Candidates, among
from recsys.catalog import Catalog, Idxs, Kind
from recsys.events import EventType
from recsys.histories import History
from recsys.ids import hash64
from recsys.interactions import DAY_MS, Row
from recsys.models.base import Because, Model
from recsys.models.next_basket import NextBasket
from recsys.pipeline import Context, Course, Pipeline, Placed, Source, in_turn
from recsys.tiers import Treatment

SOURCE = "claims"
# So many of the newest that claim seats at one moment are looked at.
MAX_CLAIMING = 200
# Of its kind's seats the second and every fifth from there on is for who claims one, of one or
# two the first; in a live session the goods of the session come before all else.
FIRST_SEAT, EVERY, FEW_SEATS = 1, 5, 2
LIVE_SCENE, HOME, AFTER_ORDER = "live", "home", "post_checkout"
# A model of this name says of the person's own items how likely each is bought again within days;
# so likely is due, and so many at once are reminded of.
REPURCHASE = "repurchase"
DUE, MAX_DUE = 0.1, 2
# What a friend sent is shown for so long.
SENT_DAYS = 14
REMINDED = (HOME, AFTER_ORDER)
IMPRESSION, PLAY, VIEW = (
    int(one) for one in (EventType.IMPRESSION, EventType.PLAY, EventType.VIEW)
)
# What a video sells has a seat for so long after so much of it, or so many seconds, were watched.
WATCHED_DAYS, WATCHED, READ_S = 1, 0.5, 5.0
CLAIMING = {HOME: (Offer.FLASH, Offer.TOPIC), LIVE_SCENE: (Offer.LIVE,)}


class Claimed(NamedTuple):
    """What claims a seat in one list, each once; the first so many for the shop's own reasons."""

    items: Idxs
    n_shops: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Claims:
    """What of a catalogue may claim seats, prepared so that no request looks at all of it.

    Attributes
    ----------
    campaigns
        Those that claim seats in some scene.
    meant
        Items that are meant for a part of the people, newest first.
    treated
        By scene and part of the people: items that a treatment gives seats to, newest first.
    treatments
        By scene and part of the people.
    """

    campaigns: Campaigns
    meant: Idxs
    treated: Mapping[tuple[str, str], Idxs]
    treatments: Mapping[str, Mapping[str, Treatment]]
    is_personal: ClassVar[bool] = False

    @classmethod
    def of(cls, catalog: Catalog, treatments: Mapping[str, Mapping[str, Treatment]]) -> Self:
        """Those of a catalogue; a pass over it."""
        treated = {
            (scene, word): _newest(_tagged(catalog, one.tags), catalog)
            for scene, by_word in treatments.items()
            for word, one in by_word.items()
        }
        return cls(
            campaigns=catalog.campaigns.of_offer(Offer.FLASH, Offer.TOPIC, Offer.LIVE),
            meant=_newest(np.flatnonzero(catalog.audience), catalog),
            treated=treated,
            treatments=treatments,
        )

    def treatment(self, context: Context) -> Treatment | None:
        """What is done for this person in this scene, by what says most of them."""
        by_word = self.treatments.get(context.scene, {})
        return next((by_word[word] for word in context.standing.words if word in by_word), None)

    def claiming(self, context: Context) -> Idxs:
        """The items that claim a seat in this list, each once."""
        offers = CLAIMING.get(context.scene, ())
        found = []
        if offers and len(self.campaigns):
            running = self.campaigns.running(context.at_ms).of_offer(*offers)
            if context.session:
                named = np.array([one == context.session for one in running.names.all()], np.bool_)
                running = running.take(named[running.name])
            found.append(running.item[np.argsort(-running.starts_ms, kind="stable")])
        if context.scene == HOME:
            found.append(self.meant)
        found += [
            self.treated[context.scene, word]
            for word in context.standing.words
            if (context.scene, word) in self.treated
        ]
        return _each_once(found)

    def claimed(self, context: Context, catalog: Catalog, models: Mapping[str, Model]) -> Claimed:
        """What claims a seat in this list: of the catalogue, from friends, and what is due."""
        found = [self.claiming(context)]
        n_shops = len(found[0])
        if context.scene == HOME:
            found.append(sent_by_friends(context.history, context.at_ms))
            found.append(sold_there(context.history, catalog, context.at_ms)[1])
        repurchase = models.get(REPURCHASE)
        if isinstance(repurchase, NextBasket) and context.scene in REMINDED:
            found.append(repurchase.due(context.row, catalog.durable, MAX_DUE, DUE))
        return Claimed(_each_once(found), n_shops)

    def because(self, _row: Row, items: Idxs) -> list[Because | None]:
        """Nothing of the person's own: the item's campaign or audience is the reason."""
        return [None] * len(items)

    def joined(self, placed: Placed, course: Course, claimed: Claimed, shown: int) -> Placed:
        """The list with the claimed items seated in it, each kind's among its own, up to k.

        Parameters
        ----------
        shown
            So many of the list are asked for; the rest is there to be chosen from.

        Returns
        -------
        Candidates with one more row of parts, that of the source `SOURCE`, behind the others.
        """
        context, old = course.context, placed.candidates
        new = claimed.items[~course.bars.removed(claimed.items)]
        if len(context.kinds) < len(Kind):
            new = new[np.isin(course.catalog.kind[new], context.kinds)]
        if len(new) == 0:
            parts = np.vstack([old.parts, np.zeros((1, len(old)))])
            return replace(placed, candidates=replace(old, parts=parts))
        new = _by_turns(new[_order(new, placed, context.seed)[:MAX_CLAIMING]], claimed, course)
        treatment = self.treatment(context)
        every = 1 if context.scene == LIVE_SCENE else treatment.every if treatment else EVERY
        kinds, has_videos = in_turn(context.kinds)
        *both, counts = kernels_place.joined(
            *(old.items, old.scores, old.parts, new),
            *(course.catalog.kind, kinds),
            _first_seats(kinds, every, shown, course.pipeline.video_share),
            every,
        )
        n_videos = int(counts[0]) if has_videos else 0
        shares = n_videos, len(both[0]) - n_videos, course.pipeline.video_share
        return replace(
            placed, candidates=Candidates(*both).take(kernels_place.seating(*shares, context.k))
        )


def _first_seats(kinds: Idxs, every: int, k: int, video_share: float) -> NDArray[np.int64]:
    """Of each kind's seats the first that is for who claims one, in a list of k."""
    shares = np.where(kinds == Kind.VIDEO, video_share, 1 - video_share)
    n_seats = k * shares.round(6) if len(kinds) > 1 else np.array([k])
    return np.where((every == 1) | (n_seats <= FEW_SEATS), 0, FIRST_SEAT)


def resting(scene: str, row: Row, catalog: Catalog, models: Mapping[str, Model]) -> Idxs:
    """What is used up and was bought so lately that it has no place in a list yet, ascending."""
    repurchase = models.get(REPURCHASE)
    if scene not in REMINDED or not isinstance(repurchase, NextBasket):
        return np.empty(0, dtype=np.int32)
    return repurchase.resting(row, catalog.durable, DUE)


def sent_by_friends(history: History, at_ms: int) -> Idxs:
    """Items that a friend sent lately and the person did nothing with yet, the last ones first."""
    if not history.once("sent", lambda: _has_sent(history)):
        return np.empty(0, dtype=np.int32)
    is_shown = history.type == IMPRESSION
    is_sent = is_shown & (history.order != 0) & (history.at_ms > at_ms - SENT_DAYS * DAY_MS)
    if not is_sent.any():
        return np.empty(0, dtype=np.int32)
    waiting = ~among(history.item, np.unique(history.item[~is_shown]))
    found: Idxs = history.item[np.flatnonzero(is_sent & waiting)[::-1]]
    return found


def _has_sent(history: History) -> bool:
    return bool(((history.type == IMPRESSION) & (history.order != 0)).any())


class _Sold(NamedTuple):
    """The last video somebody watched, what it sells first, and when they last acted on that."""

    watched_ms: int
    video_idx: int
    product_idx: int
    acted_ms: int


def sold_there(history: History, catalog: Catalog, at_ms: int) -> tuple[int, Idxs]:
    """The last video or note of a day that was watched, and what it sells first, if that waits.

    Waiting is what the person did nothing with yet.
    """
    day_ms = at_ms - WATCHED_DAYS * DAY_MS
    sold = history.once((catalog.cards, "sold"), lambda: _last_sold(history, catalog))
    if sold is None or sold.watched_ms < day_ms:
        return -1, np.empty(0, dtype=np.int32)
    is_waiting = sold.product_idx >= 0 and sold.acted_ms < day_ms
    waiting = np.array([sold.product_idx] if is_waiting else [], dtype=np.int32)
    return sold.video_idx, waiting


def _last_sold(history: History, catalog: Catalog) -> _Sold | None:
    for act in np.flatnonzero((history.type == PLAY) | (history.type == VIEW))[::-1].tolist():
        if _is_watched(history, act, catalog):
            break
    else:
        return None
    video_idx = int(history.item[act])
    product_idx = next(iter(catalog.cards.row(video_idx).tolist()), -1)
    acts = history.at_ms[(history.item == product_idx) & (history.type != IMPRESSION)]
    acted_ms = int(acts.max(initial=np.iinfo(np.int64).min))
    return _Sold(int(history.at_ms[act]), video_idx, product_idx, acted_ms)


def _is_watched(history: History, act: int, catalog: Catalog) -> bool:
    """Whether an act is of a video and kept somebody: half of it, or a note for some seconds."""
    item_idx = int(history.item[act])
    if catalog.kind[item_idx] != Kind.VIDEO:
        return False
    said_s = history.duration_s[act]
    length_s = catalog.duration_s[item_idx] if np.isnan(said_s) else said_s
    if np.isnan(length_s) or (history.type[act] == VIEW and length_s > 0):
        return False
    # Nothing said of the time is less than any.
    return bool(history.value[act] >= max(WATCHED * length_s, READ_S))


def _each_once(found: list[Idxs]) -> Idxs:
    found = [one for one in found if len(one)]
    if not found or (len(found) == 1 and len(found[0]) == 1):
        return found[0] if found else np.empty(0, dtype=np.int32)
    items = np.concatenate(found)
    _, firsts = np.unique(items, return_index=True)
    return np.asarray(items[np.sort(firsts)], dtype=np.int32)


def _newest(items: NDArray[np.integer], catalog: Catalog) -> Idxs:
    order = np.argsort(-catalog.published_ms[items], kind="stable")[:MAX_CLAIMING]
    return items[order].astype(np.int32)


def _tagged(catalog: Catalog, tags: tuple[str, ...]) -> Idxs:
    wanted = catalog.tag_names.find_all(tags)
    owners, found = catalog.tags.rows(np.arange(len(catalog)))
    return np.unique(owners[np.isin(found, wanted)]).astype(np.int32)


def _order(items: Idxs, placed: Placed, seed: int) -> NDArray[np.intp]:
    """What the scorer put first comes first; of the others now the one, now the other."""
    if len(items) < 2:
        return np.arange(len(items))
    drawn = np.array([hash64(f"{seed} {item_idx}") for item_idx in items.tolist()], np.float64)
    if placed.scored is None:
        return np.argsort(drawn, kind="stable")
    known = dict(zip(placed.scored.racing.items.tolist(), placed.scored.scores, strict=True))
    scores = np.array([known.get(item_idx, -np.inf) for item_idx in items.tolist()])
    return np.lexsort((drawn, -scores))


def _by_turns(items: Idxs, claimed: Claimed, course: Course) -> Idxs:
    """Of each kind the shop's own items and this person's by turns, the shop's first."""
    are_shops = among(items, claimed.items[: claimed.n_shops])
    if are_shops.all() or not are_shops.any():
        return items
    found, kind = items.copy(), course.catalog.kind[items]
    for one in course.context.kinds:
        places = np.flatnonzero(kind == one)
        shops = are_shops[places]
        turns = np.where(shops, np.cumsum(shops), np.cumsum(~shops) + 0.5)
        found[places] = items[places[np.argsort(turns, kind="stable")]]
    return found


def with_source(pipeline: Pipeline) -> Pipeline:
    """The pipeline with the source of claims behind its own."""
    return replace(pipeline, sources=(*pipeline.sources, Source(name=SOURCE, model=SOURCE)))


def words_of(mask: int) -> list[str]:
    """The parts of the people that an item is meant for, as words."""
    return [word for word, bit in AUDIENCES.items() if mask & bit]
