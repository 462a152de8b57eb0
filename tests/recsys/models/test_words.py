import pytest

from recsys.models.words import pairs, words_of


def test_what_our_shops_are_about_is_one_word():
    assert words_of(["短视频开箱小程序"], []) == [["短视频", "开箱", "小程序"]]


def test_the_shops_own_words_are_kept_whole():
    text = "筋膜枪横评"
    assert "筋膜枪" not in words_of([text], [])[0]
    assert "筋膜枪" in words_of([text], ["筋膜枪"])[0]


@pytest.mark.parametrize("text", ["3-6 200", "的 a", "!…", ""])
def test_numbers_and_single_characters_are_no_words(text):
    assert words_of([text], []) == [[]]


def test_words_are_distinct_and_lower_case():
    assert words_of(["Nike 帐篷 NIKE iPhone15"], []) == [["nike", "帐篷", "iphone15"]]


@pytest.mark.parametrize(
    ("text", "expected"), [("登山鞋", ["登山", "山鞋"]), ("鞋", ["鞋"]), ("AbAb", ["ab", "ba"])]
)
def test_pairs_of_characters(text, expected):
    assert pairs(text) == expected
