import polars as pl
import pytest

from data.mapping_where import condition
from recsys.errors import ConfigError

NUMBERS = pl.DataFrame({"user": [1, 2179, None], "act type": ["a", "b", None], "is_on": [1, 0, 1]})


def fits(text: str, rows: pl.DataFrame = NUMBERS) -> list[bool]:
    return rows.select(condition(text, "where").holds(rows.schema)).to_series().to_list()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user < 2179", [True, False, False]),
        ("user <= 2179", [True, True, False]),
        ("user >= 2179", [False, True, False]),
        ("user > 1.5", [False, True, False]),
        ("user != 1", [False, True, False]),
        ("`act type` == 'a'", [True, False, False]),
        ("is_on == true", [True, False, True]),
        ("is_on == false and user == 2179", [False, True, False]),
        ("user > -5 and user < 5 and is_on == 1", [True, False, False]),
    ],
)
def test_conditions_hold_where_they_say(text, expected):
    assert fits(text) == expected


def test_text_columns_are_compared_as_numbers_with_numbers():
    rows = pl.DataFrame({"user": ["9", "2180", "", "x"]})
    assert fits("user < 2179", rows) == [True, False, False, False]
    (comparison,) = condition("user < 2179", "where").comparisons
    unsaid = rows.select(comparison.cannot_say(pl.String())).to_series().to_list()
    assert unsaid == [False, False, False, True]


def test_a_list_is_neither_a_number_nor_a_text():
    rows = pl.DataFrame({"user": [["9"], None]})
    assert fits("user < 2179", rows) == [False, False]
    assert fits("user == '9'", rows) == [False, False]
    (comparison,) = condition("user < 2179", "where").comparisons
    unsaid = rows.select(comparison.cannot_say(rows.schema["user"])).to_series().to_list()
    assert unsaid == [True, False]


def test_a_condition_comes_apart_by_columns():
    whole = condition("user > 1 and is_on == 1 and user < 9", "where")
    assert whole.about(["user"]) == condition("user > 1 and user < 9", "where")
    assert whole.about(["user"], others=True) == condition("is_on == 1", "where")
    assert whole.about(["x"]) is None


def test_a_condition_knows_its_columns():
    assert condition("a == 1 and `b c` == 'x'", "where").columns() == {"a", "b c"}


@pytest.mark.parametrize(
    "text", ["", "user", "user <", "user ~ 3", "a == 1 or b == 2", "a == b", 3]
)
def test_what_is_no_condition_is_refused_with_its_place(text):
    with pytest.raises(ConfigError, match=r"m.toml: where is no condition, got"):
        condition(text, "m.toml: where")
