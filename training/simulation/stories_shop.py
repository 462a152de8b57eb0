"""Stories about what the shop decides: whom an item is meant for, and sales that end."""

from dataclasses import replace

import numpy as np

from recsys.events import EventType, millis
from recsys.histories import History
from recsys.interactions import DAY_MS
from recsys.pacing import Counts
from recsys.recommend import Request
from recsys.ruled import Ruled
from recsys.rules import Effect, Rule
from training.sample_goods import Ints
from training.simulation.ground import Figures, in_lived
from training.simulation.lived import Lived
from training.simulation.planted import FLASH_ENDS, FLASH_STARTS, FLASH_STOCK
from training.simulation.stories import Story

PEOPLE = 10
# One order makes a returning customer, three a member.
ORDERS = {"new": 0, "returning": 1, "member": 3}
MEANT = {"for-new": "new", "for-members": "member"}
SECOND_DAYS = 1_000 / DAY_MS
COUPON = "满减"
# Puts an item into a short list whoever it is for.
FEW_K = 5
PINNED = Rule(
    rule_id="pinned", effect=Effect.PIN, items=("?",), seat=2, who="story", why="to see its mark"
)
# A quota of impressions for a product that has no campaign, in the time of the sale; so many people
# ask meanwhile, each once, and what screens showed is counted so often.
QUOTA, CUSTOMERS, COUNTED = 150, 300, 30
PROMISED = Rule(
    rule_id="promised",
    effect=Effect.EXPOSE,
    items=("flash-plain",),
    impressions=QUOTA,
    who="story",
    why="to see it met",
    from_at=FLASH_STARTS,
    until_at=FLASH_ENDS,
)


def tiers(lived: Lived) -> Figures:
    """New customers see what is for them, members theirs, and nobody else either."""
    lived.open_today()
    places = lived.world.market.positions
    everybody = replace(
        lived.bundle,
        catalog=replace(
            lived.bundle.catalog, audience=np.zeros_like(lived.bundle.catalog.audience)
        ),
    ).ready()
    found = []
    for person in range(PEOPLE):
        for tier, n_orders in ORDERS.items():
            past = _with_orders(lived, person, n_orders)
            found.append(
                [
                    all(
                        (places[item_id] in listed) == (meant == tier)
                        for item_id, meant in MEANT.items()
                    )
                    for listed in (
                        lived.listed(past, bundle=one) for one in (lived.bundle, everybody)
                    )
                ]
            )
    return Figures(*np.mean(found, axis=0).tolist())


def flash_sale(lived: Lived) -> Figures:
    """Shown while stock and time last, gone a second after, and to nobody who had their piece.

    A coupon is marked for everybody in its time, and for nobody after it, without stock, or who
    used it. A quota of impressions is met by the end of the sale.
    """
    lived.open_today()
    campaign = (f"coupon:{COUPON} {FLASH_STARTS.isoformat()}/{FLASH_ENDS.isoformat()} limit=1",)
    # Each mechanism is off in turn: the best of what is left without one has to be red.
    return Figures(
        min(_sold_in_time(lived, "flash"), _marked_in_time(lived, campaign), _met(lived, PROMISED)),
        max(_sold_in_time(lived, "flash-plain"), _marked_in_time(lived, ()), _met(lived)),
    )


def _met(lived: Lived, *rules: Rule) -> float:
    """What the product without a campaign had of its quota by the end of the sale, at most 1.

    Twenty places of each list are on a screen; the shop counts them now and then, as servers do.
    """
    bundle, ruled = lived.bundle, Ruled.of(rules, lived.bundle.catalog)
    counts = Counts(0, {})
    starts = (millis(FLASH_STARTS) - lived.now_ms) / DAY_MS
    lasts = (millis(FLASH_ENDS) - millis(FLASH_STARTS)) / DAY_MS
    (item_id,) = PROMISED.items
    idx = lived.world.market.positions[item_id]
    for step in range(COUNTED):
        counted = replace(bundle, rules=ruled.counting({PROMISED.rule_id: counts}))
        listed = [
            lived.listed(
                lived.past(person), bundle=counted, days_on=starts + lasts * step / COUNTED
            )
            for person in range(step, CUSTOMERS, COUNTED)
        ]
        shown = counts.shown.get(item_id, 0) + sum(int(idx in one) for one in listed)
        counts = Counts(counts.opportunities + sum(map(len, listed)), {item_id: shown})
    return min(1.0, counts.shown[item_id] / QUOTA)


def _marked_in_time(lived: Lived, campaigns: tuple[str, ...]) -> float:
    """The smallest share of people for whom a promise of the coupon was kept."""
    people = [lived.past(person) for person in range(PEOPLE)]
    idx = int(_cheap(lived)[0])
    item = replace(lived.world.market.item(idx), stock=FLASH_STOCK)
    ended = (millis(FLASH_ENDS) - lived.now_ms) / DAY_MS + SECOND_DAYS
    used = [one.merged(lived.did(EventType.ORDER, [idx], order=905)) for one in people]
    lived.put([replace(item, campaigns=campaigns)])
    runs = _marks(lived, people, item.item_id)
    over = 1 - _marks(lived, people, item.item_id, days_on=ended)
    used_up = 1 - _marks(lived, used, item.item_id)
    lived.put([replace(item, campaigns=tuple(f"{one} stock=0" for one in campaigns))])
    gone = 1 - _marks(lived, people, item.item_id)
    lived.put([lived.world.market.item(idx)])
    return min(runs, over, used_up, gone)


def _marks(lived: Lived, people: list[History], item_id: str, days_on: float = 0.0) -> float:
    """Share of people in whose list the item, pinned so that it is there, has the coupon's mark."""
    bundle = lived.bundle.ruled((replace(PINNED, items=(item_id,)),))
    request = Request(scene="home", user_id="user-1", k=FEW_K)
    found = []
    for one in people:
        items = lived.served(request, one, bundle, days_on).items
        found.append(next(shown.coupon for shown in items if shown.item_id == item_id) == COUPON)
    return float(np.mean(found))


def _sold_in_time(lived: Lived, item_id: str) -> float:
    """The smallest share of people for whom a promise of the sale was kept."""
    idx = lived.world.market.positions[item_id]
    item = lived.world.market.placed[idx].item
    people = [lived.past(person) for person in range(PEOPLE)]
    ended = (millis(FLASH_ENDS) - lived.now_ms) / DAY_MS + SECOND_DAYS
    had = [one.merged(lived.did(EventType.ORDER, [idx], order=904)) for one in people]
    shown = _sees(lived, people, idx)
    over = 1 - _sees(lived, people, idx, days_on=ended)
    limited = 1 - _sees(lived, had, idx)
    lived.put([replace(item, stock=0)])
    sold_out = 1 - _sees(lived, people, idx)
    lived.put([item])
    return min(shown, over, limited, sold_out)


def _sees(lived: Lived, people: list[History], idx: int, days_on: float = 0.0) -> float:
    """Share of people who find an item in their home list."""
    return float(np.mean([idx in lived.listed(one, days_on=days_on) for one in people]))


def _with_orders(lived: Lived, person: int, n: int) -> History:
    """What somebody did lately, with so many orders of cheap goods and no others."""
    past = lived.past(person)
    past = past.take(past.type != EventType.ORDER)
    for number, product in enumerate(_cheap(lived)[:n].tolist()):
        past = past.merged(
            lived.did(EventType.ORDER, [product], days_ago=2.0 + number, order=910 + number)
        )
    return past


def _cheap(lived: Lived) -> Ints:
    market = lived.world.market
    is_sold = [one.item.available and (one.item.stock or 0) > 0 for one in market.placed]
    products = np.flatnonzero(market.is_product & np.array(is_sold))
    return products[np.argsort(market.price_minor[products], kind="stable")]


SHOP = (
    Story(
        number=4,
        name="Tiers",
        measures="share of people, new, returning and members, who see exactly what is for them",
        least=0.95,
        off="items are meant for everybody",
        tell=in_lived(tiers),
        is_last=True,
    ),
    Story(
        number=10,
        name="Flash sale",
        measures="least share of people for whom a sale is shown in time, gone after it, gone when "
        "sold out, and gone for who had a piece; for whom a coupon's mark does the same; and part "
        "of a quota of impressions that is met by its end",
        least=0.95,
        off="the items have no campaign, and no rule promises the quota",
        tell=in_lived(flash_sale),
        is_last=True,
    ),
)
