"""A tier's breaker: opens after failures in a row, probes once a pause, forgets at the first success."""

from pea.cache.breaker import FAILURES, FIRST_PAUSE_S, Breaker
from tests.cache.conftest import Clock


def test_a_burst_opens_for_one_pause_only():
    """Failures that were under way together open it once: the pause grows by failed probes, not by the burst."""
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(50):
        breaker.failed("slow")
    assert breaker.open
    assert not breaker.admits()
    clock.turn(FIRST_PAUSE_S)
    assert breaker.admits()
    assert not breaker.admits()  # one probe at a time
    breaker.failed("slow")
    clock.turn(FIRST_PAUSE_S)
    assert not breaker.admits()
    clock.turn(FIRST_PAUSE_S)
    assert breaker.admits()
    breaker.succeeded()
    assert breaker.admits()
    assert not breaker.open
    assert breaker.faults == 51


def test_a_success_in_between_keeps_it_closed():
    """Only failures in a row count."""
    breaker = Breaker(Clock())
    for _ in range(3 * FAILURES):
        breaker.failed("slow")
        breaker.succeeded()
    assert breaker.admits()
