"""Memory over MCP is really stored, found and timed, by the SDK's client against a service of its own."""

from __future__ import annotations

from pea.bench.figure import Figure
from pea.bench.mcp import TARGET_MS, mcp


def test_each_operation_is_timed() -> None:
    """One figure for each tool, with the budget of the specification (row 24) and the service's share."""
    found = mcp(calls=3)
    assert [one.what for one in found if isinstance(one, Figure)] == [
        f"memory_{what} over MCP, p95" for what in ("store", "retrieve", "search")
    ]
    for one in found:
        assert isinstance(one, Figure)
        assert (one.count, one.budget) == (3, TARGET_MS)
        assert "of the service's CPU a call" in one.note
