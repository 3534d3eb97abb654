"""How a runner ended, as a task's final state."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from pea.errors import DeadlineExceeded, InputError, OutputError
from pea.runtime.active import Active
from pea.runtime.task import TaskError, TaskState


def verdict(active: Active, runner: asyncio.Task[Any]) -> tuple[TaskState, TaskError | None, bytes | None]:
    """The final state, the error if there is one, and the result as JSON."""
    if runner.cancelled():
        return TaskState.CANCELLED, TaskError("cancelled", _cancel_reason(runner)), None
    error = runner.exception()
    if error is None:
        active.value = runner.result()
        try:
            return TaskState.SUCCEEDED, None, encode(active.value)
        except InputError as unfit:
            error = OutputError(f"its result {unfit.what}")
    if active.span is not None:
        active.span.record_exception(error)
    state = TaskState.TIMED_OUT if isinstance(error, DeadlineExceeded) else TaskState.FAILED
    return state, TaskError.of(error), None


def encode(value: Any) -> bytes:
    """A value as JSON; InputError when it cannot be."""
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"cannot be written as JSON: {error}", where="input") from error


def _cancel_reason(runner: asyncio.Task[Any]) -> str:
    try:
        runner.result()
    except asyncio.CancelledError as error:
        return str(error.args[0]) if error.args and error.args[0] else "cancelled"
    return "cancelled"
