"""What is written to the journal: plain values, applied to the tables in the order in which they were given."""

from __future__ import annotations

import enum

import msgspec

from pea.runtime.task import Task

_HEAD_BYTES = 500  # an entry's columns and its share of the indexes


class Accepted(msgspec.Struct, frozen=True):
    """A task that is about to be promised. ``span_id`` is its first span's, which later runs are linked to."""

    task: Task
    span_id: int

    @property
    def size_bytes(self) -> int:
        """About what the entry takes in memory and in the file."""
        return _HEAD_BYTES + self.task.size_bytes


class Changed(msgspec.Struct, frozen=True):
    """A task in its next state. ``released`` are steps that were taken back in good order and may be begun again."""

    task: Task
    released: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        """About what the entry takes."""
        return _HEAD_BYTES + self.task.size_bytes


class Noted(msgspec.Struct, frozen=True):
    """A task of which something became known that is not a state: a crash, one of several decisions."""

    task: Task

    @property
    def size_bytes(self) -> int:
        """About what the entry takes."""
        return _HEAD_BYTES + self.task.size_bytes


class StepState(enum.StrEnum):
    """How far a step has come."""

    BEGUN = "begun"  # it may have had effects; only steps that are not idempotent are written so
    DONE = "done"  # its result is kept
    TOO_LARGE = "too_large"  # it ended well, and its result was too large to be kept
    FAILED = "failed"  # it raised; the error is kept


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a journaled task. ``data`` is MessagePack: the result of one that is done, a TaskError if it failed.

    ``key`` is 32 hexadecimal digits made from the steps above it, the capability, its input and how many the same came
    before it; ``at`` is Unix seconds.
    """

    task: str
    key: str
    capability: str
    state: StepState
    at: float
    data: bytes = b""

    @property
    def size_bytes(self) -> int:
        """About what the entry takes."""
        return _HEAD_BYTES + len(self.data)


Entry = Accepted | Changed | Noted | Step
