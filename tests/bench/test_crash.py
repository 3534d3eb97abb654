"""The crash bench in small: real processes, really killed."""

from __future__ import annotations

from pea.bench.crash import crash


def test_nothing_is_lost_over_a_few_kills() -> None:
    """Whatever is killed, every promise is kept exactly once and no step that must not be is repeated."""
    figures = crash(4)
    assert [figure.what for figure in figures if figure.passed is False] == []
    accepted = next(figure for figure in figures if figure.what == "tasks accepted")
    assert accepted.value > 0
