"""Everything PEA can refuse or fail with; each message says what, where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class PeaError(Exception):
    """The parent of PEA's own errors.

    ``what`` says what went wrong, ``where`` names the place (a file and line, a field, an agent) and ``fix`` what
    to do about it. ``code`` is a stable word: it is the span's ``error.type`` and the last part of the problem
    type in an HTTP answer. ``retryable`` says whether the same call may succeed later without a change.
    """

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        self.what = sayable(str(what))
        self.where = None if where is None else sayable(str(where))
        self.fix = None if fix is None else sayable(str(fix))
        super().__init__(self.what)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text} ({self.fix})" if self.fix else text


def sayable(text: str) -> str:
    """The text as UTF-8 can carry it: the names of files, and so what errors quote, need not be UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def said(error: BaseException) -> str:
    """What an exception says; of one whose own ``__str__`` fails, that it does."""
    try:
        return sayable(str(error))
    except Exception as broken:  # noqa: BLE001  an agent's exception may be anything
        return f"it cannot say what is wrong: {type(broken).__name__}"


class ConfigError(PeaError):
    """A setting is unknown, of the wrong type or out of range."""

    code = "config"


class InputError(PeaError):
    """A capability was called with input that does not fit its types; ``where`` is the field."""

    code = "invalid_input"


class OutputError(PeaError):
    """A capability returned something that does not fit the type it declares; the agent's author must mend it."""

    code = "invalid_output"


class UnknownCapability(PeaError):
    """No agent offers this capability; the fix names the nearest one that exists."""

    code = "unknown_capability"


class UnknownAgent(PeaError):
    """No agent of this name is installed."""

    code = "unknown_agent"


class UnknownTask(PeaError):
    """No task has this id."""

    code = "unknown_task"


class TaskForgotten(PeaError):
    """The task ended and its result has left the bounded history."""

    code = "task_forgotten"


class AgentUnavailable(PeaError):
    """The agent exists but did not start, or has stopped."""

    code = "agent_unavailable"
    retryable = True


class DeadlineExceeded(PeaError):
    """The call's timeout, or the deadline it inherited, passed before it ended."""

    code = "deadline_exceeded"
    retryable = True


class Overloaded(PeaError):
    """The queue is full; ``retry_after_s`` is when to try again."""

    code = "overloaded"
    retryable = True

    def __init__(self, what: str, *, retry_after_s: float, where: str | None = None, fix: str | None = None) -> None:
        super().__init__(what, where=where, fix=fix)
        self.retry_after_s = retry_after_s


class CircuitOpen(PeaError):
    """The capability keeps failing and is left alone for a while; ``retry_after_s`` is when it is tried again."""

    code = "circuit_open"
    retryable = True

    def __init__(self, what: str, *, retry_after_s: float, where: str | None = None, fix: str | None = None) -> None:
        super().__init__(what, where=where, fix=fix)
        self.retry_after_s = retry_after_s


class WorkerFailed(PeaError):
    """A job in a worker process was ended: it took too long, its process died, or it has been quarantined."""

    code = "worker_failed"


class ShuttingDown(PeaError):
    """The runtime is stopping and takes no new work."""

    code = "shutting_down"


class Conflict(PeaError):
    """The request contradicts how things stand: a task that has ended cannot be cancelled."""

    code = "conflict"


class WorkspaceError(PeaError):
    """The workspace folder itself cannot be used (one unreadable file in it is reported, not raised)."""

    code = "workspace"


class IdempotencyKeyReused(PeaError):
    """An idempotency key came again with another capability or other input."""

    code = "idempotency_key_reused"


class JournalUnavailable(PeaError):
    """Nothing can be promised now: the journal cannot be written. What was accepted before is not lost."""

    code = "journal_unavailable"
    retryable = True


class Interrupted(PeaError):
    """The process ended while this ran. It is not idempotent, so it was not run again; what it did is not known."""

    code = "interrupted"


class Rejected(PeaError):
    """A person was asked whether this may be done, and said no."""

    code = "rejected"


class Disagreement(PeaError):
    """Too few of the voters that were asked say the same; the message tells who said what."""

    code = "disagreement"


class MissingExtra(PeaError):
    """An optional dependency is not installed; the fix names the extra to install."""

    code = "missing_extra"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that ``word`` was probably meant to be, or None when nothing is close."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A fix for an unknown word: the nearest known one, else the list of them, else None."""
    words = sorted(known)
    near = nearest(word, words)
    if near is not None:
        return f"did you mean {near!r}?"
    if not words:
        return None
    shown = ", ".join(words[:20]) + (", …" if len(words) > 20 else "")
    return f"known: {shown}"
