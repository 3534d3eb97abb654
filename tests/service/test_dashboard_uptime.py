"""Uptime and the means between failures and to recovery, for agents and for the service itself."""

from __future__ import annotations

import pytest

from pea.runtime import AgentRecord, AgentState
from pea.service.dashboard_pulse import MAX_AGENTS
from pea.service.dashboard_uptime import UNKNOWN, UP, Standing, Uptime, system_standing
from pea.store.series import SeriesStore

READY, FAILED, STARTING = AgentState.READY, AgentState.FAILED, AgentState.STARTING
T0 = 1_800_000_000


def agent(state: AgentState, name: str = "travel") -> AgentRecord:
    return AgentRecord(name=name, type="x:X", state=state)


class Watch:
    """Looks at one agent at given seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.uptime = Uptime(lambda: self.now)

    def see(self, *steps: tuple[float, AgentState]) -> Standing:
        for at, state in steps:
            self.now = at
            self.uptime.look([agent(state)])
        return self.uptime.of("travel")


@pytest.mark.parametrize(
    ("steps", "standing"),
    [
        ([], UNKNOWN),
        ([(0, STARTING)], UNKNOWN),
        ([(0, READY)], Standing(uptime=1.0)),
        ([(0, STARTING), (1, READY), (100, READY)], Standing(uptime=1.0)),
        ([(0, READY), (60, FAILED), (80, READY), (100, READY)], Standing(0.8, 80.0, 20.0, 1)),
        ([(0, READY), (50, FAILED), (100, FAILED)], Standing(0.5, 50.0, None, 1)),  # not recovered yet
        ([(0, READY), (50, FAILED), (60, STARTING), (70, READY), (100, READY)], Standing(0.8, 80.0, 20.0, 1)),
        ([(0, FAILED), (10, FAILED)], Standing(0.0, 0.0, None, 1)),
        ([(0, READY), (10, READY), (5, FAILED)], Standing(1.0, 10.0, None, 1)),  # a clock that went back
    ],
)
def test_an_agents_standing(steps: list[tuple[float, AgentState]], standing: Standing) -> None:
    """Time out of service counts from when it was first seen out; a start is no failure, a restart is part of one."""
    assert Watch().see(*steps) == standing


def test_watched_agents_are_bounded() -> None:
    """Beyond the bound an agent is unknown."""
    uptime = Uptime(lambda: 0.0)
    uptime.look(agent(READY, f"a{number}") for number in range(MAX_AGENTS + 1))
    assert uptime.of(f"a{MAX_AGENTS - 1}") == Standing(uptime=1.0)
    assert uptime.of(f"a{MAX_AGENTS}") == UNKNOWN


def test_the_service_was_down_where_it_left_no_sample() -> None:
    """Two outages of a minute in ten minutes; one late sample is none."""
    series = SeriesStore(10)
    assert system_standing(series, T0) == UNKNOWN
    for step in range(60):
        if step not in {20, *range(30, 36), *range(40, 46)}:
            series.sample(T0 + 10 * step, {UP: 1.0})
    found = system_standing(series, T0 + 600)
    assert found == Standing(uptime=0.8, mtbf_s=240.0, mttr_s=60.0, failures=2)
