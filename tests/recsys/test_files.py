import subprocess
import sys
from pathlib import Path

import pytest

from recsys.errors import ConfigError
from recsys.files import fsync_tree, locked, write_atomic, write_section

ROOT = Path(__file__).parents[2]
HOLDING = """
import sys, time
from pathlib import Path
from recsys.files import locked
with locked(Path(sys.argv[1])):
    print("got", flush=True)
    time.sleep(60)
"""


def holder(folder):
    command = [sys.executable, "-c", HOLDING, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)


def test_content_is_replaced_and_nothing_is_left_beside(tmp_path):
    write_atomic(tmp_path / "file", b"old")
    write_atomic(tmp_path / "file", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"new")]


def test_tree_with_folders_can_be_brought_to_the_disk(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"x")
    fsync_tree(tmp_path)


def test_second_holder_waits_and_a_killed_one_lets_go(tmp_path):
    first = holder(tmp_path)
    assert first.stdout.readline() == b"got\n"
    second = holder(tmp_path)
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(timeout=0.5)
    first.kill()
    first.communicate()
    assert second.stdout.readline() == b"got\n"
    second.kill()
    second.communicate()


def test_lock_ends_with_its_block(tmp_path):
    with locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


def test_section_is_renewed_and_what_stands_around_it_stays(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Page\n\nBy hand.\n")
    for name, text in (("one", "first\n"), ("two", "second"), ("one", "renewed")):
        write_section(page, name, text)
    assert page.read_text() == (
        "# Page\n\nBy hand.\n\n"
        "<!-- one: begin -->\nrenewed\n<!-- one: end -->\n\n"
        "<!-- two: begin -->\nsecond\n<!-- two: end -->\n"
    )


def test_section_makes_the_page_if_there_is_none(tmp_path):
    write_section(tmp_path / "page.md", "one", "text")
    assert (tmp_path / "page.md").read_text() == "<!-- one: begin -->\ntext\n<!-- one: end -->\n"


def test_section_without_an_end_is_refused_and_nothing_is_lost(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- one: begin -->\nkept\n")
    with pytest.raises(ConfigError, match="never ends"):
        write_section(page, "one", "text")
    assert page.read_text() == "<!-- one: begin -->\nkept\n"
