from dataclasses import dataclass, fields, replace

from recsys.once import Once


@dataclass(frozen=True, slots=True)
class Point(Once):
    """Something that never changes."""

    x: int


def test_what_was_worked_out_is_not_worked_out_again():
    point, asked = Point(3), []

    def work():
        asked.append(1)
        return len(asked)

    assert [point.once("n", work), point.once("n", work), point.once("other", work)] == [1, 1, 2]


def test_memory_is_no_part_of_the_value():
    point = Point(3)
    point.once("n", lambda: 1)
    assert point == Point(3)
    assert [field.name for field in fields(point)] == ["x"]
    # Another value remembers nothing of this one.
    assert replace(point, x=4).once("n", lambda: 2) == 2
