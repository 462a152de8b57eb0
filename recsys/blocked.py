"""Words that may not be anybody's tag nor stand in a reason, in whatever way they are written."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

# Letters and numbers that are written together, and signs that are words by themselves.
_TOKENS = re.compile(r"[a-z0-9]+|[^\W_]")
MAX_TERMS = 100_000


@lru_cache(maxsize=65_536)
def tokens_of(text: str) -> tuple[str, ...]:
    """What is left of a text without width, case, spaces, signs and what cannot be seen."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    seen = "".join(one for one in plain if unicodedata.category(one)[0] != "C")
    return tuple(_TOKENS.findall(seen))


@dataclass(frozen=True, slots=True, eq=False)
class Blocked:
    """A list of terms; a text that holds one of them between any of its words is hit.

    A term of letters is hit as a whole word ("sex" not in "Essex"), a Chinese one anywhere.
    """

    terms: frozenset[str] = frozenset()
    _lengths: tuple[int, ...] = field(init=False, default=())

    @classmethod
    def of(cls, terms: Iterable[str]) -> "Blocked":
        """The terms as an operator writes them; those of which nothing is left say nothing."""
        return cls(frozenset(filter(None, ("".join(tokens_of(term)) for term in terms))))

    def __post_init__(self) -> None:
        """Work out once how long terms are."""
        object.__setattr__(self, "_lengths", tuple(sorted({len(term) for term in self.terms})))

    def __bool__(self) -> bool:
        """Whether anything is blocked."""
        return bool(self.terms)

    def hits(self, text: str) -> bool:
        """Whether a text holds a blocked term."""
        if not self.terms:
            return False
        tokens = tokens_of(text)
        joined, starts = "".join(tokens), [0]
        for token in tokens:
            starts.append(starts[-1] + len(token))
        ends = set(starts)
        return any(
            start + length in ends and joined[start : start + length] in self.terms
            for start in starts
            for length in self._lengths
        )


NOTHING_BLOCKED = Blocked()
