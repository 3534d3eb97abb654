"""``start_as_current_span`` as a small class: a context manager, and a decorator, without a generator behind it."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import Span as ApiSpan
from opentelemetry.trace import Status, StatusCode
from opentelemetry.util._decorator import _AgnosticContextManager

from pea.telemetry.context import Context, Token, enter, reset, say_not_reset
from pea.telemetry.span import Span

if TYPE_CHECKING:
    from pea.telemetry.tracer import Tracer


class CurrentSpan(_AgnosticContextManager[ApiSpan]):
    """Starts a span on entry, makes it current, and ends it on exit as the API's `use_span` does.

    Decorating a function or a coroutine function is inherited from the API's type: each call gets a span of its own.
    """

    __slots__ = ("_arguments", "_span", "_token", "_tracer", "_ways")

    _tracer: Tracer
    _arguments: tuple[Any, ...]  # of Tracer.span, in its order
    _ways: tuple[bool, bool, bool]  # record an exception, set the status, end on exit
    _span: ApiSpan
    _token: Token[Context]

    def __init__(self) -> None:
        """`Tracer.start_as_current_span` fills the slots itself: a constructor call would cost as much again."""
        raise TypeError("CurrentSpan must be made by a tracer.")

    def _recreate_cm(self) -> CurrentSpan:
        entry = object.__new__(CurrentSpan)
        entry._tracer, entry._arguments, entry._ways = self._tracer, self._arguments, self._ways
        return entry

    def __enter__(self) -> ApiSpan:
        span = self._tracer.span(*self._arguments)
        if isinstance(span, Span):
            span._on_exception = self._ways
        self._span = span
        self._token = enter(span)
        return span

    def __exit__(
        self, typ: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            reset(self._token)
        except (ValueError, RuntimeError):
            say_not_reset()
        span = self._span
        try:
            # What inherits BaseException directly (GeneratorExit, CancelledError) is not an error to the API.
            if value is not None and isinstance(value, Exception) and span.is_recording():
                record, mark, _ = self._ways
                if record:
                    span.record_exception(value)
                if mark:
                    span.set_status(Status(StatusCode.ERROR, f"{type(value).__name__}: {value}"))
        finally:
            if self._ways[2]:
                span.end()
