"""What a scorer looked at is kept with its list, and can be worked out once more."""

from dataclasses import replace

import numpy as np
import orjson
import pytest

from data.record_rows import served_of, served_row
from recsys.events import EventType
from recsys.lookback import MAX_ITEMS, is_drawn, kept_values, looked_at, values_again
from tests.planted import FixedForAll, bundle_of, event, history_of
from tests.planted_scorers import CATALOG, POPULAR, answer, ranked


@pytest.fixture
def bundle():
    return ranked({"popular": FixedForAll(items=POPULAR), "near": FixedForAll(items=(3, 1))})


def kept(bundle):
    found = answer(bundle)
    return replace(found.served, looked_at=looked_at(found, bundle.catalog)), found


def test_what_is_kept_is_what_was_looked_at(bundle):
    served, found = kept(bundle)
    items = found.scored.racing.items
    rows = [items.tolist().index(item) for item in found.items.tolist()]
    np.testing.assert_array_equal(kept_values(served.looked_at), found.scored.features[rows])
    assert len(rows) <= MAX_ITEMS


def test_it_survives_the_record_bit_for_bit(bundle):
    served, _ = kept(bundle)
    back = served_of(served_row(served).body)
    assert back == served
    assert len(orjson.dumps(back.looked_at)) < 20_000


def test_the_same_history_gives_the_same_features(bundle):
    served, _ = kept(bundle)
    again = values_again(served, history_of(CATALOG, event("item-1006")), bundle)
    np.testing.assert_array_equal(again, kept_values(served.looked_at))


def test_another_history_gives_others(bundle):
    served, _ = kept(bundle)
    more = history_of(CATALOG, event("item-1006"), event("item-1002", EventType.ORDER))
    again = values_again(served, more, bundle)
    assert (again != kept_values(served.looked_at)).any()


def test_without_a_ranker_nothing_is_kept():
    bundle = bundle_of(CATALOG, {"popular": FixedForAll(items=POPULAR)})
    served, found = kept(bundle)
    assert served.looked_at is None
    with pytest.raises(ValueError, match="nothing was kept"):
        values_again(found.served, history_of(CATALOG), bundle)


def test_the_share_that_is_kept_is_that_asked_for():
    ids = [f"list-{n}" for n in range(2_000)]
    assert not any(is_drawn(one, 0.0) for one in ids)
    assert all(is_drawn(one, 1.0) for one in ids)
    # 2,000 draws of 0.1: four standard deviations are 54.
    assert abs(sum(is_drawn(one, 0.1) for one in ids) - 200) < 54
