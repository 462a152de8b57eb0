"""Bundles on disk: written whole or not at all, read only if signed, undamaged and sound.

A folder: `manifest.json`, its signature, one .npy file a learned array. Whoever reads it checks who
signed it, every file's hash, and every array.
"""

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tokenize import TokenError
from typing import Any, get_type_hints

import orjson

from recsys import arrays as array_files
from recsys.arrays import Arrays, built, flat
from recsys.blend import Blend
from recsys.bundle import Bundle, check
from recsys.catalog import Catalog
from recsys.errors import BundleError
from recsys.events import EVENT_WORDS, Platform
from recsys.facts import Facts
from recsys.files import fsync_folder, fsync_tree, locked, make_folder, sha256_of
from recsys.interactions import Taste, Weighting
from recsys.mix import Mix
from recsys.models.base import Model, learned_names, parameters
from recsys.models.table import MODELS
from recsys.pipeline import Pipeline, Source
from recsys.ranker import Ranker
from recsys.seals import (
    FORMAT,
    MANIFEST,
    PURPOSE,
    SIGNATURE,
    Checked,
    check_files,
    check_name,
    clear_unfinished,
    read_manifest,
)
from recsys.signing import SigningKey, VerifyKey
from recsys.tiers import Tiers, Treatment
from recsys.watching import WatchCurve

# So many of each kind fill lists for which nothing else is left.
MAX_NEWEST = 1_000

# TokenError: numpy reads the header of an array with Python's own tokenizer.
UNREADABLE = (KeyError, TypeError, ValueError, OSError, SyntaxError, TokenError)

ModelTable = Mapping[str, type[Any]]


def write(bundle: Bundle, folder: Path, key: SigningKey, *, table: ModelTable = MODELS) -> Path:
    """Write a bundle into the folder of bundles; a crash leaves nothing a reader would see.

    Raises
    ------
    BundleError
        The bundle is not sound, or its id is taken.
    """
    check(bundle)
    final = folder / check_name(bundle.bundle_id, "bundle_id")
    if final.exists():
        raise BundleError(f"bundle {bundle.bundle_id} is there already; allowed: a new bundle_id")
    make_folder(folder)
    beside = folder / f".{bundle.bundle_id}.unfinished"
    with locked(folder):
        clear_unfinished(folder)
        beside.mkdir()
        try:
            _fill(beside, bundle, key, table)
            beside.rename(final)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        fsync_folder(folder)
    return final


def _fill(folder: Path, bundle: Bundle, key: SigningKey, table: ModelTable) -> None:
    array_files.save(_arrays_of(bundle), folder)
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
        for path in sorted(folder.iterdir())
    }
    content = orjson.dumps(
        _said(bundle, table) | {"files": files},
        option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS,
    )
    (folder / MANIFEST).write_bytes(content)
    (folder / SIGNATURE).write_bytes(key.sign(PURPOSE, content))
    fsync_tree(folder)


def _arrays_of(bundle: Bundle) -> Arrays:
    found = flat(bundle.catalog, "catalog")
    found |= flat(bundle.taste.video_s, "taste.video_s")
    found |= flat(bundle.taste.weighting.watch, "taste.watch")
    found |= flat(
        bundle.catalog.newest(MAX_NEWEST) if bundle.newest is None else bundle.newest, "newest"
    )
    for scene, ranker in bundle.rankers.items():
        found |= flat(ranker, f"rankers.{check_name(scene, 'a scene')}")
    for scene, blend in bundle.blends.items():
        found |= flat(blend, f"blends.{check_name(scene, 'a scene')}")
    if bundle.facts is not None:
        found |= flat(bundle.facts, "facts")
    for name, model in bundle.models.items():
        for learned in learned_names(model):
            found |= flat(getattr(model, learned), f"models.{name}.{learned}")
    return found


def _said(bundle: Bundle, table: ModelTable) -> dict[str, Any]:
    """All of a bundle that is no array, as JSON values."""
    words = {cls: word for word, cls in table.items()}
    weighting = bundle.taste.weighting
    return {
        "format": FORMAT,
        "bundle_id": bundle.bundle_id,
        "origin": dict(bundle.origin),
        "data_until_ms": bundle.data_until_ms,
        "models": {
            name: {"model": words[type(model)], "parameters": parameters(model)}
            for name, model in bundle.models.items()
        },
        "taste": {
            "weights": {kind.word: weight for kind, weight in weighting.by_type.items()},
            "half_life_days": weighting.half_life_days,
            "visit": weighting.visit,
            "sent": weighting.sent,
            "platforms": {one.value: weight for one, weight in weighting.by_platform.items()},
        },
        "rankers": sorted(bundle.rankers),
        "blends": sorted(bundle.blends),
        "reach": {scene: list(groups) for scene, groups in bundle.reach.items()},
        "pipelines": {scene: asdict(pipeline) for scene, pipeline in bundle.pipelines.items()},
        "mixes": {scene: asdict(mix) for scene, mix in bundle.mixes.items()},
        "tiers": asdict(bundle.tiers),
        "treatments": {
            scene: {word: asdict(one) for word, one in by_word.items()}
            for scene, by_word in bundle.treatments.items()
        },
        "figures": dict(bundle.figures),
    }


def read(
    path: Path,
    public: VerifyKey,
    *,
    table: ModelTable = MODELS,
    checked: Checked | None = None,
) -> Bundle:
    """A bundle from its folder, its arrays memory-mapped, everything about it checked.

    Parameters
    ----------
    checked
        Files that were compared with what was signed before; as long as that holds it is not done
        again.

    Raises
    ------
    BundleError
        It is not signed by us, damaged, incomplete, unsound, or for other code than this.
    """
    manifest = read_manifest(path, public)
    if checked is None or not checked.holds(path, manifest):
        check_files(path, manifest)
    try:
        arrays = array_files.load(path)
        bundle = _restored(manifest, arrays, table)
    except UNREADABLE as cause:
        raise BundleError(f"bundle {path.name} does not fit this code: {cause!r:.200}") from cause
    check(bundle)
    if set(_arrays_of(bundle)) != set(arrays):
        raise BundleError(f"bundle {path.name} holds arrays that this code does not know")
    return bundle


def _restored(manifest: Mapping[str, Any], arrays: Arrays, table: ModelTable) -> Bundle:
    taste = manifest["taste"]
    weighting = Weighting(
        by_type={EVENT_WORDS[word]: weight for word, weight in taste["weights"].items()},
        half_life_days=taste["half_life_days"],
        visit=taste.get("visit", 0.0),
        watch=built(WatchCurve, arrays, "taste.watch"),
        sent=taste["sent"],
        by_platform={Platform(word): one for word, one in taste["platforms"].items()},
    )
    return Bundle(
        bundle_id=manifest["bundle_id"],
        catalog=built(Catalog, arrays, "catalog"),
        models={
            name: _model(said, arrays, f"models.{name}", table)
            for name, said in manifest["models"].items()
        },
        taste=Taste(weighting=weighting, video_s=arrays["taste.video_s"]),
        pipelines={scene: _pipeline(said) for scene, said in manifest["pipelines"].items()},
        figures=manifest["figures"],
        data_until_ms=manifest["data_until_ms"],
        origin=manifest["origin"],
        # Bundles of before there were rankers are read as well.
        rankers={
            scene: built(Ranker, arrays, f"rankers.{scene}")
            for scene in manifest.get("rankers", [])
        },
        blends={
            scene: built(Blend, arrays, f"blends.{scene}") for scene in manifest.get("blends", [])
        },
        reach={scene: tuple(groups) for scene, groups in manifest.get("reach", {}).items()},
        facts=built(Facts, arrays, "facts") if "facts.values" in arrays else None,
        mixes={scene: Mix(**said) for scene, said in manifest["mixes"].items()},
        tiers=Tiers(**manifest["tiers"]),
        treatments={
            scene: {word: _treatment(one) for word, one in by_word.items()}
            for scene, by_word in manifest["treatments"].items()
        },
        newest=arrays["newest"],
    ).ready()


def _model(said: Mapping[str, Any], arrays: Arrays, name: str, table: ModelTable) -> Model:
    cls = table[said["model"]]
    model: Model = cls(**said["parameters"])
    hints = get_type_hints(cls)
    for learned in learned_names(model):
        setattr(model, learned, built(hints[learned], arrays, f"{name}.{learned}"))
    return model


def _treatment(said: Mapping[str, Any]) -> Treatment:
    return Treatment(**{**said, "tags": tuple(said["tags"])})


def _pipeline(said: Mapping[str, Any]) -> Pipeline:
    sources = tuple(Source(**source) for source in said["sources"])
    return Pipeline(**{**said, "sources": sources, "stages": tuple(said["stages"])})
