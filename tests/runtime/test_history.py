"""The bounded history of tasks."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pea.errors import Conflict, TaskForgotten, UnknownTask
from pea.runtime.history import History
from pea.runtime.task import Task, TaskState


def task(number: int, created: float = 0.0, **more: object) -> Task:
    return Task(id=f"t{number}", capability="a.b", agent="a", input=msgspec.Raw(b"{}"), created=created, **more)  # type: ignore[arg-type]


def end(history: History, which: Task, at: float, result: bytes = b"1") -> Task:
    running = which.to(TaskState.RUNNING, at)
    history.replace(running)
    ended = running.to(TaskState.SUCCEEDED, at, result=msgspec.Raw(result))
    history.replace(ended)
    return ended


@given(st.lists(st.sampled_from(["add", "end", "wait"]), max_size=60), st.integers(1, 5))
def test_bounds_hold_and_nothing_unfinished_is_lost(steps: list[str], entries: int) -> None:
    """However tasks come, end and age: ended ones stay within the bounds, unended ones stay known."""
    now = 0.0
    history = History(entries, age_s=10.0, size_bytes=3_000, clock=lambda: now)
    open_tasks: list[Task] = []
    for number, step in enumerate(steps):
        if step == "add":
            open_tasks.append(task(number, now))
            history.add(open_tasks[-1])
        elif step == "end" and open_tasks:
            end(history, open_tasks.pop(0), now)
        else:
            now += 3.0
            history.evict()
        ended = history.registry.where(state=TaskState.SUCCEEDED)
        assert len(ended) <= entries
        assert sum(one.size_bytes for one in ended) == history.ended_bytes <= 3_000
        assert all(now - (one.ended or 0.0) <= 10.0 for one in ended)
        assert all(history.get(one.id) is one for one in open_tasks)


def test_evicted_task_is_told_from_one_that_never_was() -> None:
    """A late question gets "its result is gone", not "no such task"."""
    history = History(1, 1e9, 1 << 20, clock=lambda: 0.0)
    for number in range(2):
        history.add(one := task(number, number))
        end(history, one, 1.0 + number)
    with pytest.raises(TaskForgotten, match=r"t0: succeeded at 1970-01-01T00:00:01.000Z"):
        history.require("t0")
    with pytest.raises(UnknownTask):
        history.require("t9")
    assert history.require("t1").state is TaskState.SUCCEEDED


def test_fresh_results_outlast_a_crowd() -> None:
    """In its first seconds a result is not pushed out by others, within a limit; then the usual bound holds."""
    now = 0.0
    history = History(2, 1e9, 1 << 30, keep_s=60.0, clock=lambda: now)
    for number in range(20):
        history.add(one := task(number, now))
        end(history, one, now)
    assert len(history.registry) == 16
    now = 61.0
    history.evict()
    assert len(history.registry) == 2


def test_tombstones_are_bounded() -> None:
    """Even the memory of what was forgotten is bounded."""
    history = History(1, 1e9, 1 << 20, clock=lambda: 0.0)
    for number in range(50):
        history.add(one := task(number, number))
        end(history, one, float(number))
    with pytest.raises(UnknownTask):
        history.require("t0")
    with pytest.raises(TaskForgotten):
        history.require("t40")


def test_idempotency_key_lives_as_long_as_its_task() -> None:
    """A key finds its task while the history has it."""
    history = History(1, 1e9, 1 << 20, clock=lambda: 0.0)
    history.add(first := task(0, idempotency_key="k"))
    assert history.by_key("k") == first
    end(history, first, 1.0)
    history.add(second := task(1, 1.0))
    end(history, second, 2.0)
    assert history.by_key("k") is None


ENDS = (TaskState.SUCCEEDED, TaskState.FAILED, TaskState.TIMED_OUT, TaskState.CANCELLED)
WAITING = TaskState.WAITING_FOR_APPROVAL


@pytest.mark.parametrize("state", list(TaskState))
@pytest.mark.parametrize("to", list(TaskState))
def test_life_cycle(state: TaskState, to: TaskState) -> None:
    """Only the transitions of the life cycle are possible; an end is final."""
    allowed = {
        *((TaskState.QUEUED, after) for after in (TaskState.RUNNING, TaskState.TIMED_OUT, TaskState.CANCELLED)),
        *((TaskState.RUNNING, after) for after in (*ENDS, WAITING, TaskState.QUEUED)),
        *((WAITING, after) for after in (TaskState.QUEUED, TaskState.TIMED_OUT, TaskState.CANCELLED)),
    }
    one = msgspec.structs.replace(task(0), state=state)
    if (state, to) in allowed:
        changed = one.to(to, 5.0)
        assert (changed.state, changed.life) == (to, ((to, 5.0),))
        assert (changed.ended, changed.final) == ((5.0, True) if to in ENDS else (None, False))
    else:
        with pytest.raises(Conflict):
            one.to(to, 5.0)
