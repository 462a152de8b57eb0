"""What a rule may say, what two may not say at once, and rules as plain values."""

from datetime import timedelta

import pytest

from recsys.catalog import Catalog, Kind
from recsys.errors import InvalidRule
from recsys.rule_values import rule_of, told
from recsys.ruled import Ruled, check_known
from recsys.rules import DEFAULTS, Effect, Rule, check_together, with_defaults
from tests.planted import NOW, item

WHO = {"who": "li", "why": "autumn"}
LATER = NOW + timedelta(days=7)


def rule(effect="block", rule_id="one", **said):
    return rule_of(rule_id, {"effect": effect, **WHO, **said})


EVERY = [
    rule("pin", items=["item-1001"], seat=3, scenes=["home"], tiers=["new"], kinds=["video"]),
    rule("boost", tags=["野"], places=5),
    rule("bury", creators=["c1"], places=5),
    rule("block", shops=["s1"], until=LATER.isoformat()),
    rule("quota", categories=["母婴"], at_least=2, at_most=5),
    rule("expose", new_days=7, by="creator", impressions=500, **{"from": NOW, "until": LATER}),
    rule("cap", times=1, days=7),
    rule("gap", by="creator", apart=3),
    rule("run", by="commercial", in_a_row=2),
    rule("spread", by="category", share=0.4, distinct=6),
    rule("explore", share=0.1),
]


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.effect)
def test_a_rule_is_what_its_plain_values_say(one):
    assert rule_of("one", told(one)) == one


def test_every_effect_is_tried():
    assert {one.effect for one in EVERY} == set(Effect)


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"effect": "ban"}, "effect is unknown, got 'ban'; allowed: block, boost"),
        ({"tag": ["x"]}, "unknown field tag; allowed: apart, at_least"),
        ({"rule_id": "two"}, "unknown field rule_id"),
        ({"who": ""}, "who is missing or no text"),
        ({"tags": "野"}, "tags is no list of texts, got '野'"),
        ({}, "a block names no items; allowed: items, tags"),
        ({"tags": ["野"], "seat": 2}, "seat means nothing to a block"),
        ({"tags": ["野"], "scenes": ["shop"]}, "scenes is unknown, got 'shop'; allowed: home"),
        ({"tags": ["野"], "tiers": ["vip"]}, "tiers is unknown, got 'vip'"),
        ({"tags": ["野"], "kinds": ["note"]}, "kinds is unknown, got .*allowed: product, video"),
        ({"tags": ["野"], "until": "soon"}, "until is unknown, got 'soon'; allowed: a time"),
        ({"tags": ["野"], "until": "2026-05-20"}, "until has no time zone"),
        ({"tags": ["野"], "from": LATER, "until": NOW}, "before it begins"),
        ({"effect": "pin", "items": ["a"]}, "a pin lacks seat"),
        ({"effect": "pin", "items": ["a", "b"], "seat": 1}, "a pin has 2 items; allowed: one"),
        ({"effect": "pin", "items": ["a"], "seat": 101}, "seat is out of range, got 101"),
        ({"effect": "pin", "items": ["a"], "seat": 1.0}, "seat is no whole number, got 1.0"),
        ({"effect": "boost", "tags": ["a"], "places": 51}, "places is out of range, got 51"),
        ({"effect": "quota", "tags": ["a"]}, "a quota of at least 0 and at most 20"),
        (
            {"effect": "quota", "tags": ["a"], "at_least": 5, "at_most": 4},
            "at least 5 and at most 4",
        ),
        ({"effect": "expose", "new_days": 3, "impressions": 9}, "a expose lacks from, until"),
        (
            {"effect": "explore", "share": 0.6},
            "a share of 0.6 is left to chance; allowed: 0 to 0.5",
        ),
        ({"effect": "spread", "by": "category"}, "a spread says nothing"),
        ({"effect": "spread", "by": "ad", "distinct": 3}, "distinct of ad means nothing"),
        ({"effect": "gap", "by": "brand", "apart": 1}, "by is unknown, got 'brand'; allowed: ad"),
    ],
)
def test_what_means_nothing_is_refused_with_the_reason(said, wrong):
    with pytest.raises(InvalidRule, match=wrong):
        rule_of("one", {"effect": "block", **WHO, **said})


def pin(rule_id, seat=1, one="item-1001", **more):
    return rule("pin", rule_id, items=[one], seat=seat, **more)


@pytest.mark.parametrize(
    ("rules", "wrong"),
    [
        ([pin("a"), pin("b", one="item-1002")], "rules a and b pin to seat 1 at once"),
        ([pin("a"), pin("b", seat=2)], "rules a and b pin 'item-1001' at once"),
        (
            [rule("quota", f"q{n}", tags=[str(n)], at_least=8) for n in range(3)],
            "quota rules q0, q1, q2 take 24 of a list together; allowed: 20",
        ),
        (
            [rule("explore", f"e{n}", share=0.3) for n in range(2)],
            "explore rules e0, e1 take 0.6 of a list together; allowed: 0.5",
        ),
        ([rule(rule_id=f"r{n}", tags=["x"]) for n in range(501)], "too many rules, got 501"),
    ],
)
def test_rules_that_no_list_can_keep_together_are_refused(rules, wrong):
    with pytest.raises(InvalidRule, match=wrong):
        check_together(rules)


@pytest.mark.parametrize(
    "where",
    [
        ({"scenes": ["home"]}, {"scenes": ["cart"]}),
        ({"tiers": ["new"]}, {"tiers": ["member"]}),
        ({"kinds": ["video"]}, {"kinds": ["product"]}),
        ({"until": NOW}, {"from": NOW}),
    ],
)
def test_rules_that_never_meet_may_say_the_same(where):
    check_together([pin("a", **where[0]), pin("b", one="item-1002", **where[1])])


CATALOG = Catalog.of(
    [item(n, tags=("野",), category=("母婴", f"辅食{n}"), shop_id="s1") for n in range(3)]
    + [item(n, Kind.VIDEO, creator_id="c1") for n in range(3, 6)]
)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"items": ["item-1004", "item-1000"]}, [0, 4]),
        ({"tags": ["野"]}, [0, 1, 2]),
        ({"categories": ["母婴"]}, [0, 1, 2]),
        ({"categories": ["母婴/辅食1"]}, [1]),
        ({"creators": ["c1"], "items": ["item-1000"]}, [0, 3, 4, 5]),
        ({"shops": ["s1"], "kinds": ["video"]}, []),
    ],
)
def test_whom_a_rule_means(said, meant):
    (members,) = Ruled.of([rule(**said)], CATALOG).members
    assert members.tolist() == meant


@pytest.mark.parametrize(
    "said",
    [
        {"items": ["item-9"]},
        {"tags": ["海"]},
        {"categories": ["母"]},
        {"creators": ["c2"]},
        {"shops": ["s2"]},
    ],
)
def test_a_name_that_no_item_has_is_refused(said):
    name = next(iter(said))
    with pytest.raises(InvalidRule, match=f"{name} are unknown, got '{said[name][0]}'"):
        check_known(rule(**said), CATALOG)


def test_a_rule_holds_from_its_beginning_until_its_end_and_not_at_it():
    one = rule(tags=["野"], **{"from": NOW, "until": LATER})
    ruled = Ruled.of([one], CATALOG)
    at_ms = int(NOW.timestamp() * 1000)
    ends_ms = int(LATER.timestamp() * 1000)
    moments = (at_ms - 1, at_ms, ends_ms - 1, ends_ms)
    held = [ruled.orders("home", "", moment).blocked is not None for moment in moments]
    assert held == [False, True, True, False]


def test_defaults_hold_until_a_shop_says_otherwise():
    own = Rule(rule_id="default-home-shop", effect=Effect.RUN, by="shop", in_a_row=5, **WHO)
    held = with_defaults([own], dropped=["default-home-explore"])
    assert [one.rule_id for one in held] == [
        "default-home-category",
        "default-home-creator",
        "default-home-shop",
    ]
    assert held[-1] is own
    check_together(DEFAULTS)
