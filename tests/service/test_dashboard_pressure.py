"""What the page says while memory is short."""

from __future__ import annotations

import pytest

from pea import Runtime, Settings
from pea.config import Bytes, RuntimeSettings
from pea.config.pressure import PressureSettings
from pea.service.dashboard_pressure import short_of_memory
from pea.watch.health import Signs, health


@pytest.mark.parametrize(
    ("squeezed", "refused", "score"),
    [(False, (), 100), (True, (), 95), (True, ("low",), 90), (True, ("low", "normal"), 80)],
)
def test_giving_way_lowers_health(squeezed: bool, refused: tuple[str, ...], score: int) -> None:
    """A little while caches give way, more while tasks are refused; and it says why."""
    found = health(Signs(agents=1, squeezed=squeezed, refused=refused))
    assert found.score == score
    assert all("memory is short" in one.reason for one in found.lowered_by)


async def test_a_recommendation_says_what_gives_way() -> None:
    """Nothing when all is well; what is held and who is refused when it is not."""
    own = PressureSettings(on=False, steady=Bytes(1), peak=Bytes(2))
    async with Runtime(Settings(runtime=RuntimeSettings(pressure=own)), agents=[]) as runtime:
        assert list(short_of_memory(runtime)) == []
        assert runtime.pressure is not None
        runtime.pressure.look()
        (first,) = short_of_memory(runtime)
        assert (first.priority, "caches hold 50%" in first.evidence) == ("medium", True)
        for _ in range(8):
            runtime.pressure.look()
        (last,) = short_of_memory(runtime)
        assert last.priority == "high"
        assert "low, normal, high are refused" in last.evidence
