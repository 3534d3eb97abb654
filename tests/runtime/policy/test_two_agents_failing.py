"""Two agents of the real fleet failing: the rest is served, the answer names what is missing, breakers open."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from pea import Runtime
from pea.config import Seconds, load
from pea.config.policies import BreakerPolicy, Policy
from pea.runtime.policy import BreakerState

pytest.importorskip("icalendar", reason="the fleet needs pea[assistant]")

SAMPLE = Path(__file__).resolve().parents[3] / "examples" / "workspace" / "pea.yaml"
FAULTS = ("error:travel=100%", "error:communication=100%")


async def test_the_rest_is_served_and_the_failed_parts_are_named(tmp_path: Path) -> None:
    """Every briefing succeeds without mail and travel and says so; soon the two are not even asked any more."""
    settings = load(SAMPLE, environ={}, overrides={"state": str(tmp_path), "runtime.retry_base": 0})
    patient = {"*": Policy(breaker=BreakerPolicy(min_calls=5, window=Seconds(3_600), open_for=Seconds(3_600)))}
    chaos = msgspec.structs.replace(settings.runtime, chaos=FAULTS, policies=patient)
    async with Runtime(msgspec.structs.replace(settings, runtime=chaos)) as runtime:
        for _ in range(12):
            task, briefing = await runtime.scheduler.run("briefing.morning", {})
            assert task.state == "succeeded"
            named = " ".join(missing.part for missing in briefing.missing).lower()
            assert "mail" in named
            assert "travel" in named
        states = {view.capability: view.state for view in runtime.dispatcher.breakers()}
        assert states["communication.triage"] is BreakerState.OPEN
        assert states["travel.itinerary"] is BreakerState.OPEN
        assert states["briefing.morning"] is BreakerState.CLOSED
        assert states["calendar.agenda"] is BreakerState.CLOSED
        asked = [view.refused for view in runtime.dispatcher.breakers("travel")]
        assert sum(asked) > 0
