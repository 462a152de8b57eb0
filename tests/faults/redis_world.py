"""One worker's service over a shop on disk, its copies in a Redis that is broken on purpose."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from recsys.recommend import Request
from serving.fence import Fence, Pace
from serving.hand import Act
from serving.hot_redis import RedisHot
from serving.identity import OPEN
from serving.persons import Persons
from serving.remembered import Remembered
from serving.service import Service
from tests.serving.conftest import ITEMS, Shop

AT_ONCE = Pace(look_s=0.05, stale_s=0.5, quiet_s=1.2)
PEOPLE = [f"user-{5001 + 2 * n}" for n in range(40)]


def in_turn(number: int) -> str:
    return PEOPLE[number % len(PEOPLE)]


@dataclass
class World:
    """A service, and what its lists were like.

    Attributes
    ----------
    lists
        How many lists were valid, by what they say is degraded.
    """

    shop: Shop
    service: Service
    hot: RedisHot
    lists: Counter = field(default_factory=Counter)
    acked: dict[str, list[str]] = field(default_factory=dict)
    opted_out: set[str] = field(default_factory=set)
    sent: int = 0

    async def ask(self, user_id: str) -> None:
        """One list, as the route makes it; what is no valid list ends the test."""
        acked = list(self.acked.get(user_id, ()))
        met = await self.service.meet(user_id)
        assert met is not None
        known = [met.current.bundle.catalog.ids[i] for i in met.history.item.tolist()]
        assert known[: len(acked)] == acked or set(acked) <= set(known), "an event is missing"
        answer = json.loads(self.service.recommend(Request(scene="home", user_id=user_id), met=met))
        assert answer["items"], "an empty list"
        assert not (answer["personalised"] and user_id in self.opted_out), "a choice is lost"
        self.lists[",".join(answer["degraded"])] += 1

    async def ask_many(
        self, n: int, at_once: int = 8, whom: Callable[[int], str] = in_turn
    ) -> None:
        """So many lists, for people in turn unless said otherwise."""
        rest = iter(range(n))

        async def one_after_another() -> None:
            for number in rest:
                await self.ask(whom(number))

        await asyncio.gather(*(one_after_another() for _ in range(at_once)))

    async def opt_out(self, user_id: str) -> None:
        """Personalisation switched off, acknowledged."""
        await self.service.hand.switch(Act(user_id, OPEN), is_on=False)
        self.opted_out.add(user_id)

    async def act(self, user_id: str) -> None:
        """One event, acknowledged."""
        self.sent += 1
        item_id = ITEMS[self.sent % len(ITEMS)].item_id
        body = self.shop.body(self.sent, user_id=user_id, item_id=item_id)
        receipt = await self.service.take([body])
        assert receipt.accepted == 1
        self.acked.setdefault(user_id, []).append(item_id)


@asynccontextmanager
async def world(shop: Shop, url: str, *, read_s: float = 0.5) -> AsyncIterator[World]:
    """The service, watching, until the test is over."""
    if not shop.home.bundles.exists():
        shop.publish()
    service, hot = shop.service(), RedisHot(url, read_s=read_s)
    service.watcher.look_for_bundle()
    service = replace(service, persons=persons_of(service, hot))
    watching = asyncio.create_task(service.persons.watch())
    await asyncio.sleep(AT_ONCE.quiet_s + 2 * AT_ONCE.look_s)
    try:
        yield World(shop, service, hot)
    finally:
        watching.cancel()
        await service.persons.close()
        await asyncio.to_thread(service.close)


def persons_of(service: Service, hot: RedisHot) -> Persons:
    """What a worker knows, with copies there, at a pace for tests."""
    fence = Fence(service.record, pace=AT_ONCE)
    return Persons(service.record, Remembered(20), limit=300, hot=hot, fence=fence)
