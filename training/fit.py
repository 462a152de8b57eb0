"""A shop and a configuration → a bundle: models and scorers; the same for the same seed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from recsys.bundle import Bundle
from recsys.catalog import Catalog, Kind
from recsys.events import EventType, moment
from recsys.facts import Facts
from recsys.interactions import SENT, Rows, Taste, Weighting
from recsys.models.base import Model
from recsys.models.served_loss import sampled, served_recall
from recsys.trust import PairCap, trusted
from recsys.watching import WatchCurve
from training.config import ALL_TYPES, TrainConfig
from training.scorers import learned_scorers
from training.shop import Shop

# What is done now (behind a colon: which part of it), how many of its steps are done, of how many.
Progress = Callable[[str, int, int], None]
# A model that has not learned, rows and catalogue → the model that has.
Learn = Callable[[Model, Rows, Catalog], Model]

# Persons and list length at which the loss of prepared lists is measured; scores are dense, so the
# persons are fewer where the catalogue is large.
LOSS_PERSONS, LOSS_K, LOSS_CELLS = 200, 20, 20_000_000


def quiet(_what: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


def learned(model: Model, rows: Rows, catalog: Catalog) -> Model:
    """The model, learned anew."""
    return model.fit(rows, catalog)


def fit(
    shop: Shop,
    config: TrainConfig,
    *,
    bundle_id: str,
    as_of_ms: int | None = None,
    progress: Progress = quiet,
    learn: Learn = learned,
) -> Bundle:
    """Learn everything that the pipelines need.

    Parameters
    ----------
    as_of_ms
        The moment that decay counts from; later events count nothing. None means the last event.
    learn
        How a model learns; who fits often may remember what was learned before.
    """
    as_of_ms = shop.until_ms if as_of_ms is None else as_of_ms
    shop = _believed(shop, config)

    def fitted(past: Shop, moment_ms: int) -> Bundle:
        return _models(past, config, moment_ms, progress, learn)

    past = shop if as_of_ms >= shop.until_ms else shop.before(as_of_ms + 1)
    scorers = learned_scorers(past, config, fitted, progress)
    bundle = fitted(shop, as_of_ms)
    facts = None
    if scorers.rankers:
        facts = Facts.learned(shop.histories, bundle.taste, shop.catalog, as_of_ms)
    return replace(
        _about_people(bundle, shop, config, as_of_ms),
        bundle_id=bundle_id,
        pipelines={
            scene: replace(one, scorer=scorers.chosen.get(scene, ""))
            for scene, one in config.pipelines.items()
        },
        origin=_origin(shop, config, as_of_ms) | {"scorers": dict(scorers.said)},
        rankers=scorers.rankers,
        blends=scorers.blends,
        reach=scorers.reach,
        facts=facts,
    ).ready()


def _about_people(bundle: Bundle, shop: Shop, config: TrainConfig, as_of_ms: int) -> Bundle:
    """The bundle with what an operator set about people, and what was learned within it."""
    mixes = {
        scene: mix.fitted(
            shop.histories, shop.user_ids.texts.__getitem__, bundle.taste, shop.catalog, as_of_ms
        )
        for scene, mix in config.mixes.items()
    }
    return replace(bundle, mixes=mixes, tiers=config.tiers, treatments=config.treatments)


def _believed(shop: Shop, config: TrainConfig) -> Shop:
    """The shop without what is not believed, where the configuration says so."""
    if not config.pair_cap:
        return shop
    kept = trusted(shop.histories, PairCap(factor=config.pair_cap), shop.risk).kept
    return replace(shop, histories=shop.histories.keeping(kept))


def _models(
    shop: Shop, config: TrainConfig, as_of_ms: int, progress: Progress, learn: Learn
) -> Bundle:
    """Every model that a pipeline asks; the pipelines have no scorer yet."""
    taste = learned_taste(shop, config, as_of_ms)
    rows: dict[frozenset[EventType], Rows] = {}
    models: dict[str, Model] = {}
    used = config.used_models
    for done, (name, model) in enumerate(used.items()):
        progress(f"learning: {name}", done, len(used))
        if model.learns_from not in rows:
            only = replace(taste, weighting=taste.weighting.only(model.learns_from))
            rows[model.learns_from] = only.rows(shop.histories, as_of_ms)
        models[name] = learn(model.new(config.seed), rows[model.learns_from], shop.catalog)
    progress("learning", len(used), len(used))
    return Bundle(
        bundle_id="unscored",
        catalog=shop.catalog,
        models=models,
        taste=taste,
        pipelines={scene: replace(one, scorer="") for scene, one in config.pipelines.items()},
        figures={},
        data_until_ms=as_of_ms,
    )


def learned_taste(shop: Shop, config: TrainConfig, as_of_ms: int) -> Taste:
    """How histories become rows, with the watch curve of the plays up to a moment."""
    events, video_s = shop.histories.events, shop.catalog.duration_s
    plays = events.take((events.type == EventType.PLAY) & (events.at_ms <= as_of_ms))
    # The event's own word on the length wins over the catalogue's, as when a row is made.
    duration_s = plays.duration_s.copy()
    unsaid = np.isnan(duration_s)
    duration_s[unsaid] = video_s[plays.item[unsaid]]
    weighting = Weighting(
        by_type=dict(config.weights),
        half_life_days=config.half_life_days,
        visit=config.visit,
        watch=WatchCurve.fit(plays.value, duration_s),
        by_platform=dict(config.platforms),
        sent=SENT,
    )
    return Taste(weighting=weighting, video_s=video_s)


def _origin(shop: Shop, config: TrainConfig, as_of_ms: int) -> dict[str, Any]:
    dated = shop.dated_ms()
    return {
        "as_of": moment(as_of_ms).isoformat(),
        "data_from": moment(dated[0]).isoformat() if dated else None,
        "data_until": moment(dated[1]).isoformat() if dated else None,
        "events": len(shop.histories.events),
        "events_of_unknown_items": shop.n_left_out,
        "persons": len(shop.histories),
        "items": {kind.word: len(shop.catalog.of_kind(kind)) for kind in Kind},
        "seed": config.seed,
        "learned_from": {
            name: "all"
            if model.learns_from == ALL_TYPES
            else sorted(kind.word for kind in model.learns_from)
            for name, model in config.used_models.items()
        },
    }


def served_losses(
    bundle: Bundle, shop: Shop, *, seed: int, progress: Progress = quiet
) -> dict[str, dict[str, float]]:
    """For each personal model and kind: the share of its true best that its lists find."""
    rows = bundle.taste.rows(shop.histories, bundle.data_until_ms)
    n_persons = min(LOSS_PERSONS, LOSS_CELLS // max(1, len(bundle.catalog)))
    some = sampled(rows, max(1, n_persons), seed)
    personal = {name: model for name, model in bundle.models.items() if model.is_personal}
    found = {}
    for done, (name, model) in enumerate(personal.items()):
        progress(f"checking lists: {name}", done, len(personal))
        found[name] = {
            kind.word: served_recall(model, some, bundle.catalog, kind=kind, k=LOSS_K)
            for kind in Kind
        }
    progress("checking lists", len(personal), len(personal))
    return found
