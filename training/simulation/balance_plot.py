"""A plot of what the share of commerce does: value, watch time and retention, with intervals."""

from collections.abc import Callable, Sequence
from pathlib import Path

from recsys.metrics import Estimate
from training.simulation.figures import Totals

COLOURS = ("#2563a8", "#c2571a", "#3f8f4f")
FIGURES: dict[str, Callable[[Totals], float]] = {
    "value a person": lambda one: one.value_minor,
    "watch time a person": lambda one: one.watch_s,
    "came in the last week": lambda one: one.retention,
}


def relative(points: Sequence[tuple[float, list[Totals]]]) -> dict[str, list[Estimate]]:
    """Each figure by share, as a part of the world's own best share, with its interval."""
    found = {}
    for name, of in FIGURES.items():
        by_world = zip(*([of(one) for one in worlds] for _, worlds in points), strict=True)
        parts = [[value / max(max(world), 1e-9) for value in world] for world in by_world]
        found[name] = [Estimate.of([one[place] for one in parts]) for place in range(len(points))]
    return found


def draw(points: Sequence[tuple[float, list[Totals]]], file: Path) -> None:
    """Write the plot; the ending of the file says of which format."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axis = figure.subplots()
    shares = [100 * share for share, _ in points]
    for colour, (name, estimates) in zip(COLOURS, relative(points).items(), strict=True):
        axis.plot(shares, [one.mean for one in estimates], "o-", color=colour, label=name)
        lows, highs = ([getattr(one, end) for one in estimates] for end in ("low", "high"))
        axis.fill_between(shares, lows, highs, color=colour, alpha=0.15, linewidth=0)
    axis.set_xlabel("share of products in the home list, %")
    axis.set_ylabel("part of the best share's")
    axis.set_ylim(0, 1.1)
    axis.legend(frameon=False)
    figure.savefig(file, metadata={"Date": None})
