"""From what a home holds to a bundle in use, and again: what `train` and `cycle` do."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from data.erasing import finish_erasures
from data.histories_build import are_fresh, build_histories
from data.home import Home
from data.lake import Lake
from data.record import Record
from data.retention import Trimmed, trim
from recsys.bundle_files import write
from recsys.errors import BundleError, ConfigError
from recsys.pointer import drop_old, pointed, publish
from recsys.seals import read_manifest
from recsys.signing import SigningKey, VerifyKey
from training.config import TrainConfig
from training.config_toml import dumped
from training.fit import Progress, quiet
from training.release import Judged, Release, release
from training.shop import load

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What came of training.

    Parameters
    ----------
    path
        The bundle's folder; it is kept even if it was not published.
    """

    release: Release
    path: Path
    is_published: bool


def train(
    home: Home,
    config: TrainConfig,
    *,
    now: datetime,
    wants_publish: bool,
    is_evaluated: bool = True,
    progress: Progress = quiet,
) -> Trained:
    """Learn from the lake, write a bundle, and publish it unless its figures speak against it."""
    key = SigningKey.load_or_make(home.keys)
    # Asked before the data are read: what changes in between is taken over twice, never missed.
    basis = made_of(home, config)
    origin = {
        "code_version": version("dapei"),
        "made_of": basis,
        "config": dumped(config),
        "item_version": basis["item_version"] or 0,
    }
    made = release(
        load(home),
        config,
        created_at=now,
        origin=origin,
        judged=Judged(is_evaluated=is_evaluated, before=_figures_in_use(home, key.public)),
        progress=progress,
    )
    path = write(made.bundle, home.bundles, key)
    is_published = wants_publish and not made.refusals
    if is_published:
        publish(home.bundles, made.bundle.bundle_id, key)
    else:
        drop_old(home.bundles, key.public)
    return Trained(release=made, path=path, is_published=is_published)


def _figures_in_use(home: Home, public: VerifyKey) -> dict[str, Any] | None:
    """The figures of the bundle in use; None if there is none, or none that can be read."""
    try:
        bundle_id = pointed(home.bundles, public)
        manifest = bundle_id and read_manifest(home.bundles / bundle_id, public)
    except BundleError:
        return None
    return manifest["figures"] if manifest else None


def tidy(home: Home, now: datetime) -> str:
    """End erasures that were asked for, and delete what is past its limit; says what went."""
    n_erased = finish_erasures(home, now=now) if home.has_record else 0
    gone = trim(home, now=now) if home.has_record else Trimmed()
    told = {"persons": n_erased, "events": gone.events + gone.lake, "lists": gone.lists}
    return ", ".join(f"{n:,} {what}" for what, n in told.items() if n)


def collect(home: Home) -> int:
    """Bring the record's new events and items to the lake, and the histories up to date.

    Returns how many events were new. Each comes exactly once, whatever was killed before.
    """
    record, lake = Record.of(home), Lake(home.lake)
    try:
        n_events = lake.write_record_events(record, record.last_seq())
        lake.write_items(record)
    finally:
        record.close()
    if not are_fresh(home):
        build_histories(home)
    return n_events


def made_of(home: Home, config: TrainConfig) -> dict[str, Any]:
    """What decides a bundle: two with the same values are alike."""
    lake = Lake(home.lake)
    return {
        "lake_version": lake.manifest().version,
        "item_version": lake.item_version(),
        "choices": _choices_version(home),
        "config": hashlib.sha256(repr(config).encode()).hexdigest()[:16],
        "code_version": version("dapei"),
    }


def _choices_version(home: Home) -> int:
    if not home.has_record:
        return 0
    record = Record.of(home)
    try:
        return record.choices.version()
    finally:
        record.close()


def is_up_to_date(home: Home, config: TrainConfig) -> bool:
    """Whether the bundle in use was made of what is here now."""
    try:
        public = VerifyKey.load(home.keys)
        bundle_id = pointed(home.bundles, public)
        if bundle_id is None:
            return False
        origin = read_manifest(home.bundles / bundle_id, public)["origin"]
    except (BundleError, ConfigError):
        return False
    return bool(origin.get("made_of") == made_of(home, config))


def seconds(text: str) -> int:
    """A length of time like 90s, 30m, 1h or 1d.

    Raises
    ------
    ConfigError
        The text is no such length.
    """
    found = re.fullmatch(r"([1-9]\d{0,5})([smhd])", text)
    if not found:
        raise ConfigError(f"{text!r:.20} is no length of time; allowed: like 90s, 30m, 1h, 1d")
    return int(found[1]) * _SECONDS[found[2]]
