"""Every command, option, target, setting and link that the documents name exists."""

import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

from dapei import COMMANDS
from serving.settings import Settings
from training.config import train_config

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md")])
# How many words name a command of these groups.
NESTED = {"bundles": 1, "bench": 1, "keys": 1, "keys token": 2, "privacy": 1, "rules": 1}


def named(path):
    return str(path.relative_to(ROOT))


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


def lines(page):
    joined = [block.replace("\\\n", " ") for block in blocks(page, "bash")]
    return [line.strip() for block in joined for line in block.splitlines()]


@cache
def help_of(*words):
    done = subprocess.run(
        [sys.executable, "-m", "dapei", *words, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_dapei_command_exists_with_its_options(page):
    for line in lines(page):
        match = re.match(r"(?:\.venv/bin/)?dapei ([a-z]+)(.*)", line)
        if match:
            command, rest = match.groups()
            assert command in COMMANDS, line
            words = rest.split("#")[0].split()
            depth = max(
                NESTED.get(group, 0) for group in (command, " ".join((command, *words[:1])))
            )
            path = (command, *words[:depth])
            shown = help_of(*path)
            for option in re.findall(r"(?<![\w-])--[a-z-]+", rest.split("#")[0]):
                assert option in shown, f"{option} in: {line}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_file_of_ours_that_is_imported_exists(page):
    named = dict(re.findall(r"^([A-Z])=(\S+)$", "\n".join(lines(page)), re.M))
    for line in lines(page):
        if re.match(r"(?:\.venv/bin/)?dapei import ", line):
            words = re.sub(r"\$([A-Z])\b", lambda match: named[match[1]], line).split()
            for word in words:
                if word.startswith("data/"):
                    assert (ROOT / word).is_file(), line


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_make_target_exists(page):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    for line in lines(page):
        match = re.match(r"(?:[A-Z_]+=\S+ )*make ([a-z-]+)", line)
        if match:
            assert match.group(1) in targets, line


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_module_that_is_run_exists(page):
    for line in lines(page):
        for module in re.findall(r"python -m ((?:benchmarks|training)\.\w+)", line):
            assert (ROOT / f"{module.replace('.', '/')}.py").exists(), line


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_setting_is_taken(page):
    for block in blocks(page, "toml"):
        said = tomllib.loads(block)
        if said.keys() & {"train", "models", "pipelines", "serve"}:
            train_config(said)
            Settings.of(said)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_both_readmes_hold_the_same():
    english, chinese = ROOT / "README.md", ROOT / "README.zh-CN.md"
    assert lines(english) == lines(chinese)
    assert blocks(english, "toml") == blocks(chinese, "toml")
    heads = [re.findall(r"^#+ ", page.read_text(), re.M) for page in (english, chinese)]
    assert heads[0] == heads[1]
    figures = [re.findall(r"\d[\d.,]*\d", page.read_text()) for page in (english, chinese)]
    assert sorted(figures[0]) == sorted(figures[1])


@pytest.mark.parametrize(("command", "line"), [(c, line) for c, (_, line) in COMMANDS.items()])
def test_the_line_of_each_command_is_its_own(command, line):
    assert line.rstrip(".") in " ".join(help_of(command).split())
