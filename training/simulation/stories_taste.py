"""Stories about taste: what people watch and look at shows in what the shop puts before them."""

import numpy as np

from recsys.events import EventType
from recsys.interactions import DAY_MS
from training.sample_goods import Ints
from training.simulation.ground import Figures, in_lived
from training.simulation.lived import Lived, share
from training.simulation.market import OUTDOORS
from training.simulation.stories import Story

PEOPLE = 20
BUYING = (EventType.VIEW, EventType.CART, EventType.ORDER)
# Acts that take something back.
AGAINST = (EventType.DISLIKE, EventType.REFUND)


def fitness(lived: Lived) -> Figures:
    """Who follows fitness videos, against the same people without them."""
    market = lived.world.market
    videos = market.of_taste("健身", is_product=False)
    videos = videos[market.duration_s[videos] > 0]
    gear = market.of_taste("健身", is_product=True)
    deaf = lived.hearing(*BUYING)
    rises = []
    for person in lived.cold("健身", PEOPLE).tolist():
        before = lived.past(person)
        after = before.merged(lived.watched(videos[:6]))
        after = after.merged(lived.did(EventType.FOLLOW, videos[:2], days_ago=0.005))
        rises.append(
            [
                share(lived.listed(after, bundle=one), gear)
                - share(lived.listed(before, bundle=one), gear)
                for one in (lived.bundle, deaf)
            ]
        )
    return Figures(*np.mean(rises, axis=0).tolist())


def mother_and_baby(lived: Lived) -> Figures:
    """Some 母婴 videos and several looks at 辅食: within one session the list has both."""
    market = lived.world.market
    videos = market.of_taste("育儿", is_product=False)
    food = np.concatenate(
        [market.of_ware(w, is_product=True) for w in ("婴儿米粉", "辅食泥", "宝宝溶豆")]
    )
    # What comes in on the day of other stories is not there yet.
    food = food[market.out(lived.now_ms - DAY_MS)[food]]
    watched, viewed = videos[:4], food[:2]

    def has_both(listed: Ints) -> bool:
        n_food = np.isin(listed, np.setdiff1d(food, viewed)).sum()
        return bool(n_food >= 1 and np.isin(listed, videos).any())

    found = []
    for person in lived.cold("育儿", PEOPLE).tolist():
        before = lived.past(person)
        session = lived.watched(watched).merged(
            lived.did(EventType.VIEW, [*viewed, viewed[0]], days_ago=0.002)
        )
        # Without the session nothing of it may show: a shop that learns overnight does not see it.
        found.append([has_both(lived.listed(one)) for one in (before.merged(session), before)])
    return Figures(*np.mean(found, axis=0).tolist())


def hiking(lived: Lived) -> Figures:
    """户外运动 by video, 登山鞋 by browsing, no tag in common: gear never touched appears."""
    market, places = lived.world.market, lived.world.market.positions
    clips = market.of_taste(OUTDOORS, is_product=False)[:6]
    boots = [places[f"hiking-{n}"] for n in (0, 1)]
    gear = np.setdiff1d(market.of_taste(OUTDOORS, is_product=True), boots)
    found = []
    for person in lived.cold(OUTDOORS, PEOPLE).tolist():
        before = lived.past(person)
        after = before.merged(lived.watched(clips))
        after = after.merged(lived.did(EventType.VIEW, boots, days_ago=0.002))
        found.append([np.isin(gear, lived.listed(one)).sum() > 1 for one in (after, before)])
    return Figures(*np.mean(found, axis=0).tolist())


def seeded_note(lived: Lived) -> Figures:
    """A note read on Xiaohongshu: the product on its card is in the shop's home list."""
    places = lived.world.market.positions
    product, found = places["seeded"], []
    for person in lived.cold("家居", PEOPLE).tolist():
        before = lived.past(person)
        lists = [
            lived.listed(before.merged(lived.watched([places[note]])))
            for note in ("note-card", "note-plain")
        ]
        found.append([product in listed for listed in lists])
    return Figures(*np.mean(found, axis=0).tolist())


def taken_back(lived: Lived) -> Figures:
    """Bought and liked, then given back and disliked: the next list has less of that taste."""
    market = lived.world.market
    videos = market.of_taste("养宠", is_product=False)
    goods = market.of_taste("养宠", is_product=True)
    whole = np.concatenate([videos, goods])
    fell = []
    for person in lived.cold("养宠", PEOPLE).tolist():
        past = lived.past(person)
        past = past.merged(lived.did(EventType.ORDER, goods[:1], days_ago=1.0, order=99))
        past = past.merged(lived.watched(videos[:2], days_ago=0.9))
        first = lived.listed(past)
        against = lived.did(EventType.REFUND, goods[:1], order=99)
        disliked = np.concatenate([videos[:2], first[np.isin(first, whole)][:3]])
        after = past.merged(against).merged(lived.did(EventType.DISLIKE, disliked, days_ago=0.002))
        # The control hears nothing against; what was shown once stays away in both.
        heard = after.take(~np.isin(after.type, AGAINST))
        before = share(first, whole)
        fell.append([before - share(lived.listed(one), whole) for one in (after, heard)])
    return Figures(*np.mean(fell, axis=0).tolist())


TASTE = (
    Story(
        number=1,
        name="Fitness",
        measures="rise of sports gear in the home list, as a share of the list",
        least=0.1,
        off="watching is not heard",
        tell=in_lived(fitness),
    ),
    Story(
        number=2,
        name="Mother and baby",
        measures="share of people with baby food they never saw and parenting videos in the list",
        least=0.9,
        off="the session is not heard before the night",
        tell=in_lived(mother_and_baby),
    ),
    Story(
        number=3,
        name="Hiking",
        measures="share of people who see two or more hiking goods that they never touched",
        least=0.9,
        off="neither the videos nor the browsing are heard",
        tell=in_lived(hiking),
    ),
    Story(
        number=8,
        name="Xiaohongshu",
        measures="share of readers of a note who find its product in the home list",
        least=0.9,
        off="the note has no card",
        tell=in_lived(seeded_note),
    ),
    Story(
        number=13,
        name="Taken back",
        measures="fall of a taste in the home list after refund and dislikes, as a share of it",
        least=0.1,
        off="refunds and dislikes are not heard",
        tell=in_lived(taken_back),
    ),
)
