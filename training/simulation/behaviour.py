"""What people do with what they see: a published model of choice, clicks and watching.

- Which places of a list are looked at: the cascade (N. Craswell et al., "An Experimental Comparison
  of Click Position-Bias Models", WSDM 2008) with a chance to go on at each place, as in the dynamic
  Bayesian network of O. Chapelle and Y. Zhang ("A Dynamic Bayesian Network Click Model for Web
  Search Ranking", WWW 2009). So a place counts more the higher it stands: the position bias.
- How long a video is watched: Weibull, as dwell times are (C. Liu, R. White, S. Dumais,
  "Understanding Web Browsing Behaviors through Weibull Analysis of Dwell Time", SIGIR 2010), around
  seconds that grow slower than the video's length and cut off at its end: the duration bias
  that R. Zhan et al. describe ("Deconfounding Duration Bias in Watch-time Prediction for Video
  Recommendation", KDD 2022).
- Which product is opened, which is bought: multinomial logit against doing nothing (D. McFadden,
  "Conditional Logit Analysis of Qualitative Choice Behavior", 1974).
- Whether people come back: what is beyond their patience for commerce costs visits, as in the
  experiment of J. Huang, D. Reiley and N. Riabov ("Measuring Consumer Sensitivity to Audio
  Advertising", 2018), where a higher load made people listen on fewer days.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from recsys.events import EventType
from recsys.interactions import DAY_MS
from training.sample_goods import Ints
from training.sample_text import WARES
from training.simulation.acts import IN_SHOP, Acts, Seen
from training.simulation.luck import Lot, Luck
from training.simulation.market import NOTHING, Floats, Mask
from training.simulation.people import TRUST_BOUGHT, TRUST_FOLLOW
from training.simulation.wants import Wants

REACTIONS = {
    EventType.LIKE: 0.2,
    EventType.FAVOURITE: 0.07,
    EventType.COMMENT: 0.05,
    EventType.SHARE: 0.04,
    EventType.FOLLOW: 0.05,
}
DISLIKED = 0.04
# A look at a place that stays unopened, and at the page of a product.
GLANCE_S, PAGE_S = 1.5, 25.0
# From so much of a video on one has seen what it sells; from so little one may dislike it.
ENOUGH, LITTLE = 0.5, 0.1
# Going on is likelier after something good, and never sure.
GOES_ON_MOST, LIKED_ADDS, TIRED_TAKES = 0.97, 0.03, 0.25
# Mood after a visit without anything good or bad, and what a visit full of good things adds.
FELT_BASE, FELT_GOOD = 0.6, 0.9
# How much of what is dear shows in how long one watches.
LIKED_SHOWS = 0.5
REFUND_DAYS = 3.0
COMPARING_MS = 90_000


class Pages(NamedTuple):
    """What people have before them; rows are visits, each of another person.

    Attributes
    ----------
    who, at_ms, shown
        Shape (n visits,). The person, when, and the number of the served list or `NOTHING`.
    items
        Shape (n visits, k). Positions in the market, `NOTHING` where a list was shorter.
    place
        Shape (n visits,). Where it is, a position in `PLACES`.
    """

    who: Ints
    at_ms: Ints
    shown: Ints
    items: Ints
    place: Ints


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Outcome:
    """What came of pages.

    Attributes
    ----------
    acts
        Everything done.
    examined, commercial
        Shape (n visits,). Places looked at, and how many of them sell.
    watch_s
        Shape (n visits,). Seconds of watching.
    """

    acts: Acts
    examined: Ints
    commercial: Ints
    watch_s: Floats


@dataclass(slots=True, eq=False)
class Behaviour:
    """The people of one world, living; chance is that of one luck, and only that.

    Attributes
    ----------
    n_orders
        Orders so far: their numbers.
    refunds
        What will be given back, at its time.
    """

    wants: Wants
    luck: Luck
    n_orders: int = 0
    refunds: list[Acts] = field(default_factory=list)

    def live(self, pages: Pages) -> Outcome:
        """People look at pages, watch, open, buy; their mood and trust follow."""
        market = self.wants.market
        there = pages.items != NOTHING
        items, who = np.where(there, pages.items, 0), pages.who[:, None]
        is_product = market.is_product[items]
        day = _day(pages.at_ms)
        share = self._watched_share(who, items, day)
        opened = self.wants.products(who, items, day) + self.wants.nature.feed_base > (
            self.luck.logistic(Lot.OPENS, day, who, items)
        )
        opened &= is_product & (market.stock[items] > 0)
        selling = (is_product | market.is_ad[items]) & there
        good = np.where(is_product, opened, share > ENOUGH)
        examined = self._examined(pages.who, selling, good, day) & there
        watched_s = share * self.wants.longest_s(items)
        spent_s = examined * np.where(is_product, np.where(opened, PAGE_S, GLANCE_S), watched_s)
        at_ms = pages.at_ms[:, None] + (1_000 * (np.cumsum(spent_s, axis=1) - spent_s)).astype(int)
        seen = _seen(pages, examined, at_ms)
        # Platforms tell the shop what was watched, and not what was only on a screen.
        told = seen.take(seen.shown != NOTHING)
        acts = [Acts.of(EventType.IMPRESSION, told), *self._watch(seen, share[examined])]
        acts += self._open(seen.take(opened[examined]), np.full(int((opened & examined).sum()), -1))
        # What a platform shows is not the shop's doing.
        in_shop = pages.place == IN_SHOP
        self._feel(pages.who[in_shop], examined[in_shop], selling[in_shop], good[in_shop])
        return Outcome(
            acts=Acts.joined(acts),
            examined=examined.sum(axis=1),
            commercial=(examined & selling).sum(axis=1),
            watch_s=(examined * watched_s).sum(axis=1),
        )

    def search(self, who: Ints, at_ms: Ints) -> Acts:
        """People look for something themselves: the sort they want most, then the best of it."""
        market, day, wares = self.wants.market, _day(at_ms), np.arange(len(WARES))[None, :]
        wanted = self.wants.people.likings(who[:, None], wares)
        wanted = wanted + self.wants.needed(who[:, None], wares, day)
        ware = np.argmax(wanted + self.luck.gumbel(Lot.WANTS, day, who[:, None], wares), axis=1)
        sold = np.flatnonzero(
            market.is_product & market.out(int(at_ms.max(initial=0))) & (market.stock > 0)
        )
        if len(who) == 0 or len(sold) == 0:
            return Acts.none()
        fits = market.quality[sold] - self.wants.dear(who[:, None], sold[None, :])
        fits = np.where(market.ware[sold] == ware[:, None], fits, -np.inf)
        has_any = np.asarray(np.isfinite(fits).any(axis=1))
        noise = self.luck.gumbel(Lot.FINDS, day, who[:, None], sold[None, :])
        order = np.argsort(-(fits + noise), axis=1)
        nothing, place = np.full(len(who), NOTHING), np.full(len(who), IN_SHOP)
        best = Seen(who, sold[order[:, 0]], at_ms, nothing, nothing, place).take(has_any)
        # Who looks for something compares: the second best is looked at first, and not bought.
        rows, second = np.arange(len(who)), order[:, min(1, len(sold) - 1)]
        other = best._replace(item=sold[second][has_any], at_ms=best.at_ms - COMPARING_MS)
        dwell_s = self._dwell_s(other)
        compared = Acts.of(EventType.VIEW, other, seconds=dwell_s)
        has_other = np.isfinite(fits[rows, second])[has_any]
        return Acts.joined([compared.take(has_other), *self._open(best, nothing[has_any])])

    def due_refunds(self, at_ms: int) -> list[Acts]:
        """What is given back by a moment; each only once."""
        due = [one.take(one.at_ms <= at_ms) for one in self.refunds]
        later = [one.take(one.at_ms > at_ms) for one in self.refunds]
        self.refunds = [one for one in later if len(one)]
        return [one for one in due if len(one)]

    def _dwell_s(self, seen: Seen) -> Floats:
        """Seconds on the pages of products."""
        stays = self.luck.exponential(Lot.STAYS, _day(seen.at_ms), seen.who, seen.item)
        return np.round(3 + PAGE_S * stays, 1)

    def _watched_share(self, who: Ints, items: Ints, day: float) -> Floats:
        """Share of each video that is watched, if it is looked at; 0 for products."""
        shape = self.wants.nature.watch_shape
        stays = self.luck.exponential(Lot.WATCHES, day, who, items) ** (1.0 / shape)
        seconds = self.wants.usual_s(items) * np.exp(LIKED_SHOWS * self.wants.liked(who, items))
        longest_s = np.maximum(self.wants.longest_s(items), 1.0)
        share = np.minimum(1.0, seconds * stays / longest_s)
        return np.where(self.wants.market.is_product[items], 0.0, share)

    def _examined(self, who: Ints, selling: Mask, good: Mask, day: float) -> Mask:
        """The cascade: a place is looked at if the one before was, and one went on."""
        load = np.cumsum(selling, axis=1) / np.arange(1, selling.shape[1] + 1)
        is_tired = selling & (load > self.wants.people.patience[who][:, None])
        goes_on = self.wants.nature.persistence + LIKED_ADDS * good - TIRED_TAKES * is_tired
        # Lists of other scenes are of other lengths: luck in one is not luck in the next.
        width = selling.shape[1]
        places = width * width + np.arange(width)[None, :]
        lot = self.luck.even(Lot.GOES_ON, day, who[:, None], places)
        went = lot < np.minimum(goes_on, GOES_ON_MOST)
        examined = np.ones(selling.shape, dtype=np.bool_)
        examined[:, 1:] = np.cumprod(went[:, :-1], axis=1, dtype=np.int64) > 0
        return examined

    def _watch(self, seen: Seen, share: Floats) -> list[Acts]:
        """Plays and pages of notes, reactions, and what is opened from cards."""
        market = self.wants.market
        is_video = ~market.is_product[seen.item]
        seen, share = seen.take(is_video), share[is_video]
        length_s = market.duration_s[seen.item]
        seconds = np.round(share * self.wants.longest_s(seen.item), 1)
        plays = Acts.of(EventType.PLAY, seen, seconds=seconds, duration_s=length_s)
        notes = Acts.of(EventType.VIEW, seen, seconds=seconds)
        after = seen._replace(at_ms=seen.at_ms + (1_000 * seconds).astype(np.int64))
        liked, day = share > ENOUGH, _day(seen.at_ms)
        acts = [plays.take(length_s > 0), notes.take(length_s == 0)]
        for kind, chance in REACTIONS.items():
            lot = self.luck.even(Lot.REACTS + kind, day, seen.who, seen.item)
            did = after.take(liked & (lot < chance))
            acts.append(Acts.of(kind, did))
            if kind is EventType.FOLLOW:
                self.wants.people.gain_trust(did.who, market.creator[did.item], TRUST_FOLLOW)
        lot = self.luck.even(Lot.DISLIKES, day, seen.who, seen.item)
        did = after.take((share < LITTLE) & (lot < DISLIKED))
        return [*acts, Acts.of(EventType.DISLIKE, did), *self._from_cards(after.take(liked))]

    def _from_cards(self, seen: Seen) -> list[Acts]:
        """Of the products on a video's cards one is opened, or none: multinomial logit."""
        market, nature = self.wants.market, self.wants.nature
        cards, who = market.cards[seen.item], seen.who[:, None]
        is_there = (cards != NOTHING) & (market.stock[cards] > 0)
        day, goods = _day(seen.at_ms), np.maximum(cards, 0)
        wanted = self.wants.products(who, goods, day)
        trusted = self.wants.people.trusted(seen.who, market.creator[seen.item])
        wanted = wanted + nature.card_base + nature.trust_weight * trusted[:, None]
        noise = self.luck.gumbel(Lot.TAKES_CARD, day, who, goods)
        wanted = np.where(is_there, wanted + noise, -np.inf)
        rows, best = np.arange(len(wanted)), np.argmax(wanted, axis=1)
        chosen = wanted[rows, best] > self.luck.gumbel(Lot.TAKES_NONE, day, seen.who, seen.item)
        card = seen.take(chosen, item=cards[rows, best][chosen])
        return self._open(card, market.creator[seen.item][chosen])

    def _open(self, seen: Seen, creators: Ints) -> list[Acts]:
        """Pages of products, and what is bought there, of a sort one piece; whose video sold it."""
        dwell_s, day = self._dwell_s(seen), _day(seen.at_ms)
        utility = self.wants.needed(seen.who, self.wants.market.ware[seen.item], day)
        utility = utility - self.wants.dear(seen.who, seen.item) + self.wants.nature.order_base
        lot = self.luck.logistic(Lot.BUYS, day, seen.who, seen.item)
        wanted = np.flatnonzero(lot < utility)
        wares = self.wants.market.ware[seen.item[wanted]]
        _, firsts = np.unique(np.stack([seen.who[wanted], wares]), axis=1, return_index=True)
        bought = self._in_stock(seen, wanted[np.sort(firsts)])
        after = seen.take(bought, at_ms=(seen.at_ms + (1_000 * dwell_s).astype(np.int64))[bought])
        self.wants.people.gain_trust(after.who, creators[bought], TRUST_BOUGHT)
        return [Acts.of(EventType.VIEW, seen, seconds=dwell_s), self._pay(after)]

    def _in_stock(self, seen: Seen, wanted: Ints) -> Ints:
        """Those who come before the last piece is gone."""
        stock = self.wants.market.stock
        if len(wanted) == 0:
            return wanted
        order = wanted[np.argsort(seen.item[wanted], kind="stable")]
        items, starts, counts = np.unique(seen.item[order], return_index=True, return_counts=True)
        place = np.arange(len(order)) - np.repeat(starts, counts)
        bought = order[place < stock[seen.item[order]]]
        stock[items] -= np.minimum(counts, stock[items])
        return np.sort(bought)

    def _pay(self, seen: Seen) -> Acts:
        market, people = self.wants.market, self.wants.people
        numbers = self.n_orders + 1 + np.arange(len(seen.who))
        self.n_orders += len(seen.who)
        day = _day(seen.at_ms)
        people.bought_day[seen.who, market.ware[seen.item]] = day
        orders = Acts.of(
            EventType.ORDER, seen, order=numbers, amount_minor=market.price_minor[seen.item]
        )
        lot = self.luck.even(Lot.GIVES_BACK, day, seen.who, seen.item)
        given_back = orders.take(lot < self.wants.nature.refunds)
        if len(given_back):
            late = self.luck.even(Lot.GIVES_BACK_LATE, day, given_back.who, given_back.item)
            late_ms = (REFUND_DAYS * DAY_MS * (0.5 + late)).astype(int)
            self.refunds.append(given_back.turned(EventType.REFUND, given_back.at_ms + late_ms))
        return orders

    def _feel(self, who: Ints, examined: Mask, selling: Mask, good: Mask) -> None:
        """What a visit was like: good things for it, commerce beyond one's patience against it."""
        people, nature = self.wants.people, self.wants.nature
        n = np.maximum(examined.sum(axis=1), 1)
        load = (examined & selling).sum(axis=1) / n
        felt = FELT_BASE + FELT_GOOD * (examined & good).sum(axis=1) / n
        felt -= nature.annoyance * np.maximum(load - people.patience[who], 0.0)
        people.feel(who, felt, nature)


def _day(at_ms: Ints) -> float:
    """The day of acts, in days since 1970; they are all of one."""
    return float(at_ms[0]) / DAY_MS if len(at_ms) else 0.0


def _seen(pages: Pages, examined: Mask, at_ms: Ints) -> Seen:
    rows, positions = np.nonzero(examined)
    return Seen(
        who=pages.who[rows],
        item=pages.items[rows, positions],
        at_ms=at_ms[rows, positions],
        shown=pages.shown[rows],
        position=np.where(pages.shown[rows] == NOTHING, NOTHING, positions),
        place=pages.place[rows],
    )
