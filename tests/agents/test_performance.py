"""The performance agent's judgement, from figures as the service gives them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from pea.agents import _performance_figures as figures
from pea.agents._performance_views import AgentState, Dashboard, Objectives
from pea.agents.performance import Performance
from tests.agents.office import SAMPLE, ask


def dashboard(*rows: dict, score: int = 100) -> Dashboard:
    tree = {
        "window_s": 300,
        "started_ms": 0.0,
        "at_ms": 1.0,
        "overview": {"requests": 9, "errors": 0, "health": {"score": score, "lowered_by": []}},
        "system": {},
        "agents": list(rows),
        "more": "than is read",
    }
    return msgspec.convert(tree, Dashboard)


def row(name: str, calls: int, mean: float, p50: float, p95: float, **cache: int) -> dict:
    times = {"p50_ms": p50, "p95_ms": p95, "p99_ms": p95, "mean_ms": mean}
    return {"name": name, "state": "ready", "window_calls": calls, "metrics": {"response": times}, "cache": cache}


def test_shares_are_calls_times_mean() -> None:
    """A slow agent that is rarely called may cost less than a quick one that is always called."""
    told = figures.agents_report(
        dashboard(row("slow", 2, 400, 380, 500), row("busy", 1_000, 2, 1, 9, l1=90, none=10)), 9
    )
    assert [one.name for one in told.agents] == ["busy", "slow"]
    assert told.agents[0].share == pytest.approx(2_000 / 2_800)
    assert told.agents[0].hit_ratio == pytest.approx(0.9)
    assert told.agents[0].saves_s == pytest.approx(0.05 * 1_000 * 8 / 1_000)
    assert told.agents[1].verdict == "slow: p95 over 300 ms"


@pytest.mark.parametrize(("score", "verdict"), [(100, "well"), (90, "well"), (89, "strained"), (59, "ill"), (0, "ill")])
def test_verdict_follows_the_score(score: int, verdict: str) -> None:
    """The lines are at 90 and 60."""
    assert figures.health_report(dashboard(score=score), ()).verdict == verdict


def test_a_budget_lasts_what_is_left_at_the_present_pace() -> None:
    """Half a budget of thirty days at three times the pace lasts five days."""
    one = {"name": "availability", "objective": "99.9%", "now": "99.8%", "met": True, "budget_left": 0.5, "burn": 3.0}
    told = figures.sla_report(msgspec.convert({"period_s": 30 * 86_400, "objectives": [one]}, Objectives))
    assert told.objectives[0].lasts_s == pytest.approx(5 * 86_400)
    assert "gone in 5 days" in told.objectives[0].advice


def test_missed_objectives_come_first_and_become_advice() -> None:
    """What is missed is named with the remedy; what cannot be judged is named as such."""
    found = [
        {"name": "p50", "objective": "100 ms", "now": "80 ms", "met": True},
        {"name": "mttr", "objective": "5 min", "now": "-", "met": None},
        {"name": "failures", "objective": "0.1%", "now": "2%", "met": False, "budget_left": -3.0, "burn": 20.0},
    ]
    objectives = msgspec.convert({"period_s": 60.0, "objectives": found}, Objectives)
    told = figures.sla_report(objectives)
    assert [one.name for one in told.objectives] == ["failures", "p50", "mttr"]
    assert told.not_measured == ("too little has happened to judge mttr",)
    advice = figures.advice(None, objectives, (AgentState(agent="travel", state="failed", problem="no table"),))
    assert [one.kind for one in advice.recommendations] == ["agent-out-of-service", "objective-missed"]


def test_without_a_service_it_says_what_is_not_measured(kept: Path) -> None:
    """In `pea run` only the agents' states are known; no figure is made up."""
    told = ask(SAMPLE, kept, Performance, "performance.health")
    assert (told.score, told.verdict, told.agents_ready, told.agents) == (None, "not measured", 1, 1)
    assert "pea tasks submit performance.health" in told.text
    assert ask(SAMPLE, kept, Performance, "performance.sla").not_measured
    assert ask(SAMPLE, kept, Performance, "performance.agents").agents == ()
