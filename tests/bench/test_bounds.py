"""The suite that fills what the report bounds."""

from __future__ import annotations

from pea.bench.bounds import bounds


def test_nothing_holds_more_than_the_report_allows():
    """Each structure, as it is by default, stays within its bound when it is given three times as much."""
    found = bounds()
    assert len(found) == 8
    assert [(figure.what, figure.value) for figure in found if not figure.passed] == []
