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
    Rejected,
    ShuttingDown,
    TaskForgotten,
    UnknownAgent,
    UnknownCapability,
    UnknownTask,
)

_CALLERS_MISTAKE = (IdempotencyKeyReused, InputError, TaskForgotten, UnknownAgent, UnknownCapability, UnknownTask)
# Besides: what is said by settings, installation or a person, and refusals that a policy further down gave: those must
# not open the breakers of everyone above.
_NO_FAULT = (
    *_CALLERS_MISTAKE,
    AgentUnavailable,
    CircuitOpen,
    Conflict,
    MissingExtra,
    Overloaded,
    Rejected,
    ShuttingDown,
)
# Trying again at once would only add to what is too much already.
_REFUSED = (CircuitOpen, Overloaded)


def is_fault(error: BaseException) -> bool:
    """Whether a breaker counts this end against the capability; a cancellation says nothing."""
    return isinstance(error, Exception) and not isinstance(error, _NO_FAULT)


def worth_retrying(error: Exception) -> bool:
    """Whether the same call could soon end otherwise: PEA's errors say so themselves, anything else may be passing."""
    if isinstance(error, PeaError):
        return error.retryable and not isinstance(error, _REFUSED)
    return True


def worth_a_fallback(error: Exception) -> bool:
    """Whether another answer may stand in: not where the caller must mend the question, or a person said no."""
    return not isinstance(error, (*_CALLERS_MISTAKE, Rejected))
