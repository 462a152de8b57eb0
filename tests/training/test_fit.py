from dataclasses import replace

import numpy as np
import pytest

from recsys.arrays import flat
from recsys.bundle_files import read, write
from recsys.catalog import Kind
from recsys.events import EventType, millis
from recsys.models.base import learned_names, parameters
from recsys.models.table import MODELS
from recsys.signing import SigningKey
from tests.training.planted_home import CONFIG, N_EACH, START, planted_shop, without
from training.config import train_config
from training.fit import fit, learned_taste, served_losses


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return planted_shop(tmp_path_factory.mktemp("fit") / "home")


@pytest.fixture(scope="module")
def bundle(shop):
    return fit(shop, CONFIG, bundle_id="bundle-1")


def arrays_of(bundle):
    found = flat(bundle.catalog, "catalog") | flat(bundle.taste.weighting.watch, "watch")
    for name, model in bundle.models.items():
        for learned in learned_names(model):
            found |= flat(getattr(model, learned), f"{name}.{learned}")
    return {name: (array.dtype, array.shape, array.tobytes()) for name, array in found.items()}


def test_every_model_that_is_used_is_learned(bundle):
    assert set(bundle.models) == set(CONFIG.models)
    used = {model.model for model in CONFIG.used_models.values()}
    assert {type(model) for model in bundle.models.values()} == {MODELS[one] for one in used}


def test_model_that_no_pipeline_uses_is_not_learned(shop):
    config = without(CONFIG, "als")
    assert "als" not in fit(shop, config, bundle_id="bundle-1").models


def test_same_seed_same_bundle(shop, bundle):
    assert arrays_of(fit(shop, CONFIG, bundle_id="bundle-1")) == arrays_of(bundle)


def test_every_model_survives_the_disk_bit_for_bit(bundle, tmp_path):
    key = SigningKey.load_or_make(tmp_path / "keys")
    back = read(write(bundle, tmp_path / "bundles", key), key.public)
    assert arrays_of(back) == arrays_of(bundle)
    for name, model in bundle.models.items():
        assert parameters(back.models[name]) == parameters(model)
    assert back.origin == bundle.origin


@pytest.mark.parametrize("name", CONFIG.models)
def test_answers_are_the_same_after_the_disk(name, bundle, shop, tmp_path):
    key = SigningKey.load_or_make(tmp_path / "keys")
    back = read(write(bundle, tmp_path / "bundles", key), key.public)
    row = bundle.taste.row(shop.of_user("user-5001"), bundle.data_until_ms)
    before = bundle.models[name].candidates(row, 10, Kind.PRODUCT)
    after = back.models[name].candidates(row, 10, Kind.PRODUCT)
    assert before.items.tolist() == after.items.tolist()
    assert before.scores.tobytes() == after.scores.tobytes()


def test_tastes_are_found(bundle, shop):
    row = bundle.taste.row(shop.of_user("user-5001"), bundle.data_until_ms)
    products = bundle.models["item_knn"].candidates(row, N_EACH // 2, Kind.PRODUCT).items
    assert (products % 2 == 1).all()


def test_model_learns_only_from_its_events(shop):
    only_plays = {"popular": {"learns_from": ["play"]}}
    config = train_config({"models": only_plays})
    models = fit(shop, config, bundle_id="bundle-1").models
    assert models["popular"].candidates(None, 5, Kind.PRODUCT).items.tolist() == []


def test_later_events_count_nothing(shop):
    as_of_ms = millis(START) + 86_400_000
    all_of_it = fit(shop, CONFIG, bundle_id="b", as_of_ms=as_of_ms)
    past_only = fit(shop.before(as_of_ms + 1), CONFIG, bundle_id="b", as_of_ms=as_of_ms)
    assert arrays_of(all_of_it) == arrays_of(past_only)


def test_origin_says_what_was_learned_from(bundle, shop):
    origin = bundle.origin
    assert origin["events"] == len(shop.histories.events)
    assert origin["items"] == {"product": N_EACH, "video": N_EACH}
    assert origin["learned_from"]["bought_together"] == "all"
    assert origin["learned_from"]["popular"] == "all"
    assert origin["data_until"] == origin["as_of"]


def test_watch_curve_takes_the_catalogues_length_where_the_event_says_none(shop):
    events = replace(
        shop.histories.events, duration_s=np.full_like(shop.histories.events.value, np.nan)
    )
    silent = replace(shop, histories=replace(shop.histories, events=events))
    taste = learned_taste(silent, CONFIG, silent.until_ms)
    assert taste.weighting.watch.n_plays.sum() == (events.type == EventType.PLAY).sum()


def test_progress_names_each_model(shop):
    told = []
    fit(shop, CONFIG, bundle_id="b", progress=lambda *at: told.append(at))
    assert [what for what, _, _ in told] == [*(f"learning: {n}" for n in CONFIG.models), "learning"]
    assert told[-1][1:] == (len(CONFIG.models), len(CONFIG.models))


def test_loss_of_prepared_lists_is_measured(bundle, shop):
    losses = served_losses(bundle, shop, seed=1)
    assert set(losses) == set(CONFIG.models) - {"popular", "trend"}
    assert losses["item_knn"] == {"product": 1.0, "video": 1.0}
    assert np.isnan(losses["bought_together"]["video"])
