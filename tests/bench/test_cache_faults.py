"""Redis pulled under load: what the bench does really happens, and its figures say what it saw."""

import shutil

import pytest

from pea.bench.cache_faults import figures, pulled

pytestmark = pytest.mark.service


async def test_a_redis_that_hangs_and_dies_fails_no_call():
    """Stopped, killed and started again under load: every call is answered, and Redis is used again by itself."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    phases, failed, recovered_s = await pulled(0.4)
    assert failed == 0
    assert recovered_s < float("inf")
    assert all(len(took) > 8 for took in phases.values())


def test_figures_compare_with_the_first_phase():
    """A rise beyond the tier's budget of 5 ms misses it, one below does not, and a failed call always does."""
    well, slower, slow = [0.001] * 40, [0.004] * 40, [0.007] * 40
    found = {one.what: one for one in figures({"well": well, "frozen": slower, "killed": slow, "back": well}, 1, 2.0)}
    assert found["rise of p95, Redis hung (SIGSTOP)"].value == pytest.approx(3.0)
    assert found["rise of p95, Redis hung (SIGSTOP)"].passed is True
    assert found["rise of p95, Redis dead (SIGKILL)"].passed is False
    assert found["calls that failed while Redis hung, died and came back"].passed is False
