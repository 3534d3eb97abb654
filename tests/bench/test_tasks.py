"""The validation suite in small: every figure that it is asked for comes out of real tasks, and none fails."""

import pytest

from pea.bench import tasks
from pea.bench.measure import Absent


@pytest.fixture(scope="module")
def found():
    """Two starts, a few tasks, all agents of the installation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "ROUNDS", 2)
        patch.setattr(tasks, "CRISES", tasks.CRISES[:1])
        return tasks.tasks(initialisations=2, many=16, at_once=(1, 4))


def test_every_part_has_its_figure(found):
    """Starts, tasks alone and together, a briefing, health, memory, a crisis: measured, not absent."""
    assert not [one for one in found if isinstance(one, Absent)]
    said = {one.what.strip() for one in found}
    assert {
        "initialisation of all agents: average",
        "an agent's own start, the slowest",
        "16 tasks, one after another: average",
        "executive task of several agents, p50",
        "1 at a time: average",
        "4 at once: average",
        "health check of an agent, p99",
        "agents' memory: search, p99",
        "crisis response, the slowest",
    } <= said


def test_no_task_fails(found):
    """What is measured is work that succeeded."""
    (failed,) = [one for one in found if one.what.strip() == "failed"]
    assert (failed.value, failed.passed) == (0.0, True)
    together = [one for one in found if one.what.endswith("4 at once: average")]
    assert all(one.note.endswith(", 0 failed") for one in together)
