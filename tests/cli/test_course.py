"""A learned baseline's course in the terminal."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from pea.cli.course import ROWS, draw


def drawn(**course: Any) -> list[str]:
    """The lines, without colours."""
    given = {"unit": "s", "about": "odd", "at": ["2026-01-01T10:00:00Z", "2026-01-01T10:02:00Z"], **course}
    to = Console(file=StringIO(), width=100, color_system=None)
    draw(to, given)
    return to.file.getvalue().splitlines()  # type: ignore[attr-defined]  # it is a StringIO


def test_what_is_out_of_the_band_is_marked() -> None:
    """Values in the band are small dots in the shade, the one outside is a large one at the top, with its value."""
    lines = drawn(values=[0.1, 0.11, 0.9], low=[0.05, 0.05, 0.05], high=[0.2, 0.2, 0.2])
    assert lines[1].strip().startswith("900 ms")
    assert lines[1].rstrip().endswith("●")
    assert sum(line.count("•") for line in lines) == 2
    assert "░" in lines[ROWS - 1]


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [([1.0, 1.0], [None, None], [None, None]), ([-5.0, 1e12], [0.0, None], [1.0, None])],
)
def test_bands_may_be_missing_and_values_of_any_size(values: list[float], low: list[Any], high: list[Any]) -> None:
    """Each value is drawn once whatever is known."""
    lines = drawn(values=values, low=low, high=high, unit="")
    assert sum(line.count("•") + line.count("●") for line in lines) == len(values)


def test_nothing_is_drawn_of_nothing() -> None:
    """An empty course has no lines."""
    assert drawn(values=[], low=[], high=[]) == []
