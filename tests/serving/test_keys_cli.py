"""`dapei keys`: what it prints can be used, and what it does stands in the audit."""

from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from dapei import command_line
from data.home import Home
from data.privacy import Privacy
from data.record import Record
from recsys.errors import ConfigError, InvalidInput
from serving.token_secrets import TokenSecrets
from serving.tokens import subject_of


@pytest.fixture
def run(tmp_path):
    def run(*words: str):
        return CliRunner().invoke(command_line("keys"), ["keys", *words, "--home", str(tmp_path)])

    return run


def deeds(home) -> list[tuple]:
    record = Record.of(Home(home))
    told = [tuple(row.deed) for row in record.audit.after(0, limit=99)]
    record.close()
    return told


def test_a_key_is_printed_alone_and_listed_without_it(run, tmp_path):
    key = run("new", "backend", "--scope", "lists", "--scope", "events", "--by", "olga").stdout
    listed = run("list").stdout
    assert key.startswith("dpk_") and key.count("\n") == 1
    assert key[4:12] in listed and "backend" in listed and "events lists" in listed
    assert key.strip().split("_", 2)[2] not in listed
    assert deeds(tmp_path) == [("olga", "key_new", key[4:12], "backend: events lists")]


def test_a_key_is_revoked_once(run, tmp_path):
    key_id = run("new", "backend", "--scope", "lists", "--by", "olga").stdout[4:12]
    assert "opens nothing any more" in run("revoke", key_id, "--why", "lost", "--by", "ivan").stdout
    assert "was revoked before" in run("revoke", key_id, "--by", "ivan").stdout
    assert deeds(tmp_path)[1:] == [("ivan", "key_revoke", key_id, "lost")]


def test_without_a_name_the_audit_says_the_accounts(run, tmp_path, monkeypatch):
    monkeypatch.setenv("LOGNAME", "account")
    run("new", "backend", "--scope", "lists")
    assert deeds(tmp_path)[0][0] == "account"


@pytest.mark.parametrize("scope", ["everything", "", "LISTS"])
def test_a_scope_that_is_none_is_refused_and_the_others_told(run, scope):
    done = run("new", "backend", "--scope", scope)
    assert done.exit_code == 2
    assert "guardian" in done.output


def test_a_key_that_is_not_there_is_told(run):
    assert isinstance(run("revoke", "deadbeef").exception, InvalidInput)


def test_a_token_by_hand_is_one_that_holds(run, tmp_path):
    kid, _ = run("token", "rotate", "--by", "olga").stdout.split()
    token = run("token", "new", "user-5001", "--life-s", "60", "--by", "olga").stdout.strip()
    secrets, at = TokenSecrets(tmp_path / "keys"), datetime.now(UTC)
    secrets.look()
    said = {"audience": "dapei", "at": at, "longest_s": 7_200}
    assert subject_of(token, secrets.good_at(at), **said) == "user-5001"
    assert deeds(tmp_path) == [
        ("olga", "token_rotate", kid, "grace 7200 s"),
        ("olga", "token_new", Privacy.of(Home(tmp_path)).name_of("user-5001"), "good for 60 s"),
    ]


def test_a_rotation_without_grace_ends_the_tokens_of_before(run, tmp_path):
    before, _ = run("token", "rotate").stdout.split()
    after, _ = run("token", "rotate", "--grace-s", "0").stdout.split()
    secrets = TokenSecrets(tmp_path / "keys")
    secrets.look()
    assert set(secrets.good_at(datetime.now(UTC))) == {after} != {before}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("token", "new", "user-1"), "has no secret yet; run: dapei keys token rotate"),
        (("token", "rotate", "--grace-s", "-1"), "--grace-s is negative, got -1"),
    ],
)
def test_what_cannot_be_made_is_told(run, words, why):
    done = run(*words)
    assert isinstance(done.exception, ConfigError)
    assert why in str(done.exception)


def test_a_token_that_lives_too_long_is_not_made(run):
    run("token", "rotate")
    done = run("token", "new", "user-1", "--life-s", "7201")
    assert "got 7201; allowed: up to 7200" in str(done.exception)
