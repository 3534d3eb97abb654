"""Recommendations: from a pattern in the figures, with its evidence; none without one."""

import pytest

from pea.watch.recommend import AgentPattern, SystemPattern, recommend

CALM = SystemPattern(memory_bytes=1e8, memory_growth_per_hour=1e6, concurrency=64, tiers={"l1": 95, "none": 5})
WELL = AgentPattern(name="mail", calls=100, errors=0, p50_s=0.02, p95_s=0.03, variability=0.2)


def test_nothing_to_do():
    """Figures within their bounds call for nothing."""
    assert recommend(CALM, [WELL]) == []


@pytest.mark.parametrize(
    ("system", "kind", "evidence"),
    [
        (SystemPattern(memory_bytes=1e8, memory_growth_per_hour=1.1e7), "memory-cleanup", "by 11% an hour"),
        (SystemPattern(queued=65, running=64, concurrency=64), "concurrency", "65 tasks wait"),
        (SystemPattern(tiers={"l1": 50, "none": 50}), "cache-misses", "50% of 100 lookups hit"),
        (SystemPattern(stalls=(("a.py:3 f", 0.2), ("a.py:3 f", 0.4))), "blocked-loop", "2 times, at worst 400 ms"),
        (SystemPattern(spans_dropped=3), "spans-dropped", "3 spans"),
    ],
)
def test_the_system(system, kind, evidence):
    """Each pattern of the process has its own advice, with the figures that it rests on."""
    (found,) = recommend(system, [])
    assert found.kind == kind
    assert evidence in found.evidence
    assert found.effect


@pytest.mark.parametrize(
    ("agent", "kind", "evidence"),
    [
        (
            AgentPattern(name="a", calls=100, errors=6, error_types={"timeout": 6}, failed="f"),
            "errors",
            "mostly timeout",
        ),
        (AgentPattern(name="a", calls=50, errors=0, p50_s=0.1, p95_s=0.5, variability=0.6), "queueing", "vary by 0.60"),
        (AgentPattern(name="a", calls=50, errors=0, p50_s=0.5, p95_s=0.6, variability=0.1), "slow-agent", "500 ms"),
    ],
)
def test_an_agent(agent, kind, evidence):
    """Each pattern of an agent names it, and says what the figures are."""
    (found,) = recommend(CALM, [agent])
    assert (found.kind, found.subject) == (kind, "a")
    assert evidence in found.evidence


def test_few_calls_say_nothing():
    """Nineteen calls are too few to judge an agent by."""
    assert recommend(CALM, [AgentPattern(name="a", calls=19, errors=19, p50_s=9.0, p95_s=9.0, variability=9.0)]) == []


def test_the_most_pressing_first():
    """High before medium before low."""
    agents = [
        AgentPattern(name="varied", calls=50, errors=0, p50_s=0.02, p95_s=0.2, variability=0.9),
        AgentPattern(name="failing", calls=50, errors=50),
        AgentPattern(name="slow", calls=50, errors=0, p50_s=0.5, p95_s=0.6, variability=0.1),
    ]
    assert [one.priority for one in recommend(CALM, agents)] == ["high", "medium", "low"]
