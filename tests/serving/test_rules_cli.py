"""`dapei rules`, as an operator types it, on a shop with a bundle."""

import re
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from data.home import Home
from data.record import Record
from recsys.errors import BundleError, ConfigError, InvalidRule
from recsys.histories import History
from recsys.recommend import Request, recommend
from recsys.rules import DEFAULTS
from serving.bench_faults_shop import furnish
from serving.bundles import Watcher
from serving.rules_cli import app


@pytest.fixture(scope="module")
def furnished(tmp_path_factory):
    """A shop to which ten lists were served."""
    home = furnish(tmp_path_factory.mktemp("rules") / "home", persons=10)
    record = Record.of(home)
    watcher = Watcher(home, record, defaults=DEFAULTS)
    watcher.look()
    current = watcher.current
    served = [
        recommend(
            Request(scene="home", user_id=f"user-{n}", k=10),
            History.empty(),
            current.bundle,
            at=datetime.now(UTC),
            list_id=f"list-{n}",
        ).served
        for n in range(10)
    ]
    record.put_served(served)
    record.close()
    shown = {item.item_id for one in served for item in one.items}
    other = next(one for one in current.bundle.catalog.ids.texts.all() if one not in shown)
    return home, served, other


def run(home, *words):
    done = CliRunner().invoke(
        app, ["rules", *words, "--home", str(home.root)], env={"COLUMNS": "250"}
    )
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def written(tmp_path, text):
    file = tmp_path / "rules.toml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def pin(item_id, seat=1):
    return (
        f'[rules.autumn]\neffect = "pin"\nitems = ["{item_id}"]\nseat = {seat}\n'
        'who = "li"\nwhy = "autumn"\n'
    )


def test_rules_are_previewed_set_listed_and_dropped(furnished, tmp_path):
    home, _, other = furnished
    file = written(tmp_path, pin(other))
    tried = run(home, "preview", file)
    assert "10 of 10 lists would change" in tried
    assert re.search(rf"{other} +│ +10 +│ +0", tried)
    assert "autumn" not in run(home, "list")
    assert run(home, "set", file) == "1 of 1 rules changed; version 1\n"
    assert run(home, "set", file) == "0 of 1 rules changed; version 1\n"
    listed = run(home, "list")
    assert re.search(rf"autumn +│ pin +│ items {other}; seat 1", listed)
    assert "default-home-shop (default)" in listed
    assert "10 of 10 lists would change" in run(home, "preview", "--without", "autumn")
    assert run(home, "drop", "autumn", "--why", "over") == "autumn is dropped; version 2\n"
    assert "dropped: autumn" in run(home, "list")


def test_a_preview_of_nothing_changes_nothing(furnished):
    home, _, _ = furnished
    assert "0 of 10 lists would change" in run(home, "preview")


def test_a_preview_keeps_nothing(furnished, tmp_path):
    home, served, _ = furnished
    file = written(tmp_path, pin(served[0].items[0].item_id, seat=9))
    run(home, "preview", file)
    assert "autumn (" not in run(home, "list") and "seat 9" not in run(home, "list")


@pytest.mark.parametrize(
    ("text", "error", "wrong"),
    [
        ("rules = 1", ConfigError, "has no tables"),
        ("[rules.a\n", ConfigError, "is no valid TOML"),
        (pin("item-nowhere"), InvalidRule, "items are unknown, got 'item-nowhere'"),
        ('[rules.a]\neffect = "block"\nwho = "li"\n', InvalidRule, "rule a: why is missing"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(furnished, tmp_path, text, error, wrong):
    home, _, _ = furnished
    for command in ("set", "preview"):
        with pytest.raises(error, match=wrong):
            run(home, command, written(tmp_path, text))


def test_without_a_bundle_there_is_nothing_to_try_rules_on(tmp_path):
    home = Home(tmp_path / "empty")
    with pytest.raises(BundleError, match="has no published bundle"):
        run(home, "preview")
