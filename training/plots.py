"""Small plots as SVG: means with their intervals, in colours of the page they stand on.

Nothing is loaded and nothing runs: shapes, and classes that the page's style gives colours to.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, isnan, log10

from recsys.metrics import Estimate

# As wide as a phone, so that texts keep their size there.
WIDTH, HEIGHT = 400, 240
LEFT, RIGHT, TOP, BOTTOM = 46, 18, 12, 34
ROW, LETTER = 26, 6.8
MAX_LABELS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line or one colour of bars: an estimate for each label; None where there is none.

    Parameters
    ----------
    colour
        Number of the colour, 0 to 4.
    """

    name: str
    colour: int
    estimates: tuple[Estimate | None, ...]


Place = Callable[[float], float]


def lines(title: str, labels: Sequence[str], series: Sequence[Series]) -> str:
    """Lines over labels in their order, with a band for the interval."""
    up, frame = _frame(labels, series)
    across = _across(len(labels))
    drawn = [_band(one, across, up) + _line(one, across, up) for one in series]
    return _svg(title, HEIGHT, frame + "".join(drawn))


def bars(title: str, labels: Sequence[str], series: Sequence[Series]) -> str:
    """Bars side by side for each label, with a line for the interval."""
    up, frame = _frame(labels, series)
    step = (WIDTH - LEFT - RIGHT) / max(1, len(labels))
    width = step * 0.8 / max(1, len(series))
    drawn = []
    for place, one in enumerate(series):
        for label, estimate in enumerate(one.estimates):
            x = LEFT + step * (label + 0.1) + width * place
            drawn.append("" if _missing(estimate) else _bar(x, width, estimate, one.colour, up))
    return _svg(title, HEIGHT, frame + "".join(drawn))


def forest(title: str, rows: Sequence[tuple[str, Estimate]]) -> str:
    """One row a difference, its interval as a line; what lies clear of 0 is drawn strong."""
    height = TOP + ROW * len(rows) + BOTTOM
    names = 10 + LETTER * max(len(label) for label, _ in rows)
    ends = [0.0, *(end for _, one in rows for end in (one.low, one.high, one.mean))]
    low, high, step = _ticks([end for end in ends if not isnan(end)])

    def across(value: float) -> float:
        return names + (value - low) / (high - low) * (WIDTH - names - RIGHT)

    grid = "".join(
        _upright(across(tick), height, tick, _written(tick, step))
        for tick in _steps(low, high, step)
    )
    drawn = [
        _row(label, one, names, TOP + ROW * (n + 0.5), across)
        for n, (label, one) in enumerate(rows)
    ]
    return _svg(title, height, grid + "".join(drawn))


def _missing(estimate: Estimate | None) -> bool:
    return estimate is None or isnan(estimate.mean)


def _svg(title: str, height: float, inside: str) -> str:
    said = escape(title)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{said}">'
        f"<title>{said}</title>{inside}</svg>"
    )


def _frame(labels: Sequence[str], series: Sequence[Series]) -> tuple[Place, str]:
    """Where values stand, and the grid with its numbers and labels."""
    there = [e for one in series for e in one.estimates if e is not None and not isnan(e.mean)]
    ends = [end for one in there for end in (one.mean, one.low, one.high) if not isnan(end)]
    # What cannot be negative is not drawn below 0, wherever its symmetric interval ends.
    floor_at = 0.0 if all(one.mean >= 0 for one in there) else min(ends)
    low, high, tick_step = _ticks([0.0, floor_at, *(max(end, floor_at) for end in ends)])

    def up(value: float) -> float:
        return TOP + (high - max(value, low)) / (high - low) * (HEIGHT - TOP - BOTTOM)

    grid = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(tick):.1f}" '
        f'y2="{up(tick):.1f}"/><text x="{LEFT - 6}" y="{up(tick) + 4:.1f}" '
        f'text-anchor="end">{_written(tick, tick_step)}</text>'
        for tick in _steps(low, high, tick_step)
    )
    step = (WIDTH - LEFT - RIGHT) / max(1, len(labels))
    every = ceil(len(labels) / MAX_LABELS)
    # Names too long to stand side by side take two lines in turns.
    lower = 13 if every == 1 and max(map(len, labels), default=0) * LETTER > step else 0
    named = "".join(
        f'<text x="{LEFT + step * (n + 0.5):.1f}" y="{HEIGHT - BOTTOM + 17 + n % 2 * lower}" '
        f'text-anchor="middle">{escape(label)}</text>'
        for n, label in enumerate(labels)
        if n % every == 0
    )
    return up, grid + named


def _across(n: int) -> Place:
    step = (WIDTH - LEFT - RIGHT) / max(1, n)
    return lambda place: LEFT + step * (place + 0.5)


def _ticks(values: Sequence[float]) -> tuple[float, float, float]:
    """Round ends that hold all values, and a step that takes about four from end to end."""
    low, high = min(values), max(values)
    if high - low < 1e-9:
        high = low + 1
    rough = (high - low) / 4
    power = 10.0 ** floor(log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough * 0.999)
    return floor(low / step + 1e-9) * step, ceil(high / step - 1e-9) * step, step


def _steps(low: float, high: float, step: float) -> list[float]:
    return [n * step for n in range(round(low / step), round(high / step) + 1)]


def _written(tick: float, step: float) -> str:
    return f"{tick:.{max(0, -floor(log10(step) + 1e-9))}f}"


def _band(series: Series, across: Place, up: Place) -> str:
    there = [
        (across(n), one)
        for n, one in enumerate(series.estimates)
        if one is not None and not isnan(one.low)
    ]
    if len(there) < 2:
        return ""
    upper = [f"{x:.1f},{up(one.high):.1f}" for x, one in there]
    lower = [f"{x:.1f},{up(one.low):.1f}" for x, one in reversed(there)]
    return f'<polygon class="band c{series.colour}" points="{" ".join(upper + lower)}"/>'


def _line(series: Series, across: Place, up: Place) -> str:
    there = [
        (across(n), up(one.mean))
        for n, one in enumerate(series.estimates)
        if one is not None and not isnan(one.mean)
    ]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in there)
    dots = "".join(
        f'<circle class="dot c{series.colour}" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>'
        for x, y in there
    )
    return f'<polyline class="line c{series.colour}" points="{points}"/>{dots}'


def _bar(x: float, width: float, estimate: Estimate | None, colour: int, up: Place) -> str:
    if estimate is None:
        return ""
    top, bottom = sorted((up(estimate.mean), up(0)))
    middle = x + width / 2
    whisker = ""
    if not isnan(estimate.low):
        whisker = (
            f'<line class="whisker" x1="{middle:.1f}" x2="{middle:.1f}" '
            f'y1="{up(estimate.high):.1f}" y2="{up(estimate.low):.1f}"/>'
        )
    return (
        f'<rect class="bar c{colour}" x="{x:.1f}" y="{top:.1f}" width="{width * 0.92:.1f}" '
        f'height="{max(bottom - top, 0.5):.1f}"/>{whisker}'
    )


def _upright(x: float, height: float, tick: float, said: str) -> str:
    kind = "axis" if abs(tick) < 1e-12 else "grid"
    return (
        f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{height - BOTTOM}"/>'
        f'<text x="{x:.1f}" y="{height - BOTTOM + 18}" text-anchor="middle">{said}</text>'
    )


def _row(label: str, one: Estimate, names: float, y: float, across: Place) -> str:
    clear = "clear" if one.low > 0 or one.high < 0 else "unsure"
    drawn = f'<text x="{names - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{escape(label)}</text>'
    if not isnan(one.low):
        drawn += (
            f'<line class="reach {clear}" x1="{across(one.low):.1f}" '
            f'x2="{across(one.high):.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
    return drawn + f'<circle class="mean {clear}" cx="{across(one.mean):.1f}" cy="{y:.1f}" r="4"/>'
