"""Filters about what a person chose, what their age forbids included."""

from recsys.bars import Bar
from recsys.catalog import Catalog
from recsys.pipeline import Context


def chosen(context: Context, catalog: Catalog) -> Bar:
    """Advertising and what is not for minors, where one looks; and what is to be rarer."""
    closed = (catalog.ad, catalog.restricted) if context.controls.is_minor else ()
    halved = context.halved
    if halved is None:
        return Bar(closed=closed)
    return Bar(closed=closed, fewer=halved.categories, kept=halved.kept)
