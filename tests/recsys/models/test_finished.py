import numpy as np

from recsys.catalog import Catalog, Kind
from recsys.events import EventType, millis
from recsys.histories import Histories
from recsys.interactions import Row
from recsys.models.finished import Finished
from tests.planted import NOW, event, history_of, item, taste_of

VIDEO, BOUGHT, BESTSELLER, OTHER = 0, 1, 2, 3
CATALOG = Catalog.of([item(VIDEO, Kind.VIDEO, duration_s=30.0), item(1), item(2), item(3)])
TASTE = taste_of(CATALOG)


def person(play_s, *bought):
    events = [event("item-1000", EventType.PLAY, play_s=play_s)] if play_s else []
    return history_of(
        CATALOG, *events, *(event(f"item-{1000 + n}", EventType.ORDER) for n in bought)
    )


def learned():
    """Who watches the video to the end buys product 1; who only begins it buys product 3."""
    people = [person(30.0, BOUGHT, BESTSELLER) for _ in range(20)]
    people += [person(3.0, OTHER, BESTSELLER) for _ in range(20)]
    people += [person(0, BESTSELLER) for _ in range(60)]
    return Finished().fit(TASTE.rows(Histories.of(people), millis(NOW)), CATALOG)


def beside(*items):
    return Row(np.array(items, dtype=np.int32), np.ones(len(items), dtype=np.float32))


def test_what_finishers_buy_goes_with_the_video_and_no_bestseller_does():
    found = learned().candidates(beside(VIDEO), 10, Kind.PRODUCT)
    assert found.items.tolist() == [BOUGHT]
    # 20 of 20 against 4 by chance, drawn by 10.
    np.testing.assert_allclose(found.scores, [(20 - 20 * 20 / 100) / (20 + 10)], rtol=1e-5)


def test_beginning_a_video_is_not_watching_it():
    assert OTHER not in learned().candidates(beside(VIDEO), 10, None).items
    assert learned().candidates(beside(OTHER), 10, Kind.VIDEO).items.tolist() == []
