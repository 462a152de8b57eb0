"""Text → words and pairs of characters: how learners read titles, tags and categories.

Words are cut by `rjieba` with the shop's own vocabulary; nothing here runs in a request.
"""

import re
from collections.abc import Iterable, Sequence

# Every cutter splits these two, and they are what our shops are about.
KEPT_WHOLE = ("短视频", "小程序")
# Higher than any word of the cutter's own dictionary, so that the shop's words win.
OWN_FREQUENCY = 100_000
_CHINESE = re.compile(r"[一-鿿]")
_WORD = re.compile(r"(?:[一-鿿]{2,}|(?=[^\W_]*[a-z])[^\W_]{2,})")


def words_of(texts: Iterable[str], vocabulary: Iterable[str]) -> list[list[str]]:
    """The distinct words of each text, in order, lower case.

    Two characters at least: single ones and numbers say too little to be words.

    Parameters
    ----------
    vocabulary
        Words never to be split: the shop's own tags and categories. 短视频 and 小程序 are always
        kept whole.
    """
    texts = list(texts)
    if not any(texts):
        return [[] for _ in texts]
    import rjieba

    cutter = rjieba.Jieba()
    for word in (*KEPT_WHOLE, *vocabulary):
        if _CHINESE.search(word):
            cutter.add_word(word, OWN_FREQUENCY, "n")
    return [_kept(cutter.cut(text)) for text in texts]


def _kept(cut: Sequence[str]) -> list[str]:
    lowered = (word.strip().lower() for word in cut)
    return list(dict.fromkeys(word for word in lowered if _WORD.fullmatch(word)))


def pairs(text: str) -> list[str]:
    """The distinct pairs of neighbouring characters; of a single character the character."""
    text = text.lower()
    return list(dict.fromkeys(text[at : at + 2] for at in range(max(1, len(text) - 1))))
