"""What becomes of a task whose process died: it goes on, or it is ended with what is known."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pea.errors import Interrupted
from pea.runtime.journal.entries import Step, StepState
from pea.runtime.task import Task, TaskError, TaskState

SUSPECT = 2  # a task that ran in so many crashes runs alone from then on, so that the guilty one is found


def recovered(task: Task, steps: Sequence[Step], *, resumable: bool, most_crashes: int, now: float) -> Task:
    """The task as it stands after a crash at ``now``: queued again, or failed when it must not be run again.

    A task that did not run is as it was.
    """
    if task.state is not TaskState.RUNNING:
        return task
    task = msgspec.structs.replace(task, crashes=task.crashes + 1)
    if task.crashes >= most_crashes:
        told = TaskError(
            "poisoned",
            f"the process died {task.crashes} times while it ran; it is not begun again",
            fix="the log tells why the process died; journal.crashes is how often a task is tried",
        )
        return task.to(TaskState.FAILED, now, error=told)
    if not resumable:
        return task.to(TaskState.FAILED, now, error=interrupted(task, steps))
    return task.to(TaskState.QUEUED, now)


def interrupted(task: Task, steps: Sequence[Step]) -> TaskError:
    """Why a task that is not idempotent was not run again, with what is known of it."""
    done = [step.capability for step in steps if step.state is not StepState.BEGUN]
    begun = [step.capability for step in steps if step.state is StepState.BEGUN]
    known = [f"{words}: {_names(names)}" for words, names in (("had ended", done), ("had begun", begun)) if names]
    return TaskError(
        Interrupted.code,
        "the process ended while it ran, and it is not idempotent: it was not run again"
        + (f"; {'; '.join(known)}" if known else "; none of its calls is known to have ended"),
        where=task.capability,
        fix="find out what it did, then submit what is missing",
    )


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:10])
    return shown if len(names) <= 10 else f"{shown} and {len(names) - 10} more"
