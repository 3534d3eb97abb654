"""Spans with chosen times and places, for tests with a clock of their own."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from pea.telemetry import names
from pea.telemetry.record import ERROR, Origin, SpanRecord

PEA = Origin("pea", scope="pea")
NOW_S = 1_800_000_000.0

MakeCall = Callable[..., SpanRecord]


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: float = NOW_S) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> float:
        self.now += seconds
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def call() -> MakeCall:
    """Makes finished calls to agents: ``call(at_s, seconds, agent=…, failed=…)``."""
    ids = count(1)

    def make(
        at_s: float,
        seconds: float = 0.1,
        agent: str = "travel",
        capability: str = "travel.plan",
        *,
        failed: bool = False,
        **more: Any,
    ) -> SpanRecord:
        number = next(ids)
        about = {names.GEN_AI_AGENT_NAME: agent, names.PEA_CAPABILITY: capability}
        if failed:
            about[names.ERROR_TYPE] = "deadline_exceeded"
        about.update(more.pop("attributes", {}))
        end_ns = round(at_s * 1e9)
        return SpanRecord(
            trace_id=number,
            span_id=number,
            name=f"invoke_agent {agent}",
            start_ns=end_ns - round(seconds * 1e9),
            end_ns=end_ns,
            status=ERROR if failed else 0,
            attributes=about,
            origin=more.pop("origin", PEA),
            **more,
        )

    return make
