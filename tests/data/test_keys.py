import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.keys import Met, content_keys, mixed, numbered, text_keys


def keys_of(*texts: str | None) -> list[int]:
    return text_keys(pl.Series(texts, dtype=pl.String)).tolist()


def contents(source: str = "log", **columns) -> list[int]:
    return content_keys(pl.DataFrame(columns), source, {}).tolist()


STEP, ROUND = 0x9E3779B97F4A7C15, 2**64


def plainly_mixed(value: int) -> int:
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 % ROUND
    value = (value ^ value >> 27) * 0x94D049BB133111EB % ROUND
    return value ^ value >> 31


def plain_key(text: str) -> int:
    raw = text.encode()
    key = len(raw) * STEP % ROUND
    for at in range(0, len(raw), 8):
        word = int.from_bytes(raw[at : at + 8], "little")
        key = (plainly_mixed(key ^ word) + STEP) % ROUND
    return plainly_mixed(key)


@given(st.lists(st.text(max_size=40), min_size=1, max_size=10))
def test_keys_are_what_plain_numbers_give(texts):
    """So they are the same on every machine and in every version: the lake lives longer."""
    assert keys_of(*texts) == [plain_key(text) for text in texts]


@given(st.lists(st.text(max_size=40), min_size=1, max_size=30))
def test_equal_texts_and_only_they_share_a_key(texts):
    keys = keys_of(*texts)
    assert len(set(keys)) == len(set(texts))
    assert keys == [keys_of(text)[0] for text in texts]


def test_a_missing_text_has_the_key_of_the_empty_one():
    assert keys_of(None) == keys_of("")
    assert keys_of() == []


def test_mixing_loses_nothing():
    assert len(np.unique(mixed(np.arange(100_000, dtype=np.uint64)))) == 100_000


def test_keys_depend_on_source_and_column():
    assert contents(a=[1]) != contents("other", a=[1])
    assert contents(a=[1]) != contents(b=[1])


@pytest.mark.parametrize("values", [[1, 2], [1.5, 2.5], ["a", "b"], [True, False]])
def test_keys_tell_rows_of_every_type_apart(values):
    one, two = contents(a=values)
    assert one != two


def test_a_column_that_says_nothing_changes_no_key():
    assert contents(a=[1, 2]) == contents(a=[1, 2], b=[None, None])
    assert contents(a=[1, 2])[0] == contents(a=[1, 2], b=[None, "x"])[0]


def test_a_key_that_is_known_is_not_made_again():
    events = pl.DataFrame({"a": ["x", "y"]})
    assert content_keys(events, "log", {"a": text_keys(events["a"])}).tolist() == contents(
        a=["x", "y"]
    )


def test_equal_contents_are_kept_apart_by_their_ordinal():
    first, second, third = numbered(np.array([5, 5, 5], dtype=np.uint64)).tolist()
    assert len({first, second, third}) == 3


def test_ordinals_do_not_depend_on_what_stands_between():
    alone = numbered(np.array([5, 5], dtype=np.uint64)).tolist()
    assert numbered(np.array([7, 5, 9, 5], dtype=np.uint64)).tolist()[1::2] == alone


def test_met_gives_positions_in_the_order_of_meeting():
    met = Met()
    positions, fresh = met.meet(text_keys(pl.Series(["c", "a", "c", "b"])))
    assert positions.tolist() == [0, 1, 0, 2]
    assert fresh.tolist() == [0, 1, 3]
    positions, fresh = met.meet(text_keys(pl.Series(["b", "d", "a"])))
    assert (positions.tolist(), fresh.tolist()) == ([2, 3, 1], [1])


@given(st.lists(st.lists(st.integers(0, 50), max_size=20), max_size=5))
def test_met_is_a_dictionary(batches):
    met, known = Met(), {}
    for batch in batches:
        positions, _ = met.meet(mixed(np.array(batch, dtype=np.uint64)))
        assert positions.tolist() == [known.setdefault(one, len(known)) for one in batch]
