"""What the end of a call says about whoever was called: a fault, or nothing."""

from __future__ import annotations

from pea.errors import (
    AgentUnavailable,
    CircuitOpen,
    Conflict,
    IdempotencyKeyReused,
    InputError,
    MissingExtra,
    Overloaded,
    PeaError,
    ShuttingDown,
    TaskForgotten,
    UnknownAgent,
    UnknownCapability,
    UnknownTask,
)

# The caller's own mistakes, what is said by settings or installation, and refusals that a policy further down gave:
# those must not open the breakers of everyone above.
_NO_FAULT = (
    AgentUnavailable,
    CircuitOpen,
    Conflict,
    IdempotencyKeyReused,
    InputError,
    MissingExtra,
    Overloaded,
    ShuttingDown,
    TaskForgotten,
    UnknownAgent,
    UnknownCapability,
    UnknownTask,
)
# Trying again at once would only add to what is too much already.
_REFUSED = (CircuitOpen, Overloaded)
_CALLERS_MISTAKE = (InputError, UnknownCapability, UnknownAgent, UnknownTask, TaskForgotten, IdempotencyKeyReused)


def is_fault(error: BaseException) -> bool:
    """Whether a breaker counts this end against the capability; a cancellation says nothing."""
    return isinstance(error, Exception) and not isinstance(error, _NO_FAULT)


def worth_retrying(error: Exception) -> bool:
    """Whether the same call could soon end otherwise: PEA's errors say so themselves, anything else may be passing."""
    if isinstance(error, PeaError):
        return error.retryable and not isinstance(error, _REFUSED)
    return True


def worth_a_fallback(error: Exception) -> bool:
    """Whether another answer may stand in: not where the caller must mend the question."""
    return not isinstance(error, _CALLERS_MISTAKE)
