"""What `[privacy]` may say, and the key that names persons."""

import re
import tomllib
from dataclasses import fields

import pytest

from data.home import Home
from data.privacy import KEY_NAME, Privacy
from recsys.errors import ConfigError
from tests.test_guides import page


def said(tmp_path, text):
    (tmp_path / "dapei.toml").write_text(f"[privacy]\n{text}\n")
    return Privacy.of(Home(tmp_path))


def test_the_key_is_made_once_and_for_the_owner_alone(tmp_path):
    key = Privacy.of(Home(tmp_path)).key
    assert (len(key), Privacy.of(Home(tmp_path)).key) == (32, key)
    assert (tmp_path / "keys" / KEY_NAME).stat().st_mode & 0o777 == 0o600


def test_what_is_sealed_is_opened_with_the_same_key_alone():
    mine = Privacy(key=b"a" * 32)
    sealed = mine.sealed(b"user-5001")
    assert b"user-5001" not in sealed
    assert mine.opened(sealed) == b"user-5001"
    with pytest.raises(ConfigError, match="another keys/privacy.key"):
        Privacy(key=b"b" * 32).opened(sealed)


def test_terms_and_limits_are_taken(tmp_path):
    found = said(tmp_path, 'blocked_terms = ["禁词"]\nevents_days = 90\nbasis = "consent"')
    assert (found.events_days, found.basis) == (90, "consent")
    assert found.controls().blocked.hits("禁 词")
    assert found.controls().needs_consent


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('basis = "hope"', "basis of .privacy. is unknown, got 'hope'; allowed: contract, consent"),
        ("events_days = 0", "events_days of .privacy. is out of range, got 0"),
        ("events_days = true", "out of range, got True"),
        ("audit_days = 30", "audit_days of .privacy. is out of range, got 30; allowed: 1095"),
        ("blocked_terms = 3", "blocked_terms of .privacy. is no list"),
        ("appeal = 3", "appeal of .privacy. is no text"),
        ('days = "x"', "unknown keys, got days; allowed: appeal, audit_days"),
    ],
)
def test_what_is_not_allowed_is_told(tmp_path, text, why):
    with pytest.raises(ConfigError, match=why):
        said(tmp_path, text)


def test_a_damaged_key_is_told(tmp_path):
    Privacy.of(Home(tmp_path))
    (tmp_path / "keys" / KEY_NAME).write_bytes(b"short")
    with pytest.raises(ConfigError, match="damaged, got 5 bytes"):
        Privacy.of(Home(tmp_path))


def test_what_the_guide_shows_is_taken(tmp_path):
    (block,) = re.findall(r"^```toml\n(.*?)^```", page("a_persons_life"), re.M | re.S)
    (tmp_path / "dapei.toml").write_text(block, encoding="utf-8")
    found = Privacy.of(Home(tmp_path))
    assert {one.name for one in fields(found)} == {*tomllib.loads(block)["privacy"], "key"}
