from datetime import timedelta

import pytest

from data.histories_file import Past
from data.home import Home
from data.lake import Lake
from recsys.bundle_files import read, read_manifest
from recsys.errors import ConfigError
from recsys.pointer import CURRENT, bundle_ids, pointed
from recsys.signing import VerifyKey
from tests.planted import NOW
from tests.training.planted_home import CONFIG, N_DAYS, events, record_events, without
from training.cycle import collect, is_up_to_date, seconds, train

HALF = N_DAYS // 2


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Half of the planted events, learned and published."""
    home = Home(tmp_path_factory.mktemp("cycle") / "home")
    record_events(home, events(0, HALF))
    assert collect(home) == len(events(0, HALF))
    train(home, CONFIG, now=NOW, wants_publish=True, is_evaluated=False)
    return home


def public(home):
    return VerifyKey.load(home.keys)


def test_published_bundle_can_be_read(home):
    bundle = read(home.bundles / pointed(home.bundles, public(home)), public(home))
    assert bundle.origin["events"] == len(events(0, HALF))
    assert bundle.origin["made_of"]["lake_version"] == Lake(home.lake).manifest().version


def test_what_did_not_change_needs_no_new_bundle(home):
    assert collect(home) == 0
    assert is_up_to_date(home, CONFIG)


def test_another_configuration_needs_a_new_bundle(home):
    assert not is_up_to_date(home, without(CONFIG, "als"))


def test_record_events_come_exactly_once(tmp_path):
    home = Home(tmp_path / "home")
    record_events(home, events(0, 3))
    assert collect(home) == len(events(0, 3))
    record_events(home, events(0, 6))
    assert collect(home) == len(events(0, 6)) - len(events(0, 3))
    assert len(Past.open(home.histories).histories.events) == len(events(0, 6))


def test_histories_are_built_though_a_turn_was_cut_before_them(tmp_path):
    home = Home(tmp_path / "home")
    record_events(home, events(0, 3))
    collect(home)
    (home.histories / "current").unlink()
    assert collect(home) == 0
    assert len(Past.open(home.histories).histories.events) == len(events(0, 3))


@pytest.mark.parametrize("damage", ["nothing", "no pointer", "no key"])
def test_home_without_a_sound_bundle_is_not_up_to_date(damage, tmp_path):
    home = Home(tmp_path / "home")
    if damage != "nothing":
        record_events(home, events(0, HALF))
        collect(home)
        train(home, CONFIG, now=NOW, wants_publish=True, is_evaluated=False)
    if damage == "no pointer":
        (home.bundles / CURRENT).unlink()
    if damage == "no key":
        (home.keys / "bundles.pub").unlink()
    assert not is_up_to_date(home, CONFIG)


def test_unwanted_bundle_is_written_and_not_used(home):
    before = pointed(home.bundles, public(home))
    later = NOW + timedelta(hours=1)
    trained = train(home, CONFIG, now=later, wants_publish=False, is_evaluated=False)
    assert not trained.is_published
    assert pointed(home.bundles, public(home)) == before
    assert trained.path.name in bundle_ids(home.bundles)
    assert read_manifest(trained.path, public(home))["figures"]["gate"]["refusals"] == []


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("30m", 1_800), ("1h", 3_600), ("2d", 172_800)]
)
def test_length_of_time(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "1", "h", "0h", "-1h", "1.5h", "1w", "1 h", "1h "])
def test_what_is_no_length_of_time_is_refused(text):
    with pytest.raises(ConfigError, match="is no length of time; allowed: like 90s, 30m, 1h, 1d"):
        seconds(text)
