"""A shop with persons who hold tokens, for tests of what is in their hands."""

from tests.security.conftest import keyed

__all__ = ["keyed"]
