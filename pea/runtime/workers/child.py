"""What runs in a worker process: one job at a time, its spans noted, its memory watched.

Jobs and answers cross as bytes, pickled by PEA's own processes for each other; nothing from outside is ever unpickled.
An answer or an exception that cannot be pickled is found out here, where it harms one job and not the pool.
"""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import psutil
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from pea.errors import said
from pea.runtime.workers.spans import ChildSpan, pack
from pea.telemetry import names
from pea.telemetry.provider import TracerProvider
from pea.telemetry.span import Span
from pea.telemetry.thread_use import ThreadUse

WORN_OUT = 76  # exit code: what earlier jobs left behind was too much to begin another
TOO_LARGE = 77  # exit code: the job used more memory than it may
WORN_SHARE = 0.5  # of the limit
LOOK_S = 0.05

_state: dict[str, Any] = {}


class Answer(NamedTuple):
    """How a job ended: ``value``, or ``error``, or the ``told`` type and message of one that cannot cross."""

    value: Any = None
    error: Exception | None = None
    told: tuple[str, str] | None = None


class Report(NamedTuple):
    """What comes back: the answer, pickled, where and from when to when it ran, the spans of its own, what it used."""

    answer: bytes
    pid: int
    began_ns: int
    ended_ns: int
    spans: list[ChildSpan]
    used: dict[str, float]


def prepare(memory: int) -> None:
    """Begin a process: spans are noted for the parent, and the parent's end is this one's."""
    provider = TracerProvider(shutdown_on_exit=False)
    trace.set_tracer_provider(provider)
    process, busy = psutil.Process(), threading.Event()
    _state.update(provider=provider, memory=memory, process=process, busy=busy)
    if memory:
        threading.Thread(target=_watch, args=(process, memory, busy), daemon=True, name="pea-memory").start()
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True, name="pea-parent").start()


def run(job: bytes, trace_id: int, span_id: int, flags: int) -> Report:
    """Do a job under a span of the parent's."""
    provider, memory, process = _state["provider"], _state["memory"], _state["process"]
    if memory and process.memory_info().rss > WORN_SHARE * memory:
        os._exit(WORN_OUT)
    provider.buffer.take()
    busy: threading.Event = _state["busy"]
    busy.set()
    parent = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
    token = otel_context.attach(set_span_in_context(NonRecordingSpan(parent)))
    began_ns = time.time_ns()
    try:
        with ThreadUse() as use:
            answer = _packed(_do(job))
    finally:
        busy.clear()
        otel_context.detach(token)
    spans = [pack(span) for span in provider.buffer.take() if isinstance(span, Span)]
    used = use.attributes(names.PEA_WORKER_CPU, names.PEA_WORKER_FILE_OPERATIONS)
    return Report(answer, os.getpid(), began_ns, time.time_ns(), spans, used)


def _do(job: bytes) -> Answer:
    try:
        function, args, kwargs = pickle.loads(job)  # noqa: S301 - written by the parent process, see above
        return Answer(function(*args, **kwargs))
    except Exception as error:  # noqa: BLE001 - whatever the job raises is its answer
        return Answer(error=error)
    except BaseException as error:  # noqa: BLE001 - sys.exit here ends no process there
        return Answer(told=(type(error).__name__, said(error)))


def _packed(answer: Answer) -> bytes:
    try:
        data = pickle.dumps(answer, protocol=pickle.HIGHEST_PROTOCOL)
        if answer.error is not None:
            pickle.loads(data)  # noqa: S301 - an exception may pickle and yet not come back
        return data
    except Exception as error:  # noqa: BLE001 - pickling runs others' code
        about = answer.error if answer.error is not None else error
        message = said(about)
        what = message if answer.error is not None else f"its result cannot be pickled: {message}"
        return pickle.dumps(Answer(told=(type(about).__name__, what)))


def _watch(process: psutil.Process, memory: int, busy: threading.Event) -> None:
    """End the process when a job outgrows its limit; a job may hold the interpreter for long, but not for ever."""
    while busy.wait():
        time.sleep(LOOK_S)
        if busy.is_set() and process.memory_info().rss > memory:
            os._exit(TOO_LARGE)


def _end_with(parent: int, alive: Callable[[], int] = os.getppid) -> None:
    while alive() == parent:
        time.sleep(1.0)
    os._exit(0)
