import re
from xml.etree import ElementTree

import pytest

from recsys.metrics import Estimate
from training.plots import Series, bars, forest, lines

NONE = Estimate.of([])
LOW, HIGH = Estimate(0.2, 0.1, 0.3, 9), Estimate(0.4, 0.3, 0.5, 9)


def series(*estimates, name="pipeline"):
    return Series(name=name, colour=0, estimates=estimates)


def shapes(svg, tag):
    return list(ElementTree.fromstring(svg).iter(tag))


def texts(svg):
    return [one.text for one in shapes(svg, "text")]


def test_a_line_has_a_point_a_value_and_a_band():
    svg = lines("ndcg", ["5", "10"], [series(LOW, HIGH)])
    (band,), (line,) = shapes(svg, "polygon"), shapes(svg, "polyline")
    assert (len(shapes(svg, "circle")), len(band.get("points").split())) == (2, 4)
    first, second = (float(point.split(",")[1]) for point in line.get("points").split())
    # Twice the value is twice as high over the axis.
    assert 206 - second == pytest.approx(2 * (206 - first), rel=1e-2)


def test_what_is_not_known_is_not_drawn():
    svg = lines("ndcg", ["5", "10"], [series(None, HIGH)])
    assert (len(shapes(svg, "circle")), shapes(svg, "polygon")) == (1, [])
    svg = bars("ndcg", ["5", "10", "20"], [series(NONE, HIGH, None)])
    assert len(shapes(svg, "rect")) == 1


def test_a_bar_without_an_interval_has_no_whisker():
    svg = bars("ndcg", ["5"], [series(Estimate.of([0.5]))])
    assert "whisker" not in svg
    assert "whisker" in bars("ndcg", ["5"], [series(LOW)])


@pytest.mark.parametrize("scale", [1e-4, 0.013, 1.0, 77.0, 12_345.0])
def test_numbers_at_the_axis_are_round_and_different(scale):
    value = Estimate(scale, 0.9 * scale, 1.1 * scale, 9)
    said = texts(bars("ndcg", ["5"], [series(value)]))[:-1]
    assert 3 <= len(set(said)) == len(said) <= 8
    assert float(said[-1]) >= 1.1 * scale


def test_values_that_cannot_be_negative_are_not_drawn_below_0():
    svg = bars("ndcg", ["5"], [series(Estimate(0.1, -0.2, 0.4, 3))])
    assert not any(text.startswith("-") for text in texts(svg))
    assert any(
        text.startswith("-") for text in texts(bars("x", ["5"], [series(Estimate(-1, -2, 0, 3))]))
    )


def test_long_rows_of_labels_are_thinned_out():
    svg = bars("places", [str(n) for n in range(40)], [series(*[LOW] * 40)])
    assert sum(text.isdecimal() for text in texts(svg)) <= 12


@pytest.mark.parametrize(("label", "n_heights"), [("5", 1), ("bought_together", 2)])
def test_long_labels_stand_on_two_lines(label, n_heights):
    svg = bars("served", [label] * 6, [series(*[LOW] * 6)])
    assert len({one.get("y") for one in shapes(svg, "text") if one.text == label}) == n_heights


def test_differences_clear_of_0_are_drawn_strong():
    rows = [("without als", Estimate(0.1, 0.05, 0.15, 9)), ("<b>", Estimate(0.1, -0.05, 0.2, 9))]
    svg = forest("what each adds", rows)
    assert [one.get("class") for one in shapes(svg, "circle")] == ["mean clear", "mean unsure"]
    assert "<b>" in texts(svg)
    assert "0.0" in " ".join(texts(svg))


def test_nothing_but_zeros_can_be_drawn():
    svg = forest("nothing", [("without als", Estimate(0.0, 0.0, 0.0, 9))])
    assert not re.search("nan|inf", svg)
