"""The bench of watching: each behaviour and each recorded process has its line, and the leak test passes them."""

from __future__ import annotations

from pea.bench.detect_leaks import HARMLESS, leaks


def test_every_harmless_behaviour_is_judged_and_none_is_a_leak() -> None:
    """Few runs of each: no false alarm, the leak found, every line with its budget."""
    figures = leaks(None, runs=8)
    assert len(figures) >= len(HARMLESS) + 1
    assert all(figure.passed for figure in figures), [figure.what for figure in figures if not figure.passed]
