"""The import's checks by column and the event's own must agree, whatever the tables say."""

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data.checking import checked
from data.mapping_columns import column_of
from data.mapping_fields import EVENT_FORMS, Origin
from recsys.errors import InvalidEvent
from recsys.events import NUMBER_BOUNDS, TEXT_LIMITS, WHOLE_NUMBERS, Event, EventType

END = datetime(2100, 1, 1, tzinfo=UTC)
GOOD = {"event_id": "e", "user_id": "u", "item_id": "i", "type": EventType.PLAY, "at": None}


def is_good(name: str, value: object) -> bool:
    """Whether the columns' checks let a value pass."""
    rows = pl.DataFrame({"c": [value]}, strict=False)
    column = column_of(name, EVENT_FORMS[name], (Origin(columns=("c",)),), rows.schema)
    faults = checked(name, column, needed=False, latest_at=END).faults
    return not rows.select(pl.any_horizontal(f.here for f in faults).fill_null(value=False)).item()


def may_be_born(name: str, value: object) -> bool:
    try:
        Event(**GOOD | {name: value})
    except InvalidEvent:
        return False
    return True


@pytest.mark.parametrize("name", sorted(NUMBER_BOUNDS))
@given(factor=st.sampled_from([0, 1, 0.5, 1.0000001, 2, -1]), edge=st.sampled_from([0, 1]))
def test_numbers_pass_as_an_event_would_let_them(name, factor, edge):
    value = NUMBER_BOUNDS[name][edge] * factor
    whole = name in WHOLE_NUMBERS and float(value).is_integer()
    assert is_good(name, value) == may_be_born(name, int(value) if whole else float(value))


@pytest.mark.parametrize("name", sorted(TEXT_LIMITS))
@given(text=st.text(min_size=1, max_size=6) | st.text("aé字", min_size=60, max_size=130))
# Assigned in Unicode 15, which one side may know and the other not.
@example(text="\U00031350")
def test_texts_pass_as_an_event_would_let_them(name, text):
    assert is_good(name, text) == may_be_born(name, text)
