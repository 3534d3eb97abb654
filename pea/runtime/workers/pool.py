"""The pool of worker processes, on pebble: jobs with a deadline and a memory limit, replaced processes, one trace.

Nothing is started before the first job. A job that its caller cancels, or that is late, has its process killed; pebble
starts another. Processes are forked from a server that was started clean, never from this one with its threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import pickle
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as LateError
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import SpanContext, TraceFlags

from pea.config.workers import WorkerSettings
from pea.errors import InputError, Overloaded, ShuttingDown, WorkerFailed
from pea.runtime.workers.isolated import Isolated
from pea.runtime.workers.quarantine import CRASHES, Quarantine
from pea.telemetry import ActiveSpan, Tracer, UnrecordedSpan, get_logger, names

if TYPE_CHECKING:
    from pebble import ProcessPool

    from pea.runtime.workers.child import Report

TRIES = 3  # for a job whose process ended before it had begun

log = get_logger("pea.workers")


class Workers:
    """The worker processes of one runtime. ``get_tracer`` gives the tracers that the jobs' own spans end on."""

    def __init__(self, settings: WorkerSettings, tracer: Tracer, get_tracer: Callable[[str, str], Any]) -> None:
        self._settings = settings
        self._tracer = tracer
        self._get_tracer = get_tracer
        self._starting: asyncio.Task[ProcessPool] | None = None
        self._closed = False
        self.quarantine = Quarantine(float(settings.quarantine))
        self.jobs = 0  # under way or waiting
        self.killed = 0  # processes that ended in the middle of a job

    @property
    def started(self) -> bool:
        """Whether there are processes."""
        return self._pool is not None

    async def run(
        self, function: Callable[..., Any], mark: Isolated, args: Sequence[Any], kwargs: Mapping[str, Any], name: str
    ) -> Any:
        """Run ``function`` in a worker process, under a span called after ``name``, and return what it returns.

        Raises what it raised; InputError when the arguments cannot cross; Overloaded when too many jobs wait;
        WorkerFailed when it took too long, its process died, or it is quarantined for having killed two.
        """
        with self._tracer.span(f"{names.SPAN_WORKER} {name}", {names.PEA_WORKER_FUNCTION: name}) as span:
            job = _packed(function, args, kwargs, name)
            digest = hashlib.blake2b(job, digest_size=16).digest()
            held_s = self.quarantine.holds(digest)
            if held_s:
                what = f"with this input it has killed {CRASHES} processes"
                raise WorkerFailed(what, where=name, fix=f"it is quarantined for another {held_s:.0f} s")
            settings = self._settings
            if self.jobs >= settings.processes + settings.queue:
                fix = "raise runtime.workers.queue or runtime.workers.processes"
                raise Overloaded(f"{self.jobs} jobs are running or waiting", retry_after_s=1.0, where=name, fix=fix)
            timeout_s = float(settings.timeout) if mark.timeout_s is None else mark.timeout_s
            self.jobs += 1
            try:
                report = await self._report(job, digest, timeout_s, span, name)
            finally:
                self.jobs -= 1
            return self._answer(report, span, name)

    async def close(self) -> None:
        """Kill the processes; jobs under way are lost."""
        self._closed = True
        if self._starting is not None:
            await asyncio.wait([self._starting])
        pool, self._starting = self._pool, None
        if pool is not None:
            await _aside(lambda: _end(pool))

    @property
    def _pool(self) -> ProcessPool | None:
        """The pool, once its start has succeeded."""
        starting = self._starting
        return starting.result() if starting is not None and starting.done() and not starting.exception() else None

    async def _report(
        self, job: bytes, digest: bytes, timeout_s: float, span: ActiveSpan | UnrecordedSpan, name: str
    ) -> Report:
        from pebble import ProcessExpired

        from pea.runtime.workers import child

        above: SpanContext = span.get_span_context()
        for left in reversed(range(TRIES)):
            pool = await self._started()
            try:
                future = pool.schedule(
                    child.run, (job, above.trace_id, above.span_id, int(above.trace_flags)), timeout=timeout_s
                )
                report: Report = await asyncio.wrap_future(future)
            except LateError:
                self.killed += 1
                fix = "give it a longer timeout with @isolated(timeout=...), or less to do"
                raise WorkerFailed(
                    f"did not end within {timeout_s:.3g} s and was killed", where=name, fix=fix
                ) from None
            except ProcessExpired as expired:
                if expired.exitcode == child.WORN_OUT and left:
                    continue
                self.killed += 1
                raise self._crash(digest, expired.exitcode, name) from None
            except RuntimeError as error:  # BrokenProcessPool, or a pool that is stopped
                # A process that had no job was killed from outside, and pebble gives up the whole pool.
                await self._replace(pool)
                if not left or self._closed:
                    fix = "a script that starts PEA needs `if __name__ == '__main__':` around what it does"
                    raise WorkerFailed(f"the worker processes do not start: {error}", where=name, fix=fix) from error
            else:
                return report
        raise WorkerFailed("its process ended before it began, three times", where=name)

    def _crash(self, digest: bytes, code: int | None, name: str) -> WorkerFailed:
        from pea.runtime.workers.child import TOO_LARGE

        count = self.quarantine.crashed(digest)
        limit = self._settings.memory
        what = f"used more than {limit:,} bytes and was killed" if code == TOO_LARGE else _death(code)
        after = "; with this input it is quarantined now" if count >= CRASHES else ""
        log.error("a worker process died", function=name, reason=what, crashes=count)
        return WorkerFailed(what + after, where=name)

    def _answer(self, report: Report, span: ActiveSpan | UnrecordedSpan, name: str) -> Any:
        from pea.runtime.workers.spans import join

        span.set_attributes({names.PROCESS_PID: report.pid, **report.used})
        if report.spans:
            left_out = join(report.spans, self._get_tracer, TraceFlags(span.get_span_context().trace_flags))
            if left_out:
                log.warning("a job had too many spans", function=name, left_out=left_out)
        answer = pickle.loads(report.answer)  # noqa: S301 - written by a process of ours, see pea.runtime.workers.child
        if answer.told is not None:
            kind, message = answer.told
            raise WorkerFailed(f"raised {kind}: {message}", where=name)
        if answer.error is not None:
            raise answer.error
        return answer.value

    async def _started(self) -> ProcessPool:
        """The pool. Its start is not one job's: who is cancelled meanwhile leaves the processes to the next."""
        if self._closed:
            raise ShuttingDown("PEA is shutting down and takes no new jobs")
        if self._starting is None or (self._starting.done() and self._pool is None):
            self._starting = asyncio.get_running_loop().create_task(_aside(self._start), name="pea-workers")
        return await asyncio.shield(self._starting)

    def _start(self) -> ProcessPool:
        import multiprocessing

        from pebble import ProcessPool

        from pea.runtime.workers import child

        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([child.__name__])
        settings = self._settings
        pool = ProcessPool(
            settings.processes,
            settings.jobs,
            initializer=child.prepare,
            initargs=(int(settings.memory),),
            context=context,
        )
        pool.schedule(int).result()  # this starts the processes, which takes a while
        return pool

    async def _replace(self, broken: ProcessPool) -> None:
        if self._pool is broken:
            self._starting = None
            log.error("the worker processes are replaced")
            await _aside(lambda: _end(broken))


def _packed(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], name: str) -> bytes:
    if getattr(function, "__module__", "") == "__main__":
        fix = "move it into a module, or leave out @isolated"
        raise InputError("stands in the main script, where a worker process cannot find it", where=name, fix=fix)
    try:
        return pickle.dumps((function, tuple(args), dict(kwargs)), protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        fix = "give it plain values: numbers, texts, paths, structs"
        raise InputError(f"an argument cannot go to another process: {error}", where=name, fix=fix) from error


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        return f"its process was killed by signal {-code}"
    return f"its process ended with exit code {code}"


def _end(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    with contextlib.suppress(RuntimeError, OSError):  # a pool that is broken already has nothing left to end
        pool.join()


async def _aside(work: Callable[[], Any]) -> Any:
    """Wait for work in a thread of its own: starting and ending processes blocks."""
    executor = ThreadPoolExecutor(1, thread_name_prefix="pea-workers")
    try:
        return await asyncio.get_running_loop().run_in_executor(executor, work)
    finally:
        executor.shutdown(wait=False)
