"""Filters about what a person chose, what their age forbids included."""

from recsys.catalog import Catalog
from recsys.pipeline import Candidates, Context, among


def chosen(candidates: Candidates, context: Context, catalog: Catalog) -> Candidates:
    """Remove advertising and what is not for minors, where one looks; and what is to be rarer."""
    if context.controls.is_minor:
        items = candidates.items
        candidates = candidates.without(catalog.ad[items] | catalog.restricted[items])
    halved = context.halved
    if halved is None:
        return candidates
    items = candidates.items
    is_rarer = among(catalog.category[items], halved.categories)
    return candidates.without(is_rarer & ~among(items, halved.kept))
