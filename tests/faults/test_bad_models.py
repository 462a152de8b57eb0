"""TRUST R31: models that are whole, signed, and bad: each is stopped before it is published."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pytest

from recsys.bundle import Bundle
from recsys.models.base import Ranking
from recsys.pointer import publish, rollback
from recsys.signing import SigningKey
from serving.bench_faults import Press, under_load
from serving.bench_faults_shop import BUNDLES, serving, until
from tests.training.planted_home import CONFIG, planted_shop
from training.fit import fit
from training.vitals import plain, vital_failures, vitals

SEED = 7


@dataclass
class Bad:
    """A sound model with something wrong in what it answers.

    Attributes
    ----------
    how
        zero, constant, shuffled, tenth or popular.
    """

    sound: object
    how: str
    popular: object
    n_items: int
    places: np.ndarray = field(init=False)
    is_personal: ClassVar[bool] = True

    def __post_init__(self):
        self.places = np.random.default_rng(SEED).permutation(self.n_items).astype(np.int32)

    def candidates(self, row, k, within):
        if self.how == "popular":
            return self.popular.candidates(row, k, within)
        ranking = self.sound.candidates(row, self.n_items, within)
        if self.how == "shuffled":
            return replace(ranking, items=self.places[ranking.items])
        if self.how == "tenth":
            is_near = ranking.items < self.n_items // 10
            return Ranking(ranking.items[is_near], ranking.scores[is_near])
        items = np.flatnonzero(self.sound_kind(within))[:k].astype(np.int32)
        value = 0.0 if self.how == "zero" else 1.0
        return Ranking(items, np.full(len(items), value, dtype=np.float32))

    def sound_kind(self, within):
        return np.full(self.n_items, True) if within is None else self.kind == within

    def because(self, row, items):
        return [None] * len(items)

    def score_of(self, row, items):
        return np.full(len(items), np.nan, dtype=np.float32)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return planted_shop(tmp_path_factory.mktemp("bad") / "home")


@pytest.fixture(scope="module")
def bundle(shop) -> Bundle:
    made = fit(shop, CONFIG, bundle_id="sound", progress=lambda *_: None)
    # People of this shop do most with products.
    home = replace(made.pipelines["home"], video_share=0.4)
    return replace(made, pipelines={**made.pipelines, "home": home})


@pytest.fixture(scope="module")
def before(bundle, shop):
    return {"vitals": plain(vitals(bundle, shop, seed=SEED))}


def spoiled(bundle: Bundle, how: str) -> Bundle:
    popular = next(model for model in bundle.models.values() if not model.is_personal)
    models = {}
    for name, model in bundle.models.items():
        bad = Bad(model, how, popular, len(bundle.catalog))
        bad.kind = bundle.catalog.kind
        models[name] = bad if model.is_personal else model
    return replace(bundle, models=models, pipelines=without_scorers(bundle))


def without_scorers(bundle: Bundle) -> dict:
    return {name: replace(one, scorer="") for name, one in bundle.pipelines.items()}


def test_a_sound_bundle_passes(bundle, shop, before):
    assert vital_failures(vitals(bundle, shop, seed=SEED), None) == []
    assert vital_failures(vitals(bundle, shop, seed=SEED), before) == []


@pytest.mark.parametrize("how", ["zero", "constant", "shuffled", "tenth", "popular"])
def test_a_bad_bundle_is_stopped(bundle, shop, before, how):
    found = vitals(spoiled(bundle, how), shop, seed=SEED)
    assert vital_failures(found, before) != [], found


def test_a_rollback_is_served_without_a_failed_request(home):
    key = SigningKey.load_or_make(home.keys)
    publish(home.bundles, BUNDLES[1], key)
    with serving(home.root) as served:
        assert BUNDLES[1].encode() in served.ask("GET", "/readyz")[2]

        def back() -> None:
            rollback(home.bundles, key)
            until(lambda: BUNDLES[0].encode() in served.ask("GET", "/readyz")[2])

        broken = under_load(served, back, press=Press(lists_per_second=50))
    assert broken.lists.statuses.keys() == {200}
    assert len(broken.lists.good) == broken.lists.sent
