import subprocess
import sys
from pathlib import Path

import pytest

from tests.imported import LOG, csv_of, line, log_of, mapping_of, past_of

ROOT = Path(__file__).parents[2]


def dapei(*words: object, **more) -> subprocess.CompletedProcess:
    command = [sys.executable, "dapei.py", "import", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **more)


@pytest.fixture
def mapping(tmp_path):
    return mapping_of(tmp_path)


def test_an_import_says_what_it_did_and_says_so_again(tmp_path, mapping):
    log = log_of(tmp_path / "log.csv", 200)
    first = dapei(mapping, log, "--home", tmp_path / "home")
    assert first.returncode == 0, first.stderr
    assert "read 200 lines: 200 loaded, 0 bad, 0 left out" in " ".join(first.stdout.split())
    assert "200 events, 31 items" in " ".join(first.stdout.split())
    again = dapei(mapping, log, "--home", tmp_path / "home")
    assert "log.csv is in already; nothing changed" in again.stdout


def test_too_many_bad_lines_end_with_exit_code_3(tmp_path, mapping):
    log = csv_of(tmp_path / "log.csv", [line(1), "x"])
    refused = dapei(mapping, log, "--home", tmp_path / "home")
    assert refused.returncode == 3
    assert "too_many_bad_rows 1 of 2 lines are bad" in " ".join(refused.stderr.split())
    allowed = dapei(mapping, log, "--home", tmp_path / "home", "--max-bad", "0.5")
    assert allowed.returncode == 0
    assert "bad lines: " in allowed.stdout
    assert len(past_of(tmp_path).histories.events) == 1


def test_a_column_without_a_word_is_named(tmp_path, mapping):
    log = csv_of(tmp_path / "log.csv", [line(3)])
    told = dapei(mapping, log, "--home", tmp_path / "home")
    assert "no line says anything about: seconds" in told.stdout


def test_a_wrong_mapping_ends_with_one_line(tmp_path):
    wrong = dapei(mapping_of(tmp_path, LOG + "x = 1"), tmp_path / "log.csv", "--home", tmp_path)
    assert wrong.returncode == 1
    assert "config_error mapping.toml: fields.x is unknown" in " ".join(wrong.stderr.split())
    assert "Traceback" not in wrong.stderr


def test_the_home_may_come_from_the_environment(tmp_path, mapping):
    log = log_of(tmp_path / "log.csv", 3)
    done = dapei(mapping, log, env={"DAPEI_HOME": str(tmp_path / "home")})
    assert done.returncode == 0, done.stderr
    assert len(past_of(tmp_path).histories.events) == 3


def test_help_names_every_option():
    told = dapei("--help").stdout
    assert "--max-bad" in told
    assert "--home" in told
