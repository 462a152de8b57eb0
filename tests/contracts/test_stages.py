"""Every stage keeps the laws: it only removes, keeps order and scores, and invents nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.candidates import Candidates
from recsys.catalog import Catalog, Kind
from recsys.events import EventType
from recsys.histories import History
from recsys.interactions import Row
from recsys.pipeline import Context
from recsys.stages import STAGES, barring
from tests.planted import NOW, event, item

CATALOG = Catalog.of(
    [
        item(n, category=("类", str(n % 3)), durable=n % 2 == 0, available=n % 5 > 0)
        for n in range(12)
    ]
    + [item(n, Kind.VIDEO) for n in range(12, 20)]
)
ACTS = st.lists(
    st.tuples(
        st.integers(0, 19),
        st.sampled_from([EventType.ORDER, EventType.PLAY, EventType.REFUND, EventType.DISLIKE]),
    ),
    max_size=10,
)


def context_of(acts, basket, excluded):
    events = [(idx, event(f"item-{idx}", type)) for idx, type in acts]
    items = np.unique(np.array([idx for idx, _ in acts], dtype=np.int32))
    basket = np.unique(np.array(basket, dtype=np.int32))
    return Context(
        scene="home",
        k=10,
        kinds=(Kind.VIDEO, Kind.PRODUCT),
        history=History.of(events),
        row=Row(items, np.where(items % 2, -1, 1).astype(np.float32)),
        basket=Row(basket, np.ones(len(basket), dtype=np.float32)),
        excluded=np.array(excluded, dtype=np.int32),
        at_ms=int(NOW.timestamp() * 1000),
    )


@pytest.mark.parametrize("name", STAGES)
@given(
    items=st.lists(st.integers(0, 19), unique=True),
    acts=ACTS,
    basket=st.lists(st.integers(0, 11), max_size=4),
    excluded=st.lists(st.integers(0, 19), max_size=4),
)
def test_filter_laws(name, items, acts, basket, excluded):
    scores = np.linspace(1, 2, len(items))
    before = Candidates(np.array(items, dtype=np.int32), scores, scores[None, :])
    context = context_of(acts, basket, excluded)
    bars = barring([name], context, CATALOG)
    after = before.without(bars.removed(before.items))
    kept = np.isin(before.items, after.items)
    assert after.items.tolist() == before.items[kept].tolist()
    assert after.scores.tolist() == before.scores[kept].tolist()
    assert after.parts.shape == (1, len(after))
    assert not bars.removed(after.items).any()


@given(
    items=st.lists(st.integers(0, 19), unique=True),
    acts=ACTS,
    basket=st.lists(st.integers(0, 11), max_size=4),
    excluded=st.lists(st.integers(0, 19), max_size=4),
)
def test_together_stages_bar_what_any_of_them_bars(items, acts, basket, excluded):
    context, asked = context_of(acts, basket, excluded), np.array(items, dtype=np.int32)
    alone = [barring([name], context, CATALOG).removed(asked) for name in STAGES]
    together = barring(STAGES, context, CATALOG).removed(asked)
    assert together.tolist() == np.any(alone, axis=0).tolist()
