from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.catalog import Catalog, Kind
from recsys.events import PLATFORM_NUMBERS, EventType, Platform, millis
from recsys.histories import Histories, History
from recsys.interactions import DAY_MS
from recsys.mix import Mix
from recsys.staying import LEAST_PEOPLE, SPELL_DAYS, SPELL_MS, Staying, Trials, chance
from tests.planted import NOW, item, taste_of

N_SEEN = 40
VIDEO, PRODUCT = 0, 1
CATALOG = Catalog.of([item(VIDEO, Kind.VIDEO), item(PRODUCT)])
SHOP, DOUYIN = (PLATFORM_NUMBERS[one] for one in (Platform.MINIPROGRAM, Platform.DOUYIN))
# The last whole day of a spell, so that all of two spells is told.
AT_MS = (millis(NOW) // SPELL_MS + 1) * SPELL_MS
TODAY = AT_MS // DAY_MS
EVERYBODY = Mix(floor=0.0, ceiling=1.0, exploration=1.0)


def name(person: int) -> str:
    return f"user-{person}"


def visits(days: list[int], shares: list[float], place: int = SHOP) -> History:
    """Each day many impressions, of which a share are products."""
    ends = [round(N_SEEN * share) for share in shares]
    items = [[PRODUCT] * n + [VIDEO] * (N_SEEN - n) for n in ends]
    n = len(days) * N_SEEN
    return History(
        item=np.array(items, dtype=np.int32).ravel(),
        type=np.full(n, int(EventType.IMPRESSION), dtype=np.int8),
        at_ms=np.repeat(np.array(days, dtype=np.int64), N_SEEN) * DAY_MS + 1,
        value=np.ones(n, dtype=np.float32),
        duration_s=np.full(n, np.nan, dtype=np.float32),
        order=np.zeros(n, dtype=np.int64),
        platform=np.full(n, place, dtype=np.int8),
    )


def lived(n: int, effect: float, mix: Mix = EVERYBODY, seed: int = 5) -> Histories:
    """People who come less the more is for sale; keen ones see most, and everybody comes less and
    sees less as time goes by: both make commerce seem to bring people."""
    rng = np.random.default_rng(seed)
    people = []
    for person in range(n):
        days, shares, keen = [], [], rng.uniform(0.2, 0.9)
        for day in range(TODAY - 2 * SPELL_DAYS, TODAY):
            fades = (TODAY - day) / (2 * SPELL_DAYS)
            share = 0.3 + 0.2 * keen + 0.2 * fades
            share += mix.drawn(chance(name(person), day // SPELL_DAYS))
            if rng.random() < keen * (0.5 + 0.5 * fades) * (1 + effect * share):
                days.append(day)
                shares.append(share)
        people.append(visits(days, shares))
    return Histories.of(people)


def measured(histories: Histories, mix: Mix = EVERYBODY) -> Staying:
    found = Trials.of(histories, name, CATALOG, AT_MS, mix.drawn).measured()
    assert found is not None
    return found


# Where half is for sale, who comes does so (1 + effect / 2) times as often as without.
@pytest.mark.parametrize("effect", [0.0, -0.4, -0.7])
@pytest.mark.parametrize("exploration", [1.0, 0.5])
def test_what_lists_full_of_products_do_to_visits_is_told_by_who_was_drawn(effect, exploration):
    mix = replace(EVERYBODY, exploration=exploration)
    found = measured(lived(400, effect, mix), mix)
    assert found.error < 0.2
    assert found.slope == pytest.approx(effect / (1 + effect / 2), abs=3 * found.error)


def test_what_people_happened_to_see_tells_the_wrong_sign():
    """The control of the test before: the same people, by what they saw, when nothing was drawn."""
    mix = replace(EVERYBODY, exploration=0.0)
    histories = lived(400, -0.4, mix)
    people = [histories.of_person(person) for person in range(400)]
    seen = [float((one.item == PRODUCT).mean()) for one in people if len(one)]
    came = [len(one) for one in people if len(one)]
    assert np.corrcoef(seen, came)[0, 1] > 0.5
    assert Trials.of(histories, name, CATALOG, AT_MS, mix.drawn).measured() is None


def test_error_is_how_far_measurements_lie_from_each_other():
    found = [measured(lived(80, -0.4, seed=seed)) for seed in range(40)]
    spread = np.std([one.slope for one in found])
    assert np.mean([one.error for one in found]) == pytest.approx(spread, rel=0.35)


def test_how_often_somebody_came_before_takes_off_what_people_differ_in():
    histories = lived(400, -0.4)
    trials = Trials.of(histories, name, CATALOG, AT_MS, EVERYBODY.drawn)
    columns = {one.name: getattr(trials, one.name) for one in fields(trials)}
    old = Trials(**{key: column[trials.before > 0] for key, column in columns.items()})
    blind = replace(old, before=np.ones(len(old)))
    assert old.measured().error < 0.9 * blind.measured().error


def test_visits_are_those_of_the_shop():
    watched = visits([TODAY - 3, TODAY - 2], [0.0, 0.0], DOUYIN)
    people = [visits([TODAY - 20, TODAY - 9], [0.5, 0.5]).merged(watched) for _ in range(20)]
    trials = Trials.of(Histories.of(people), name, CATALOG, AT_MS, EVERYBODY.drawn)
    assert trials.visits.tolist() == [1.0] * 20
    # From the day after the first of them on, to yesterday.
    assert trials.n_days.tolist() == [19.0] * 20
    assert trials.seen.tolist() == [0.5] * 20


def test_who_came_late_and_what_is_too_little_teach_nothing():
    late = [visits([TODAY - 3, TODAY - 2], [0.5, 0.5]) for _ in range(50)]
    assert len(Trials.of(Histories.of(late), name, CATALOG, AT_MS, EVERYBODY.drawn)) == 0
    few = lived(LEAST_PEOPLE // 2 - 1, -0.5)
    assert Trials.of(few, name, CATALOG, AT_MS, EVERYBODY.drawn).measured() is None
    fixed = Mix(floor=0.5, ceiling=0.5, exploration=1.0)
    same = lived(50, -0.5, fixed)
    assert Trials.of(same, name, CATALOG, AT_MS, fixed.drawn).measured() is None
    nobody = Trials.of(Histories.of([]), name, CATALOG, AT_MS, EVERYBODY.drawn)
    assert nobody.measured() is None


def test_lots_are_even_and_drawn_anew_each_spell():
    lots = np.array([[chance(name(one), spell) for one in range(4_000)] for spell in (7, 8)])
    # Of 4,000 lots a tenth has 400 ± 19; their correlation is 0 ± 0.016.
    counts = np.histogram(lots[0], 10, (0, 1))[0]
    assert np.abs(counts - 400).max() < 4 * 19
    assert abs(np.corrcoef(lots)[0, 1]) < 4 * 0.016


@given(st.floats(-5, 5), st.floats(0.01, 10))
def test_belief_lies_between_what_was_believed_and_what_was_measured(slope, error):
    before, after = Staying(), Staying().after(Staying(slope, error))
    low, high = sorted((before.slope, slope))
    assert low - 1e-9 <= after.slope <= high + 1e-9
    assert after.error < min(before.error, error) + 1e-9
    assert after.careful < after.slope
    assert before.after(None) == before


def test_measured_cost_makes_the_share_smaller_and_none_makes_it_larger():
    taste = taste_of(CATALOG)
    fitted = [
        EVERYBODY.fitted(lived(400, effect), name, taste, CATALOG, AT_MS) for effect in (0.0, -0.7)
    ]
    assert fitted[1].staying < -0.8 < fitted[0].staying
    assert fitted[0].staying > EVERYBODY.staying
