"""The report of an evaluation as one page."""

from training.evaluate import Evaluation


def page(found: Evaluation) -> str:
    """The page."""
    return ""
