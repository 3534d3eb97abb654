"""The current span: attach and detach through the OpenTelemetry API's own runtime context, by the shortest way.

Whatever PEA makes current is current for every instrumented library, and the other way round: there is one context.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import Token

from opentelemetry import context as api
from opentelemetry.context.context import Context
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext
from opentelemetry.trace.propagation import _SPAN_KEY as SPAN_KEY

__all__ = ["SPAN_KEY", "Context", "Token", "attach", "current", "enter", "reset", "say_not_reset"]

_log = logging.getLogger(__name__)

# The API's default runtime context is one context variable: bound here, two calls per operation are saved.
# A runtime context chosen by OTEL_PYTHON_CONTEXT is used as it is.
_runtime = api._RUNTIME_CONTEXT
_variable = getattr(_runtime, "_current_context", None) if type(_runtime) is ContextVarsRuntimeContext else None

current: Callable[[], Context] = _runtime.get_current if _variable is None else _variable.get
attach: Callable[[Context], Token[Context]] = _runtime.attach if _variable is None else _variable.set
reset: Callable[[Token[Context]], None] = _runtime.detach if _variable is None else _variable.reset


def say_not_reset() -> None:
    """Log what `reset` raised: a foreign context (a generator closed elsewhere) has no former value to restore."""
    _log.exception("Failed to detach context")


def enter(span: object) -> Token[Context]:
    """Make ``span`` current."""
    context = current()
    if len(context) < 2 and (not context or SPAN_KEY in context):  # nothing else to carry
        return attach(Context({SPAN_KEY: span}))
    return attach(Context({**context, SPAN_KEY: span}))
