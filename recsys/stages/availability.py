"""Filters about what can be shown at all."""

from recsys.catalog import Catalog
from recsys.pipeline import Candidates, Context


def on_sale(candidates: Candidates, _context: Context, catalog: Catalog) -> Candidates:
    """Remove what is switched off or sold out."""
    return candidates.without(~catalog.on_sale[candidates.items])


def blocked(candidates: Candidates, context: Context, _catalog: Catalog) -> Candidates:
    """Remove what the shop's rules keep out of lists."""
    if context.blocked is None:
        return candidates
    return candidates.without(context.blocked[candidates.items])
