"""The nightly report of products that accounts lift together, and learning without them."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from data.home import Home
from recsys.errors import ConfigError
from recsys.events import Event, EventType
from tests.training.planted_home import CONFIG, N_DAYS, START, events, record_events
from training.cycle import collect
from training.fit import fit
from training.rings_cli import app
from training.risk import read_risk
from training.shop import load

N_FAKES, DAYS = 12, 6
TARGET, BEST = "item-1015", "item-1000"


def brushed():
    """Accounts that look at the target and the best seller on each of the last days."""
    return [
        Event(
            event_id=f"fake-{n}-{day}-{item_id}",
            user_id=f"fake-{n}",
            item_id=item_id,
            type=EventType.VIEW,
            at=START + timedelta(days=N_DAYS - DAYS + day, hours=9, minutes=n),
        )
        for n in range(N_FAKES)
        for day in range(DAYS)
        for item_id in (TARGET, BEST)
    ]


def filled(root, acts):
    """A home with these events."""
    home = Home(root)
    record_events(home, acts)
    collect(home)
    return home


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """An honest shop in which nobody wants the target, and the same with the accounts."""
    honest = [one for one in events() if one.item_id != TARGET]
    folder = tmp_path_factory.mktemp("rings")
    return filled(folder / "honest", honest), filled(folder / "brushed", [*honest, *brushed()])


def run(home, *words):
    return CliRunner().invoke(app, ["--home", str(home.root), *words], env={"COLUMNS": "200"})


def test_a_ring_is_told_with_its_accounts_and_the_exit_code(homes, tmp_path):
    done = run(homes[1], "--json", str(tmp_path / "rings.json"))
    assert done.exit_code == 3, done.output
    assert "1 rings; " in done.output
    (told,) = orjson.loads((tmp_path / "rings.json").read_bytes())
    assert (told["item_id"], told["with"], told["share"]) == (TARGET, [BEST], 1.0)
    assert sorted(told["accounts"]) == sorted(f"fake-{n}" for n in range(N_FAKES))
    assert (told["new"], told["narrow"], len(told["days"])) == (1.0, 1.0, DAYS)


def test_an_honest_shop_has_none(homes):
    done = run(homes[0])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1].startswith("0 rings; ")


def speaks_for(shop, config):
    """How strongly the model of pairs speaks for the target to who likes the best seller."""
    bundle = fit(shop, config.unscored, bundle_id="b")
    best, target = bundle.catalog.ids.find(BEST), bundle.catalog.ids.find(TARGET)
    liked = shop.histories.events.take(shop.histories.events.item == best).take(slice(0, 1))
    row = bundle.taste.row(liked, bundle.data_until_ms)
    score = bundle.models["item_knn"].score_of(row, np.array([target], dtype=np.int32))
    return float(np.nan_to_num(score)[0])


def test_learning_does_not_believe_a_ring_where_the_shop_says_so(homes):
    shop = load(homes[1])
    assert speaks_for(shop, CONFIG) > 0
    assert speaks_for(shop, replace(CONFIG, pair_cap=3.0)) == 0


def test_what_an_account_of_the_highest_risk_does_teaches_nothing(homes):
    home = homes[1]
    lines = [f"fake-{n},4" for n in range(N_FAKES)]
    home.risk_path.write_text("\n".join(["user_id,risk", "stranger,1", *lines]) + "\n")
    try:
        shop = load(home)
    finally:
        home.risk_path.unlink()
    assert sorted(np.unique(shop.risk)) == [0, 4]
    assert speaks_for(shop, replace(CONFIG, pair_cap=1e6)) == 0


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("id,risk\n", "has another head; allowed: user_id,risk"),
        ("user_id,risk\nuser-1,5\n", "line 2 of .* is no risk, got 'user-1,5'; allowed: an id"),
        ("user_id,risk\nuser-1\n", "line 2 of .* is no risk, got 'user-1'"),
    ],
)
def test_a_wrong_file_of_risks_is_refused_with_the_line(homes, tmp_path, text, wrong):
    (tmp_path / "risk.csv").write_text(text)
    with pytest.raises(ConfigError, match=wrong):
        read_risk(tmp_path / "risk.csv", load(homes[0]).user_ids)
