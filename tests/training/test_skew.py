import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from typer.testing import CliRunner

from dapei import command_line
from recsys.errors import BundleError
from recsys.events import EventType
from recsys.histories import Histories
from recsys.ids import IdMap
from recsys.lookback import looked_at
from tests.planted import NOW, FixedForAll, event, history_of
from tests.planted_scorers import CATALOG, POPULAR, answer, ranked
from tests.training.planted_home import CONFIG, planted_home
from training.cycle import train
from training.shop import Shop
from training.skew import SkewReport, compared

SKEW = ["evaluate", "--skew", "--home"]
BUNDLE = ranked({"popular": FixedForAll(items=POPULAR)})


def shop(*events):
    histories = Histories.of([history_of(CATALOG, *events)])
    return Shop(catalog=CATALOG, user_ids=IdMap.of(["user-5001"]), histories=histories)


def served():
    """A list made for who had viewed item-1006."""
    found = answer(BUNDLE)
    return replace(found.served, looked_at=looked_at(found, CATALOG))


def test_the_same_events_leave_no_skew():
    later = event("item-1001", EventType.ORDER, at=NOW + timedelta(hours=1))
    seen = event("item-1002", EventType.IMPRESSION)
    report = compared([served()], shop(event("item-1006"), later, seen), BUNDLE)
    assert (report.n_lists, report.share, report.features) == (1, 0.0, ())
    assert report.n_values == 6 * len(BUNDLE.rankers["home"].names)


def test_an_event_that_came_late_is_found_and_named():
    late = event("item-1005", EventType.ORDER, at=NOW - timedelta(days=1))
    report = compared([served()], shop(event("item-1006"), late), BUNDLE)
    assert 0 < report.share < 0.5
    told = {one.name: one for one in report.features}
    assert told["n_acts"].share == 1
    assert told["n_acts"].largest == pytest.approx(np.log(3 / 2), rel=1e-4)
    assert told["own_orders"].share == pytest.approx(1 / 6)
    assert report.plain()["features"][0]["share"] == 1


def test_lists_of_other_bundles_and_without_features_are_left_out():
    other = replace(served(), bundle="bundle-2")
    plain = replace(served(), looked_at=None)
    report = compared([other, plain], shop(event("item-1006")), BUNDLE)
    assert (report.n_lists, report.n_values) == (0, 0)


def test_a_difference_of_rounding_is_none():
    then = np.array([[1.0, 100.0, np.nan]], dtype=np.float32)
    now = np.array([[1.00001, 100.001, np.nan]], dtype=np.float32)
    assert SkewReport.of([(then, now)], ["a", "b", "c"]).share == 0
    report = SkewReport.of([(then, np.array([[1.0, 101, 5]], np.float32))], ["a", "b", "c"])
    assert [(one.name, one.share) for one in report.features] == [("b", 1.0), ("c", 1.0)]
    assert np.isnan(report.features[1].largest)


def test_the_command_tells_the_skew_of_the_bundle_in_use(tmp_path):
    home = planted_home(tmp_path / "home")
    train(home, CONFIG, now=NOW, wants_publish=False, is_evaluated=False)
    unused = CliRunner().invoke(command_line("evaluate"), [*SKEW, str(home.root)])
    assert isinstance(unused.exception, BundleError)
    later = NOW + timedelta(hours=1)
    train(home, CONFIG, now=later, wants_publish=True, is_evaluated=False)
    told = tmp_path / "skew.json"
    done = CliRunner().invoke(
        command_line("evaluate"), [*SKEW, str(home.root), "--json", str(told)]
    )
    assert "0 lists of 2026" in done.output
    assert json.loads(told.read_text())["share"] == 0
