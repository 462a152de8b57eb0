"""What choices forbid holds on every path to a list: C01, C04, C05, C06, C09, C11, C24."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.blocked import Blocked
from recsys.catalog import Catalog
from recsys.controls import FREE, UNREAD, Age, Controls, Purpose, in_use, labels
from recsys.events import EventType, millis
from recsys.histories import History
from recsys.models.tags import TagProfile
from recsys.overlay import Overlay
from recsys.recommend import Request, recommend
from recsys.scenes import SCENES
from tests.planted import NOW, FixedForAll, bundle_of, event, history_of
from tests.recsys.controlled import (
    ACTS,
    BUNDLE,
    CATALOG,
    MINORS,
    MODELS,
    OFF,
    SILENT,
    TAGS,
    history,
    listed,
    made,
)


@settings(max_examples=15, deadline=None)
@given(
    acts=ACTS, controls=st.sampled_from(SILENT), scene=st.sampled_from(["home", "post_checkout"])
)
def test_who_may_not_be_known_gets_nobodys_list(acts, controls, scene):
    mine = replace(controls, removed=frozenset({TAGS[0]}), refused={"item-1089": millis(NOW)})
    as_nobody = replace(FREE, age=controls.age)
    asked = {"scene": scene, "basket": ("item-1003",) if scene == "post_checkout" else ()}
    served = listed(acts, mine, **asked)
    assert served.items == listed((), as_nobody, user_id=None, **asked).items
    assert (served.personalised, served.user_id) == (False, None)


def test_without_the_switch_the_same_person_gets_another_list():
    """The negative control: otherwise the test above says nothing."""
    acts = [(1, EventType.ORDER, 5), (62, EventType.PLAY, 3)]
    assert listed(acts).items != listed(acts, OFF).items
    assert listed(acts).personalised


@settings(max_examples=15, deadline=None)
@given(acts=ACTS, tag=st.sampled_from(TAGS))
def test_a_removed_tag_makes_the_list_that_its_acts_never_made(acts, tag):
    """C04: as if what the person did with items of the tag had never been, shown again excepted."""
    controls = Controls(removed=frozenset({tag}))
    carries = [n for n in range(90) if TAGS[n % 4] == tag]
    past = history(acts)
    without = history([one for one in acts if one[0] not in carries])
    barred = [f"item-{1000 + n}" for n in controls.barred(past, CATALOG).tolist()]
    served = listed(past, controls)
    assert served.items == listed(without, exclude=tuple(barred)).items
    assert not any(tag in one.reason for one in served.items)
    speaking = controls.speaking(past, CATALOG)
    assert tag not in {one.name for one in in_use(speaking, CATALOG)}


def test_a_tag_that_is_put_back_speaks_again():
    acts = [(4, EventType.ORDER, 5)]
    removed = Controls(removed=frozenset({TAGS[0]}))
    assert listed(acts, removed).items != listed(acts).items
    assert listed(acts, replace(removed, removed=frozenset())).items == listed(acts).items


@settings(max_examples=10, deadline=None)
@given(acts=ACTS.filter(bool))
def test_ranking_reads_no_item_whose_labels_are_not_listed(acts):
    """C04: what a model is asked with are items of the speaking history, all of them listed."""
    controls = Controls(removed=frozenset({TAGS[1]}))
    seen = []
    spied = TagProfile()
    bundle = bundle_of(CATALOG, {"tags": spied, "popular": MODELS["popular"]})
    real = TagProfile.candidates

    def candidates(self, row, k, within):
        seen.extend(row.items.tolist())
        return real(self, row, k, within)

    try:
        TagProfile.candidates = candidates
        listed(acts, controls, bundle)
    finally:
        TagProfile.candidates = real
    speaking = controls.speaking(history(acts), CATALOG)
    told = {(one.kind, one.name) for one in in_use(speaking, CATALOG)}
    read = labels(np.unique(np.array(seen, dtype=np.int32)), CATALOG)
    assert {(kind, name) for _, kind, name in read} <= told
    shares = [one.share for one in in_use(speaking, CATALOG)]
    assert shares == sorted(shares, reverse=True)
    assert all(0 < share <= 1 for share in shares)


TERMS = [f"禁词{chr(0x4E00 + n)}" for n in range(200)] + [f"bad{n}word" for n in range(50)]


def variants(term):
    yield term
    yield " ".join(term)
    yield term.upper()
    yield "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in term)
    yield "\u200b".join(term)


def test_no_variant_of_a_blocked_term_gets_through():
    """C05: 250 terms in 5 spellings."""
    blocked = Blocked.of(TERMS)
    told = [text for term in TERMS for text in variants(term)]
    assert len(told) == 1_250
    assert [text for text in told if not blocked.hits(text)] == []
    assert [text for text in ("Essex", "bad0words", "禁", "露营", "") if blocked.hits(text)] == []
    assert not Blocked().hits(TERMS[0])


def test_a_blocked_term_is_nobodys_tag_and_in_no_reason():
    blocked = Controls(blocked=Blocked.of([TAGS[0]]))
    acts = [(4, EventType.VIEW, 1), (5, EventType.VIEW, 2)]
    served = listed(acts, blocked)
    assert any(TAGS[0] in one.reason for one in listed(acts[:1]).items), "a control"
    assert not any(TAGS[0] in one.reason for one in served.items)
    assert TAGS[0] not in {
        one.name for one in in_use(blocked.speaking(history(acts), CATALOG), CATALOG)
    }


def test_a_title_with_a_blocked_term_is_no_reason():
    items = [made(n, title="禁词的书") for n in range(8)]
    catalog = Catalog.of(items)
    bundle = bundle_of(catalog, {"near": FixedForAll(items=(1, 2, 3)), "knn": TagProfile()})
    past = history_of(catalog, event("item-1004"))
    served = listed(past, Controls(blocked=Blocked.of(["禁词"])), bundle)
    assert not any("禁词" in one.reason for one in served.items)


ASKED = {
    "acts": ACTS,
    "controls": st.sampled_from([*MINORS, Controls(age=Age.UNDER_14)]),
    "scene": st.sampled_from(sorted(SCENES)),
    "k": st.integers(1, 100),
}


@settings(max_examples=20, deadline=None)
@given(**ASKED)
def test_minors_get_nothing_sold_to_them_by_what_they_did(acts, controls, scene, k):
    """C09 and C24: whatever the list is made of, down to the last rung."""
    check_a_minors_list(acts, controls, scene, k)


@pytest.mark.nightly
def test_of_10000_lists_none_sells_to_a_minor():
    """C09 in full; drawn plainly, as so many examples of hypothesis take minutes."""
    rng = Random(7)
    kinds, scenes = list(EventType), sorted(SCENES)
    for _ in range(10_000):
        acts = [
            (rng.randrange(90), rng.choice(kinds), rng.randrange(61))
            for _ in range(rng.randrange(13))
        ]
        controls = rng.choice([*MINORS, Controls(age=Age.UNDER_14)])
        check_a_minors_list(acts, controls, rng.choice(scenes), rng.randint(1, 100))


def check_a_minors_list(acts, controls, scene, k):
    served = listed(acts, controls, scene=scene, k=k)
    items = [CATALOG.ids.find(one.item_id) for one in served.items]
    assert not CATALOG.ad[items].any()
    assert not CATALOG.restricted[items].any()
    assert not served.personalised
    nobodys = listed((), replace(FREE, age=controls.age), scene=scene, k=k, user_id=None)
    assert served.items == nobodys.items, "no product is chosen by what they did"


def bundles_by_rung():
    """A bundle whose list comes from each rung of the ladder."""
    short = {"popular": FixedForAll(items=(0, 7, 11, 13))}
    newest = replace(bundle_of(CATALOG, short), newest=CATALOG.newest())
    empty = bundle_of(CATALOG, {"none": FixedForAll(items=())})
    new = [made(n, published_at=NOW - timedelta(hours=1)) for n in range(200, 230)]
    fresh = BUNDLE.now_with(Overlay.of(CATALOG).with_items(new))
    return {
        "race": BUNDLE,
        "popular": bundle_of(CATALOG, short),
        "newest": newest,
        "empty": empty,
        "fresh": fresh,
    }


RUNGS = bundles_by_rung()


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("controls", [*MINORS, *SILENT], ids=repr)
def test_every_rung_keeps_to_the_controls(rung, controls):
    """C24."""
    bundle = RUNGS[rung]
    acts = [(1, EventType.ORDER, 5), (62, EventType.PLAY, 3), (9, EventType.DISLIKE, 2)]
    served = listed(acts, controls, bundle, k=50)
    as_nobody = replace(FREE, age=controls.age)
    assert served.items == listed((), as_nobody, bundle, user_id=None, k=50).items
    assert not served.personalised
    assert served.items
    items = [bundle.catalog.ids.find(one.item_id) for one in served.items]
    if controls.is_minor:
        assert not (bundle.catalog.ad[items] | bundle.catalog.restricted[items]).any()


@pytest.mark.parametrize("rung", RUNGS)
def test_without_the_filter_every_rung_would_show_advertising(rung):
    """The negative control of C09 and C24."""
    bundle = RUNGS[rung]
    items = [bundle.catalog.ids.find(one.item_id) for one in listed((), FREE, bundle, k=50).items]
    assert (bundle.catalog.ad[items] | bundle.catalog.restricted[items]).any()


@pytest.mark.parametrize("rung", RUNGS)
def test_a_refused_item_comes_on_no_rung(rung):
    bundle = RUNGS[rung]
    first = listed((), FREE, bundle).items[0].item_id
    refused = Controls(refused={first: millis(NOW)})
    assert first not in {one.item_id for one in listed((), refused, bundle, k=50).items}
    assert first in {one.item_id for one in listed((), FREE, bundle, k=50).items}


@pytest.mark.parametrize("rung", RUNGS)
def test_a_refused_item_is_in_none_of_the_next_200_lists(rung):
    """C11: five rungs, a thousand lists of all scenes, whatever was done between them."""
    rng, bundle = Random(3), RUNGS[rung]
    first = listed((), FREE, bundle).items[0].item_id
    refused = Controls(refused={first: millis(NOW)})
    for n in range(200):
        acts = [(rng.randrange(90), rng.choice(list(EventType)), n % 60) for _ in range(n % 8)]
        served = listed(acts, refused, bundle, scene=sorted(SCENES)[n % len(SCENES)], k=50)
        assert first not in {one.item_id for one in served.items}


@settings(max_examples=15, deadline=None)
@given(acts=ACTS, place=st.integers(0, 9))
def test_one_refusal_halves_its_category_on_the_next_page(acts, place):
    """C11; three categories, so that there is something else to show."""
    before = listed(acts, k=20)
    item_id = before.items[place].item_id
    category = CATALOG.category[CATALOG.ids.find(item_id)]

    def of_it(served):
        items = [CATALOG.ids.find(one.item_id) for one in served.items]
        return int((CATALOG.category[items] == category).sum())

    refused = Controls(refused={item_id: millis(NOW)})
    after = listed(acts, refused, k=20)
    assert of_it(after) <= of_it(before) / 2
    assert len(after.items) == len(before.items)
    assert item_id not in {one.item_id for one in after.items}
    assert listed(acts, k=20).items == before.items
    old = Controls(refused={item_id: millis(NOW - timedelta(days=31))})
    assert of_it(listed(acts, old, k=20)) > of_it(after) or of_it(before) <= 1


def test_a_shop_of_one_category_still_has_a_page():
    catalog = Catalog.of([made(n, category=("类",)) for n in range(1, 7)])
    bundle = bundle_of(catalog, {"all": FixedForAll(items=tuple(range(6)))})
    refused = Controls(refused={"item-1001": millis(NOW)})
    request = Request(scene="home", k=5, controls=refused)
    served = recommend(request, History.empty(), bundle, at=NOW, list_id="l").served
    assert [one.item_id for one in served.items] == [f"item-{n}" for n in range(1002, 1007)]


def minor_at(hour: int, minute: int, plays=()) -> tuple:
    """Signals at a time in China, after plays of (minutes ago, seconds)."""
    at = datetime(2026, 5, 20, hour, minute, tzinfo=UTC) - timedelta(hours=8)
    past = history_of(
        CATALOG,
        *(
            event(
                f"item-{1060 + k % 30}",
                EventType.PLAY,
                event_id=f"p{k}",
                play_s=s,
                at=at - timedelta(minutes=ago),
            )
            for k, (ago, s) in enumerate(plays)
        ),
    )
    return tuple(MINORS[0].signals(past, millis(at)))


@pytest.mark.parametrize(
    ("hour", "minute", "plays", "expected"),
    [
        (12, 0, (), (False, False, False)),
        (21, 59, (), (False, False, False)),
        (22, 0, (), (False, False, True)),
        (5, 59, (), (False, False, True)),
        (6, 0, (), (False, False, False)),
        (12, 0, [(n, 60) for n in range(29, 0, -1)], (False, False, False)),
        (12, 0, [(n, 60) for n in range(31, 0, -1)], (True, False, False)),
        (12, 0, [(n, 60) for n in range(61, 0, -1)], (True, True, False)),
        # A pause ends the sitting, not the hour.
        (12, 0, [(n, 60) for n in (*range(100, 40, -1), 2)], (False, True, False)),
        # What was yesterday does not count.
        (0, 20, [(n, 60) for n in range(90, 20, -1)], (False, False, True)),
    ],
)
def test_the_signals_of_minors_mode(hour, minute, plays, expected):
    """C09: a reminder after 30 minutes, an hour a day, the night from 22:00 to 6:00."""
    assert minor_at(hour, minute, plays) == expected


def test_others_get_no_signals():
    assert FREE.signals(History.empty(), millis(NOW)) is None
    assert UNREAD.signals(History.empty(), millis(NOW)) is None


@pytest.mark.parametrize(
    ("controls", "kept", "personal", "learned"),
    [
        (FREE, True, True, True),
        (OFF, True, False, False),
        (UNREAD, True, False, False),
        (Controls(needs_consent=True), False, False, False),
        (Controls(needs_consent=True, consents={Purpose.PERSONALISE: True}), True, True, False),
        (Controls(consents={Purpose.LEARN: False}), True, True, False),
        (Controls(consents={Purpose.PERSONALISE: False}), False, False, False),
        (Controls(age=Age.UNDER_14), False, False, False),
        (Controls(age=Age.UNDER_14, has_guardian=True), True, False, False),
        (Controls(age=Age.MINOR), True, False, False),
        (Controls(is_erased=True), False, False, False),
    ],
)
def test_what_follows_from_choices(controls, kept, personal, learned):
    assert (controls.may_keep, controls.is_personal, controls.may_learn) == (
        kept,
        personal,
        learned,
    )
