"""What the guides repeat of the code is what the code says."""

import os
import re
import shutil
import subprocess
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recsys.audience import AUDIENCES
from recsys.campaigns import Offer, campaign_of
from recsys.events import Platform
from recsys.rule_values import rule_of
from recsys.rules import DEFAULTS, SHAPES, TARGETS, Effect, check_together
from recsys.scenes import SCENES
from recsys.sentences import LANGUAGES, Reason
from serving.identity import Scope
from serving.settings import LimitSettings, Settings, TokenSettings
from serving.tokens import pseudonym, subject_of
from training.config import TrainConfig, train_config
from training.config_shop import MIX, TIERS, TREATMENT

GUIDES = Path(__file__).parents[1] / "docs" / "guides"


def page(name):
    return (GUIDES / f"{name}.md").read_text(encoding="utf-8")


def first_toml(name):
    block = re.search(r"^```toml\n(.*?)^```", page(name), re.M | re.S)
    return tomllib.loads(block.group(1))


def test_defaults_of_learning_are_the_ones_shown():
    assert train_config(first_toml("data_science")) == TrainConfig()


def test_every_weight_and_source_is_shown():
    shown, default = first_toml("data_science"), TrainConfig()
    assert shown["train"]["weights"].keys() == {kind.word for kind in default.weights}
    for scene, pipeline in default.pipelines.items():
        sources = [source.name for source in pipeline.sources]
        assert list(shown["pipelines"][scene]["sources"]) == sources


def test_defaults_about_people_are_the_ones_shown_and_all_are_shown():
    shown, default = first_toml("scenes"), TrainConfig()
    config = train_config(shown)
    assert (config.mixes, config.tiers) == (default.mixes, default.tiers)
    assert shown["mix"]["home"].keys() == MIX.keys()
    assert shown["tiers"].keys() == TIERS.keys()


def test_settings_of_the_scenes_guide_are_read():
    blocks = re.findall(r"^```toml\n(.*?)^```", page("scenes"), re.M | re.S)
    said = [tomllib.loads(block) for block in blocks]
    configs = [train_config(one) for one in said]
    assert {table for one in said for table in one} == {
        "mix", "tiers", "treatments", "platforms", "pipelines",
    }  # fmt: skip
    treatments = configs[1].treatments["home"]
    assert set(treatments) == {"new", "lapsed"}
    assert {"tags", *TREATMENT} == {
        key for one in said[1]["treatments"]["home"].values() for key in one
    }
    assert configs[2].pipelines["home"].commission_loss == 0.02
    assert configs[3].platforms[Platform.DOUYIN] == 0.5


def test_campaigns_of_the_scenes_guide_are_campaigns():
    texts = re.findall(r'"((?:flash|coupon|topic|live):[^"]+)"', page("scenes"))
    assert {campaign_of(text).offer for text in texts} == set(Offer)


def test_every_scene_and_part_of_the_people_is_told_of():
    assert all(f"| `{name}` |" in page("scenes") for name in (*SCENES, *AUDIENCES))


def test_defaults_of_the_service_are_the_ones_shown():
    shown = first_toml("operators")
    assert Settings.of(shown) == Settings()
    # These are tables of their own.
    assert shown["serve"].keys() == Settings.model_fields.keys() - {"hot", "limits", "tokens"}


def test_defaults_of_limits_and_tokens_are_the_ones_shown():
    shown = first_toml("security")
    assert Settings.of(shown) == Settings()
    assert shown["limits"].keys() == LimitSettings.model_fields.keys()
    assert shown["tokens"].keys() == TokenSettings.model_fields.keys()


def test_the_backend_of_the_guide_makes_tokens_that_hold():
    (code,) = re.findall(r"^```python\n(.*?)^```", page("security"), re.M | re.S)
    backend = {}
    exec(code, backend)
    secrets = {backend["KID"]: backend["SECRET"]}
    at, tokens = datetime.now(UTC), Settings().tokens
    made = backend["token_for"]("open-1")
    said = {"audience": tokens.audience, "at": at, "longest_s": tokens.longest_s}
    assert subject_of(made, secrets, **said) == backend["pseudonym"]("open-1")
    assert backend["pseudonym"]("open-1") == pseudonym(
        backend["OWN_SECRET"], backend["APP_ID"], "open-1"
    )


def test_the_backend_in_node_makes_tokens_that_hold():
    if shutil.which("node") is None:
        pytest.skip("NOT TESTED: there is no node here")
    code = re.search(r"^```js\n(.*?)^```", page("security"), re.M | re.S)[1]
    secret, own, app_id = bytes(range(32)), b"own", "wx01"
    said = {"DAPEI_TOKEN_SECRET": secret.hex(), "OWN_SECRET": own.decode(), "APP_ID": app_id}
    done = subprocess.run(
        ["node", "-e", code + "\nconsole.log(tokenFor('open-1'))"],
        env=os.environ | said,
        capture_output=True,
        text=True,
        check=True,
    )
    kid = re.search(r"KID = '(\w+)'", code)[1]
    held = {"audience": "dapei", "at": datetime.now(UTC), "longest_s": 7_200}
    sub = subject_of(done.stdout.strip(), {kid: secret}, **held)
    assert sub == pseudonym(own, app_id, "open-1")


def test_every_scope_is_told():
    for scope in Scope:
        assert f"`{scope}`" in page("security")


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_explained(reason):
    assert f"| {LANGUAGES['en'][reason]} | {LANGUAGES['zh'][reason]} |" in page("operators")


def test_no_reason_is_explained_that_is_not_given():
    rows = re.findall(r"^\| (.+?) \| (.*[一-鿿].*?) \| ", page("operators"), re.M)
    assert len(rows) == len(Reason) + 1


def test_the_rules_shown_are_rules_and_every_effect_is_among_them():
    rules = [rule_of(rule_id, said) for rule_id, said in first_toml("rules")["rules"].items()]
    check_together([*rules, *DEFAULTS])
    assert {rule.effect for rule in rules} == set(Effect)


@pytest.mark.parametrize("effect", Effect)
def test_what_an_effect_needs_and_may_have_is_told(effect):
    (row,) = re.findall(rf"^\| `{effect}` \|.*\|(.*)\|(.*)\|$", page("rules"), re.M)
    needs, may = ({one.strip() for one in cell.split(",") if one.strip()} for cell in row)
    shape = SHAPES[effect]
    assert needs == shape.needs
    assert may - {"items", "tags", "…"} == shape.may - set(TARGETS)
    assert ("…" in may) == (set(TARGETS) <= shape.may)


def test_the_defaults_shown_are_the_defaults():
    assert re.findall(r"^\| `(default-\S+)` \| home", page("rules"), re.M) == [
        rule.rule_id for rule in DEFAULTS
    ]
