"""What a list says of why an item is there is true (C06)."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.catalog import Kind
from recsys.events import EventType
from tests.recsys.controlled import (
    ACTS,
    ITEMS,
    MINORS,
    SILENT,
    listed,
)

# C06: what each reason of a tag claims, as regular expression, kinds and acts.
CLAIMS = [
    (r"bought (.+) products", Kind.PRODUCT, {EventType.ORDER}),
    (r"watched (.+) videos", Kind.VIDEO, {EventType.PLAY}),
    (
        r"liked (.+) videos",
        Kind.VIDEO,
        {
            *(EventType.LIKE, EventType.FAVOURITE, EventType.SHARE),
            *(EventType.COMMENT, EventType.FOLLOW),
        },
    ),
    (r"looked at (.+) videos", Kind.VIDEO, set(EventType)),
    (r"looked at (.+) products", Kind.PRODUCT, set(EventType)),
]
IMPERSONAL = {"popular now", "from the shop's selection"}


def is_true(reason: str, acts) -> bool:
    """Whether a reason holds, worked out from the acts alone; an unknown sentence does not."""
    if reason in IMPERSONAL:
        return True
    for pattern, kind, types in CLAIMS:
        found = re.fullmatch(pattern, reason)
        if found:
            return any(
                ITEMS[n].kind is kind and found[1] in ITEMS[n].tags and act in types
                for n, act, _ in acts
            )
    return False


@settings(max_examples=50, deadline=None)
@given(acts=ACTS)
def test_every_reason_is_of_the_closed_set_and_true(acts):
    """C06: 50 persons × 20 items, worked out once more from what they did."""
    standing = [one for one in acts if one[1] is not EventType.REFUND]
    for one in listed(acts).items:
        assert is_true(one.reason, standing), one.reason


@settings(max_examples=10, deadline=None)
@given(acts=ACTS, controls=st.sampled_from([*SILENT, *MINORS]))
def test_who_is_not_known_gets_no_reason_about_themselves(acts, controls):
    assert {one.reason for one in listed(acts, controls).items} <= IMPERSONAL


def test_a_reason_of_somebody_else_would_be_found_untrue():
    """The negative control of C06."""
    served = listed([(0, EventType.ORDER, 5), (4, EventType.ORDER, 5)])
    told = {one.reason for one in served.items} - IMPERSONAL
    assert told
    assert not any(is_true(reason, [(1, EventType.VIEW, 5)]) for reason in told)
