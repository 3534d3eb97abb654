"""A trace drawn as a waterfall in the terminal: who called whom, when, for how long, and what failed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.console import Group
from rich.text import Text

from pea.store.tree import places
from pea.telemetry import SpanView, names

MAX_ROWS = 200
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_STYLES = (
    (names.SPAN_TASK, "bold"),
    (names.SPAN_INVOKE_AGENT, "cyan"),
    (names.SPAN_CACHE_LOOKUP, "magenta"),
    (names.SPAN_QUEUE_WAIT, "yellow"),
    (names.SPAN_WORKER, "green"),
    (names.SPAN_STEP, "blue"),
)


class Row(msgspec.Struct, frozen=True):
    """One span at its place in the tree; times in nanoseconds from the trace's first start."""

    span: SpanView
    prefix: str
    start_ns: int
    duration_ns: int
    self_ns: int
    critical: bool


def rows(spans: Sequence[SpanView]) -> list[Row]:
    """The spans of one trace as `pea.store.tree` places them, each with the branch that leads to it."""
    origin = min((span.start_ns for span in spans), default=0)
    below: list[str] = []  # what stands before the children of the last row of each depth
    found = []
    for place in places(spans):
        span, depth = place.span, place.depth
        above = below[depth - 1] if depth else ""
        prefix = above + ("└ " if place.last else "├ ") if depth else ""
        below[depth:] = [above + ("  " if place.last else "│ ") if depth else ""]
        found.append(
            Row(
                span,
                prefix,
                span.start_ns - origin,
                max(span.end_ns - span.start_ns, 0),
                place.self_ns,
                bool(place.critical),
            )
        )
    return found


def draw(spans: Sequence[SpanView], width: int) -> Group:
    """The waterfall as lines of at most ``width`` columns: the tree, a bar and the duration; failures told below.

    Bars that the trace's end did not wait for are dim: what is bright is the critical path.
    """
    found = rows(spans)
    total = max((row.start_ns + row.duration_ns for row in found), default=0)
    label_width = min(max((len(_label(row)) for row in found), default=0), max(24, width * 45 // 100))
    bar_width = max(10, width - label_width - 10)
    lines: list[Text] = []
    for row in found[:MAX_ROWS]:
        failed = row.span.status == "error"
        label = Text(_label(row), style="red" if failed else "")
        label.stylize("dim", 0, len(row.prefix))
        label.truncate(label_width, overflow="ellipsis", pad=True)
        style = "bold red" if failed else _style(row.span.name) if row.critical else f"dim {_style(row.span.name)}"
        bar = _bar(row.start_ns, row.duration_ns, total, bar_width)
        line = label.append(" ").append(bar.ljust(bar_width), style)
        lines.append(line.append(f" {duration(row.duration_ns):>8}", "red" if failed else ""))
        if failed and row.span.status_description:
            why = Text(" " * len(row.prefix) + "  ✗ " + row.span.status_description.partition("\n")[0], style="red")
            why.truncate(width, overflow="ellipsis")
            lines.append(why)
    if len(found) > MAX_ROWS:
        lines.append(Text(f"… and {len(found) - MAX_ROWS} more spans", style="dim"))
    return Group(*lines)


def _label(row: Row) -> str:
    span = row.span
    capability = span.attributes.get(names.PEA_CAPABILITY)
    if capability and span.name.startswith(names.SPAN_INVOKE_AGENT):
        attempt = span.attributes.get(names.PEA_ATTEMPT, 1)
        return f"{row.prefix}{capability}" + (f" (attempt {attempt})" if attempt != 1 else "")
    if span.name.startswith(names.SPAN_WORKER + " "):
        return f"{row.prefix}{names.SPAN_WORKER} {span.name.rsplit('.', 1)[-1]}"
    return row.prefix + span.name


def _style(name: str) -> str:
    return next((style for start, style in _STYLES if name.startswith(start)), "white")


def _bar(start_ns: int, duration_ns: int, total_ns: int, width: int) -> str:
    """A bar in eighths of a column; every span shows, however short."""
    if total_ns <= 0:
        return ""
    begin = min(start_ns * width * 8 // total_ns, width * 8 - 1)
    length = max(1, min(duration_ns * width * 8 // total_ns, width * 8 - begin))
    column, offset = divmod(begin, 8)
    # A block can only be filled from its left: a start inside a column is rounded down to it.
    full, rest = divmod(length + (offset if length > 8 else 0), 8)
    return " " * column + "█" * full + (_EIGHTHS[rest] if rest else "")


def duration(nanoseconds: int) -> str:
    """A duration with three digits and its unit: ``12.3 ms``."""
    for unit, size in (("s", 1_000_000_000), ("ms", 1_000_000), ("µs", 1_000)):
        if nanoseconds >= size:
            value = nanoseconds / size
            return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
    return f"{nanoseconds} ns"
