"""Spans of PEA's own runtime: the span itself is the with-block in which it is current."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from opentelemetry.trace import NonRecordingSpan, Status, StatusCode
from opentelemetry.util.types import AnyValue

from pea.errors import said
from pea.telemetry.context import Context, Token, enter, reset, say_not_reset
from pea.telemetry.names import ERROR_TYPE
from pea.telemetry.span import Span, type_name

_log = logging.getLogger(__name__)

CANCELLED = "cancelled"


class ActiveSpan(Span):
    """A span that is current while its with-block runs, and ends with it.

    An exception that leaves the block sets status ERROR, ``error.type`` and an exception event. Cancellation is not
    a failure of the work: it only sets ``error.type`` to ``cancelled``. A generator that is closed says nothing.
    """

    __slots__ = ("_token",)

    _token: Token[Context]

    def __enter__(self) -> Self:
        self._token = enter(self)
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        try:
            reset(self._token)
        except (ValueError, RuntimeError):
            say_not_reset()
        del self._token  # it holds the former context, hence the parent span
        if self.end_time is None:
            if exc_val is not None:
                fail(self, exc_val)
            self.end()


class UnrecordedSpan(NonRecordingSpan):
    """What stands for an `ActiveSpan` that the sampler dropped: current in its block, so that its children are too."""

    _token: Token[Context]

    def __enter__(self) -> Self:
        self._token = enter(self)
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        try:
            reset(self._token)
        except (ValueError, RuntimeError):
            say_not_reset()
        del self._token

    def leaf(self, name: str, start_ns: int, end_ns: int, attributes: Mapping[str, AnyValue] | None = None) -> None:
        """Nothing: a leaf goes where its parent goes."""


def fail(span: Span, exception: BaseException) -> None:
    """Write down that ``exception`` ended the span's work; never raises, so that it cannot hide the exception."""
    try:
        if isinstance(exception, Exception):
            code = getattr(type(exception), "code", None)
            span.set_attribute(ERROR_TYPE, code if isinstance(code, str) and code else type_name(exception))
            span.record_exception(exception, escaped=True)
            span.set_status(Status(StatusCode.ERROR, f"{type(exception).__name__}: {said(exception)}"))
        elif isinstance(exception, asyncio.CancelledError):
            span.set_attribute(ERROR_TYPE, CANCELLED)
    except Exception:  # noqa: BLE001  an exception may be anything
        span.set_status(StatusCode.ERROR, type(exception).__name__)
        _log.exception("An exception could not be described")
