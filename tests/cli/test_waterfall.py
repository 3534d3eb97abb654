"""The waterfall: the tree, self times, and bars that never overflow."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pea.cli.waterfall import _bar, draw, duration, rows
from pea.telemetry import SpanView


def span(name: str, parent: str, start: int, end: int, *, status: str = "unset", about: str = "") -> SpanView:
    return SpanView(
        trace_id="t",
        span_id=name,
        parent_id=parent,
        name=name,
        kind="internal",
        start_ns=start,
        end_ns=end,
        attributes={},
        status=status,
        status_description=about,
    )


def text(spans: list[SpanView], width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(draw(spans, width))
    return out.getvalue()


def test_tree_and_self_time() -> None:
    """Children follow their parent by start; self time leaves out the union of the children's times."""
    found = rows([span("late", "root", 50, 90), span("root", "", 0, 100), span("early", "root", 10, 60)])
    assert [(row.prefix + row.span.name, row.self_ns) for row in found] == [
        ("root", 20),
        ("├ early", 50),
        ("└ late", 40),
    ]


def test_failure_is_told_below_its_span() -> None:
    """The reader need not open the span to learn what went wrong."""
    shown = text([span("root", "", 0, 10, status="error", about="the disk is gone")])
    assert "✗ the disk is gone" in shown


def test_orphans_are_roots() -> None:
    """A span whose parent was not kept, or that claims to be its own, is shown all the same."""
    assert [row.prefix for row in rows([span("a", "gone", 0, 1), span("b", "b", 0, 1)])] == ["", ""]


def test_deep_trace() -> None:
    """A trace deeper than Python's stack is drawn."""
    spans = [span(f"s{n}", f"s{n - 1}" if n else "", n, 20_000) for n in range(5_000)]
    assert len(rows(spans)) == 5_000
    assert "more spans" in text(spans)


@given(st.integers(0, 10**13), st.integers(0, 10**13), st.integers(0, 10**13), st.integers(1, 200))
def test_bar_stays_in_its_column(start: int, length: int, rest: int, width: int) -> None:
    """However short, it shows; however long, it fits."""
    bar = _bar(start, length, max(1, start + length + rest), width)
    assert 0 < len(bar) <= width
    assert bar.strip()


@pytest.mark.parametrize(
    ("nanoseconds", "shown"),
    [(0, "0 ns"), (950, "950 ns"), (1_500, "1.5 µs"), (12_345_678, "12.3 ms"), (412_000_000, "412 ms")],
)
def test_duration(nanoseconds: int, shown: str) -> None:
    """Three digits and a unit."""
    assert duration(nanoseconds) == shown
