import re

import pytest

from data.mapping_read import load_mapping
from recsys.errors import ConfigError
from tests.imported import LOG, mapping_of

EVENTS = 'name = "log"\nof = "events"\n'
TIMED = EVENTS + '[fields]\nuser_id = "u"\nitem_id = "i"\ntype = { constant = "view" }\nat = '
UNDATED = (
    EVENTS
    + 'undated = true\n[fields]\nuser_id = "u"\nitem_id = "i"\ntype = { constant = "view" }\n'
)
ITEMS = 'name = "goods"\nof = "items"\n[fields]\nitem_id = "i"\nkind = { constant = "product" }\n'


def test_a_mapping_says_which_columns_it_reads(tmp_path):
    assert load_mapping(mapping_of(tmp_path)).read() == {"user", "item", "act", "ms", "seconds"}


def test_columns_of_conditions_and_lists_are_read_too(tmp_path):
    text = UNDATED.replace("[fields]", 'where = "a == 1"\n[fields]') + (
        'choice = [{ column = "b", where = "c == 1" }, { constant = "x" }]\n'
        '[[behaviours]]\nwhere = "d == 1"\neach = "e"\nwithout = "f"\n'
    )
    assert load_mapping(mapping_of(tmp_path, text)).read() == {*"abcdef", "u", "i"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "is no valid TOML"),
        ('name = "A b"\nof = "events"', "name is wrong, got 'A b'; allowed: 1 to 64 of a-z"),
        ('of = "events"', "name is wrong, got ''"),
        ('name = "x"\nof = "people"', "of is wrong, got 'people'; allowed: events, items"),
        ('name = "x"', "of is wrong, got None"),
        (EVENTS + "colour = 1", "colour is unknown; allowed: behaviours, fields, file"),
        (EVENTS + "undated = 1", "undated is wrong, got 1; allowed: a value of type bool"),
        (EVENTS + "[fields]", "user_id is missing; events need it"),
        (ITEMS.replace("kind", "title"), "kind is missing; items need it"),
        (EVENTS + "[fields]\nprice = 'x'", "fields.price is unknown; allowed: amount_minor, at"),
        (
            TIMED + '{ column = "t", unit = "h" }',
            "fields.at.unit is wrong, got 'h'; allowed: ms, s",
        ),
        (TIMED + '{ column = "t", zone = "X/Y" }', "fields.at.zone is wrong, got 'X/Y'"),
        (TIMED + '{ column = "t", format = "day" }', "fields.at.format is wrong, got 'day'"),
        (TIMED + '{ column = "t", unit = "s", format = "%Y" }', "allowed: one of them"),
        (TIMED + '{ column = "t", constant = 1 }', "exactly one of column, columns and constant"),
        (TIMED + "{ unit = 's' }", "exactly one of column, columns and constant"),
        (TIMED + '{ column = "t", prefix = "x" }', "fields.at.prefix is unknown; allowed: column"),
        (TIMED + "3", "fields.at is wrong, got 3; allowed: a value of type dict"),
        (TIMED + "[]", "fields.at is wrong, got []"),
        (TIMED + '["a", "b"]', "several of which all but the last say where"),
        (TIMED + '{ column = "t", where = "t" }', "fields.at.where is no condition"),
        (UNDATED + 'at = "t"', "either `at` is mapped or `undated = true` is said"),
        (UNDATED.replace("undated = true", ""), "either `at` is mapped or `undated = true`"),
        (UNDATED + 'kind = { constant = "note" }', "fields.kind is wrong, got 'note'; allowed:"),
        (
            UNDATED + 'platform = { column = "p", values = { a = "tv" } }',
            "fields.platform is wrong, got 'tv'; allowed: douyin",
        ),
        (UNDATED + 'choice = { column = "c", missing = [0] }', "fields.choice.missing is wrong"),
        (UNDATED + 'choice = { column = "c", values = 1 }', "fields.choice.values is wrong"),
        (UNDATED + '[[behaviours]]\nwithout = "l"', "without needs each"),
        (UNDATED + '[[behaviours]]\ncolour = "l"', "behaviours[0].colour is unknown"),
        (UNDATED.replace("[fields]", "behaviours = []\n[fields]"), "behaviours is wrong, got 0"),
        (
            UNDATED + 'event_id = "e"\n[[behaviours]]\n[[behaviours]]',
            "behaviours share an event_id; give each a prefix",
        ),
        (UNDATED + 'event_id = "e"\n[[behaviours]]\neach = "l"', "the same for every element"),
        (UNDATED + '[file]\nformat = "xls"', "file.format is wrong, got 'xls'; allowed: csv"),
        (UNDATED + '[file]\nseparator = "ab"', "file.separator is wrong, got 'ab'"),
        (UNDATED + '[file]\nheader = "u"', "file.header is wrong, got 'u'"),
        (
            ITEMS + "[[behaviours]]",
            "behaviours is wrong, got 1; allowed: one or more, in a mapping",
        ),
        (
            ITEMS + "durable = { column = 'd', values = { y = 'yes' } }",
            "allowed: a value of type b",
        ),
        (ITEMS + "attributes = 3", "fields.attributes is wrong, got 3"),
    ],
)
def test_what_a_mapping_cannot_say_is_told(tmp_path, text, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_mapping(mapping_of(tmp_path, text))


def test_a_mapping_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match="there is no mapping"):
        load_mapping(tmp_path / "none.toml")


def test_every_message_begins_with_the_file(tmp_path):
    with pytest.raises(ConfigError, match=r"^mine\.toml: "):
        load_mapping(mapping_of(tmp_path, LOG + "colour = 1", "mine.toml"))
