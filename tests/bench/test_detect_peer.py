"""Prometheus' own engine finds the same fault from the same calls, and PEA is not behind it."""

from __future__ import annotations

import pytest

from pea.bench.detect import rules, scenario
from pea.bench.detect_faults import fault
from pea.bench.detect_peer import promtool, time_to_alert


@pytest.mark.service
@pytest.mark.skipif(promtool() is None, reason="promtool is not installed (Debian's prometheus)")
def test_prometheus_finds_a_burst_of_errors_and_not_sooner() -> None:
    """Both fire for the agent that fails; PEA within `for` and one interval."""
    given, sure = fault("error burst", 0), rules()
    theirs, ours = time_to_alert(given, sure), scenario(given, sure, cause=False).took_s
    assert theirs is not None
    assert ours is not None
    assert ours <= min(theirs, 40.0)


def test_without_spans_there_is_nothing_to_compare() -> None:
    """Faults of samples alone have no peer."""
    assert time_to_alert(fault("leak", 0), rules()) is None
