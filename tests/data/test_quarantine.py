import pytest

from data.quarantine import Quarantine
from data.reading import bad_lines
from tests.imported import told

ROW = (7, "at", None, "at is missing, got nothing")


@pytest.fixture
def quarantine(tmp_path):
    return Quarantine(tmp_path / "home" / "quarantine" / "abc.jsonl", "log.csv")


def test_lines_are_kept_with_file_number_field_value_and_reason(tmp_path, quarantine):
    with quarantine:
        quarantine.add(bad_lines([ROW, (3, "line", "x", "no CSV")]))
        quarantine.add(bad_lines([]))
    first, second = told(tmp_path)
    assert first == {
        "file": "log.csv",
        "line": 3,
        "field": "line",
        "value": "x",
        "reason": "no CSV",
    }
    assert (second["line"], second["value"]) == (7, None)
    assert quarantine.n_lines == 2


def test_no_bad_line_means_no_file(tmp_path, quarantine):
    with quarantine:
        quarantine.add(bad_lines([ROW]))
    with Quarantine(quarantine.path, "log.csv"):
        pass
    assert told(tmp_path) == []


def test_an_error_leaves_nothing_half(quarantine):
    with pytest.raises(ZeroDivisionError), quarantine:
        quarantine.add(bad_lines([ROW]))
        raise ZeroDivisionError
    assert list(quarantine.path.parent.iterdir()) == []
