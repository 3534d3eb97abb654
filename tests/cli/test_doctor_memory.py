"""What the doctor says of memory."""

from __future__ import annotations

import msgspec
import pytest

from pea.cli.doctor_memory import memory
from pea.config import Bytes
from pea.config.pressure import PressureSettings
from pea.config.sections import Settings
from pea.runtime.pressure import MOST, Pressure
from pea.telemetry import Telemetry


@pytest.mark.parametrize(
    ("looks", "verdict", "words"),
    [
        (0, "ok", "nothing has to give way"),
        (1, "note", "caches at 50%, histories at 100%"),
        (MOST, "note", "tasks of priority low, normal, high are refused"),
    ],
)
def test_what_gives_way_is_said(looks: int, verdict: str, words: str) -> None:
    """In words, with what to do."""
    own = PressureSettings(steady=Bytes(10), peak=Bytes(20))
    pressure = Pressure(own, lambda: 100, Telemetry(Settings()).tracer)
    for _ in range(looks):
        pressure.look()
    found = memory({"pressure": msgspec.to_builtins(pressure.state())})
    assert found.verdict == verdict
    assert words in found.detail


@pytest.mark.parametrize("answer", [None, [], {}, {"pressure": None}])
def test_another_version_says_nothing(answer: object) -> None:
    """A service that does not tell is no reason to fail."""
    assert memory(answer).verdict == "note"
