import numpy as np
import pytest

from recsys.events import EventType
from recsys.interactions import DAY_MS
from training.sample_people import START_MS
from training.simulation.acts import IN_SHOP
from training.simulation.behaviour import Behaviour, Pages
from training.simulation.luck import Luck
from training.simulation.market import NOTHING, Market
from training.simulation.nature import RANGES, Nature
from training.simulation.people import People
from training.simulation.wants import Wants

N = 2_000


def living(seed: int = 3, **said) -> Behaviour:
    """Many people of one draw in a small market; what is said of their nature holds."""
    rng = np.random.default_rng(seed)
    middle = {name: (low + high) / 2 for name, (low, high) in RANGES.items()}
    nature = Nature(**middle | said)
    market = Market.drawn(rng, is_small=True)
    people = People.drawn(rng, N, nature, market, day=START_MS / DAY_MS)
    return Behaviour(Wants(people, market, nature), Luck(seed))


def pages_of(one: Behaviour, items: list[int]) -> Pages:
    """Everybody sees the same list in the shop."""
    who = np.arange(len(one.wants.people))
    return Pages(
        who,
        np.full(N, START_MS),
        np.arange(N),
        np.tile(np.array(items), (N, 1)),
        np.full(N, IN_SHOP),
    )


def videos(one: Behaviour) -> list[int]:
    return np.flatnonzero(~one.wants.market.is_product).tolist()


def products(one: Behaviour) -> list[int]:
    market = one.wants.market
    return np.flatnonzero(market.is_product & (market.stock > 100)).tolist()


def test_a_place_is_looked_at_less_the_lower_it_stands():
    one = living()
    acts = one.live(pages_of(one, videos(one)[:10])).acts
    seen = np.bincount(acts.position[acts.type == EventType.IMPRESSION], minlength=10)
    assert seen[0] == N
    assert (np.diff(seen) < 0).all()


def test_longer_videos_hold_more_seconds_and_a_smaller_share():
    one = living()
    market = one.wants.market
    order = sorted(videos(one), key=lambda idx: market.duration_s[idx])
    has_length = [idx for idx in order if market.duration_s[idx] > 0]
    short, long = has_length[:30], has_length[-30:]
    who = np.arange(N)[:, None]
    shares = [one._watched_share(who, np.tile(idxs, (N, 1)), 20_000.0) for idxs in (short, long)]
    seconds = [
        (share * market.duration_s[idxs]).mean()
        for share, idxs in zip(shares, (short, long), strict=True)
    ]
    assert shares[0].mean() > shares[1].mean()
    assert seconds[0] < seconds[1]


def test_what_is_dear_to_people_is_opened_more():
    one = living()
    items = products(one)[:12]
    liked = one.wants.products(np.arange(N)[:, None], np.array(items)[None, :], START_MS / DAY_MS)
    acts = one.live(pages_of(one, items)).acts
    views = acts.take(acts.type == EventType.VIEW)
    assert liked[views.who, views.position].mean() > liked.mean() + 0.5


def test_nobody_buys_more_than_there_is():
    one = living(feed_base=4.0, order_base=4.0)
    idx = products(one)[0]
    one.wants.market.stock[idx] = 7
    acts = one.live(pages_of(one, [idx])).acts
    assert (acts.type == EventType.ORDER).sum() == 7
    assert one.wants.market.stock[idx] == 0


def test_a_sort_is_bought_once_a_visit():
    one = living(feed_base=4.0, order_base=4.0)
    market = one.wants.market
    same = [idx for idx in products(one) if market.ware[idx] == market.ware[products(one)[0]]]
    market.stock[same] = 10 * N
    acts = one.live(pages_of(one, same)).acts
    orders = acts.who[acts.type == EventType.ORDER]
    assert len(orders) == len(np.unique(orders)) > N / 2


def test_a_list_that_only_sells_spoils_the_mood_and_content_does_not():
    only_sells, content = living(), living()
    for _ in range(5):
        only_sells.live(pages_of(only_sells, products(only_sells)[:10]))
        content.live(pages_of(content, videos(content)[:10]))
    assert only_sells.wants.people.mood.mean() < content.wants.people.mood.mean() - 0.2


def test_what_is_used_up_is_needed_at_its_time_and_not_before():
    one = living()
    people, day = one.wants.people, START_MS / DAY_MS
    diapers = int(one.wants.market.ware[one.wants.market.of_ware("纸尿裤", is_product=True)[0]])
    people.bought_day[:, diapers] = day
    people.rhythm[:] = 1.0
    needs = [people.needs(np.arange(N), np.full(N, diapers), day + n).mean() for n in (6, 24, 30)]
    assert needs[0] < -2
    assert needs[0] < needs[1] < needs[2]


def test_the_same_seed_gives_the_same_acts():
    first, second = (one.live(pages_of(one, videos(one)[:10])).acts for one in (living(), living()))
    assert (first.at_ms == second.at_ms).all()
    assert (first.item == second.item).all()


def test_empty_places_are_not_seen():
    one = living()
    outcome = one.live(pages_of(one, [videos(one)[0], NOTHING, NOTHING]))
    assert outcome.examined.max() == 1


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_natures_are_drawn_from_their_ranges(seed):
    nature = Nature.drawn(np.random.default_rng(seed))
    assert all(low <= getattr(nature, name) <= high for name, (low, high) in RANGES.items())
