"""Plots of benchmark rows: bars a model and set with the best known figure as a line."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from recsys.errors import ConfigError
from training.bench_figures import DENSE, SERVED

Row = dict[str, Any]
ORDERED = "GAUC"
PICTURES = (".png", ".svg")
COLOURS = {SERVED: "#2563a8", DENSE: "#a9c6e3"}
PANEL_WIDTH, BAR_HEIGHT, N_COLUMNS = 5.2, 0.34, 3


def check_drawable(file: Path) -> None:
    """Refuse a plot before anything is measured for it.

    Raises
    ------
    ConfigError
        Its name ends in what cannot be drawn, or the library that draws is not there.
    """
    if file.suffix not in PICTURES:
        raise ConfigError(
            f"a plot of this name cannot be drawn, got {file.name!r}; "
            f"allowed: a name that ends in {' or '.join(PICTURES)}"
        )
    if find_spec("matplotlib") is None:
        raise ConfigError("a plot needs matplotlib, which is not there; install 'dapei[tune]'")


def panels(rows: list[Row]) -> dict[tuple[str, str], list[Row]]:
    """The rows worth a picture, by set and metric: of each set the metric that comes first.

    A metric's own parts (of another domain, of what is new to a person) are pictures as well, and
    so is how well impressions are put in order.
    """
    found: dict[tuple[str, str], list[Row]] = {}
    first: dict[str, str] = {}
    for row in rows:
        if row["value"] is None:
            continue
        word = row["metric"].split()[0]
        if first.setdefault(row["set"], word) == word or word == ORDERED:
            found.setdefault((row["set"], row["metric"]), []).append(row)
    return found


def plot(rows: list[Row], file: Path) -> None:
    """Draw one panel a set and metric into a file; its ending says of which format."""
    from matplotlib.figure import Figure

    shown = panels(rows)
    n_columns = min(N_COLUMNS, max(1, len(shown)))
    n_rows = -(-len(shown) // n_columns) or 1
    n_models = max((len({row["model"] for row in one}) for one in shown.values()), default=1)
    height = n_rows * (1.3 + BAR_HEIGHT * n_models)
    figure = Figure(figsize=(PANEL_WIDTH * n_columns, height), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False).flat
    for axis in list(axes)[len(shown) :]:
        axis.set_visible(False)
    for axis, ((name, metric), one) in zip(figure.axes, shown.items(), strict=False):
        _panel(axis, name, metric, one)
    named: dict[str, Any] = {}
    for axis in figure.axes:
        handles, labels = axis.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(file, dpi=130)


def _panel(axis: Any, name: str, metric: str, rows: list[Row]) -> None:
    """Models from the best downwards, a bar a form with its interval."""
    value = {(row["model"], row["form"]): row for row in rows}
    models = sorted({row["model"] for row in rows}, key=lambda model: _best(value, model))
    for form, shift in ((SERVED, -0.2), (DENSE, 0.2)):
        mine = [value.get((model, form)) for model in models]
        there = [(place, row) for place, row in enumerate(mine) if row is not None]
        axis.barh(
            [place - shift for place, _ in there],
            [row["value"] for _, row in there],
            height=0.36,
            color=COLOURS[form],
            xerr=[_half(row) for _, row in there],
            error_kw={"elinewidth": 0.8, "ecolor": "#333333"},
            label={SERVED: "as served", DENSE: "every item scored"}[form],
        )
    best = next((row for row in rows if row["published"] is not None), None)
    if best is not None:
        axis.axvline(best["published"], color="#c43c3c", linestyle="--", label="best known")
        axis.set_xlabel(f"best known: {best['published']:.4f}, {best['published_by']}", fontsize=8)
    axis.set_yticks(range(len(models)), models, fontsize=8)
    axis.set_xlim(left=0)
    axis.locator_params(axis="x", nbins=6)
    axis.set_title(f"{name}\n{metric}", fontsize=9)
    axis.tick_params(axis="x", labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)


def _best(value: dict[tuple[str, str], Row], model: str) -> float:
    return float(max(row["value"] for (name, _), row in value.items() if name == model))


def _half(row: Row) -> float:
    is_known = row["low"] is not None and row["high"] is not None
    return (row["high"] - row["low"]) / 2 if is_known else 0.0


def plot_growth(rows: list[Row], exponent: float, file: Path) -> None:
    """Draw processor seconds and memory over the number of acts, on logarithmic axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2 * PANEL_WIDTH, 4.2), layout="constrained")
    seconds, memory = figure.subplots(1, 2)
    events = [row["events"] for row in rows]
    for name in rows[0]["seconds"]:
        values = [max(row["seconds"][name], 1e-3) for row in rows]
        seconds.plot(events, values, marker="o", markersize=3, linewidth=1, label=name)
    totals = [row["total_s"] for row in rows]
    label = f"all, grows with the power {exponent:.2f}"
    seconds.plot(events, totals, color="black", marker="o", linewidth=2, label=label)
    linear = [totals[0] * one / events[0] for one in events]
    seconds.plot(events, linear, color="#888888", linestyle="--", linewidth=1, label="linear")
    memory.plot(events, [row["peak_mb"] / 1_000 for row in rows], color="black", marker="o")
    seconds.set_yscale("log")
    memory.set_ylim(bottom=0)
    _axes(seconds, f"processor seconds to learn, {rows[0]['items']:,} items", events)
    _axes(memory, "peak memory, GB", events)
    figure.legend(loc="outside right center", fontsize=8, frameon=False)
    figure.savefig(file, dpi=130)


def _axes(axis: Any, title: str, events: list[int]) -> None:
    axis.set_xscale("log")
    axis.set_xticks(events, [f"{one / 1e6:.3g}" for one in events])
    axis.minorticks_off()
    axis.set_xlabel("million acts")
    axis.set_title(title, fontsize=10)
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(color="#e5e5e5", linewidth=0.6)
