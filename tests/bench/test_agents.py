"""The agents' bench on a small office: real processes, a whole briefing, every figure there."""

from __future__ import annotations

from pea.bench.agents import agents
from pea.bench.agents_office import Size


def test_a_small_office_is_indexed_and_briefed_on():
    """Nothing is missing or pending, and each figure with a budget keeps it."""
    figures = agents(Size(mails=120, events=40, documents=12))
    assert all(figure.value > 0 for figure in figures)
    assert all(figure.passed for figure in figures if figure.budget is not None and figure.unit != "s")
