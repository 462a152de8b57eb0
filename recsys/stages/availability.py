"""Filters about what can be shown at all."""

from recsys.catalog import Catalog
from recsys.pipeline import Candidates, Context


def on_sale(candidates: Candidates, _context: Context, catalog: Catalog) -> Candidates:
    """Remove what is switched off or sold out."""
    return candidates.without(~catalog.on_sale[candidates.items])
