"""``start_as_current_span`` as a small class: a context manager, and a decorator, without a generator behind it."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import Span as ApiSpan
from opentelemetry.trace import Status, StatusCode
from opentelemetry.util._decorator import _AgnosticContextManager

from pea.telemetry.context import Context, Token, attach, current, detach, holding

if TYPE_CHECKING:
    from pea.telemetry.tracer import Tracer


class CurrentSpan(_AgnosticContextManager[ApiSpan]):
    """Starts a span on entry, makes it current, and ends it on exit as the API's `use_span` does.

    Decorating a function or a coroutine function is inherited from the API's type: each call gets a span of its own.
    """

    __slots__ = ("_arguments", "_mark", "_record", "_span", "_stop", "_token", "_tracer")

    _span: ApiSpan
    _token: Token[Context]

    def __init__(self, tracer: Tracer, arguments: tuple[Any, ...], record: bool, mark: bool, stop: bool) -> None:  # noqa: FBT001
        self._tracer = tracer
        self._arguments = arguments
        self._record = record
        self._mark = mark
        self._stop = stop

    def _recreate_cm(self) -> CurrentSpan:
        return CurrentSpan(self._tracer, self._arguments, self._record, self._mark, self._stop)

    def __enter__(self) -> ApiSpan:
        span = self._span = self._tracer.start_span(*self._arguments)
        self._token = attach(holding(span, current()))
        return span

    def __exit__(
        self, typ: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        detach(self._token)
        span = self._span
        try:
            # What inherits BaseException directly (GeneratorExit, CancelledError) is not an error to the API.
            if isinstance(value, Exception) and span.is_recording():
                if self._record:
                    span.record_exception(value)
                if self._mark:
                    span.set_status(Status(StatusCode.ERROR, f"{type(value).__name__}: {value}"))
        finally:
            if self._stop:
                span.end()
