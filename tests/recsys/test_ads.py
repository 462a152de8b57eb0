"""Ads in lists of every kind: each is marked, and there are few (C07)."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.rules import DEFAULTS
from tests.planted import item
from tests.recsys.steered import (
    ITEMS,
    LIKED,
    RUNGS,
    bundle,
    ids,
    rule,
    shown,
)

# C07: lists of every kind, with any share of ads, over all rungs.
ADS = st.lists(st.integers(0, 119), unique=True, max_size=119)
CAP = 0.2


def with_ads(ads, sponsored):
    """The items, some of them ads: what is bought, or what a video promotes by its cards."""
    return [
        replace(one, sponsored=n in ads and sponsored, promotional=n in ads and not sponsored)
        for n, one in enumerate(ITEMS)
    ]


def check_ads(rung, n_lists, ads, sponsored, seed):
    """So many lists of one world: every ad is marked, there are few, no two side by side."""
    rules = [*DEFAULTS, rule("spread", by="ad", share=CAP), rule("run", by="ad", in_a_row=1)]
    new = [item(n, creator_id="c9", sponsored=n % 2 == 0) for n in range(300, 306)]
    made = bundle(*rules, items=with_ads(set(ads), sponsored), new=new, **RUNGS[rung])
    paid = {f"item-{1000 + n}" for n in (*ads, 300, 302, 304)}
    scenes = ("home", "post_checkout", "video", "product", "cart", "live")
    for number in range(n_lists):
        k = 1 + (seed + number) % 40
        events = LIKED if number % 2 else []
        scene = scenes[number % 6]
        served = shown(made, *events, k=k, scene=scene, list_id=f"list-{seed}-{number}")
        marked = {one.item_id for one in served.items if one.ad}
        assert marked == paid & set(ids(served))
        assert len(marked) <= CAP * k
        pairs = zip(served.items, served.items[1:], strict=False)
        assert not any(one.ad and other.ad for one, other in pairs)


@pytest.mark.parametrize("rung", RUNGS)
@settings(max_examples=10, deadline=None)
@given(ads=ADS, sponsored=st.booleans(), seed=st.integers(0, 999))
def test_no_ad_is_unmarked_and_their_share_is_bounded(rung, ads, sponsored, seed):
    check_ads(rung, 30, ads, sponsored, seed)


@pytest.mark.nightly
@pytest.mark.parametrize("rung", RUNGS)
@settings(max_examples=25, deadline=None)
@given(ads=ADS, sponsored=st.booleans(), seed=st.integers(0, 999))
def test_no_ad_is_unmarked_in_ten_thousand_lists(rung, ads, sponsored, seed):
    check_ads(rung, 100, ads, sponsored, seed)


def test_without_the_rule_ads_take_what_they_win():
    """The control: the cap above is what bounds them."""
    served = shown(bundle(items=with_ads(set(range(40)), True)), *LIKED)
    assert sum(one.ad for one in served.items) > CAP * 20
