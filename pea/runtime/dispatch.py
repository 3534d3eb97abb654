"""The one seam for calls between agents: routed by capability, checked, bounded in time, retried, each attempt a span.

What a call carries (deadline, task, trace context) is in its arguments and the OpenTelemetry context, never in shared
state, so that a transport to other machines can take this module's place.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import msgspec
from opentelemetry.trace import Link, Span

from pea.cache import Caches, Namespace
from pea.config import RuntimeSettings, Settings
from pea.errors import DeadlineExceeded, PeaError
from pea.runtime.context import Context
from pea.runtime.contract import Capability
from pea.runtime.deadline import DeadlineTable, Expired
from pea.runtime.directory import Directory
from pea.runtime.retry import backoff_s, worth_retrying
from pea.telemetry import Tracer, get_logger, names
from pea.version import __version__

_STEP = names.SPAN_STEP + " "
_WORKER = names.SPAN_WORKER + " "
_THREADS = "pea-compute"


class Route:
    """How calls to one capability are made: what is the same for each of them, worked out once."""

    __slots__ = ("attributes", "capability", "results", "retries", "span_name", "timeout_s")

    def __init__(self, capability: Capability, settings: RuntimeSettings, caches: Caches) -> None:
        declared = capability.declared
        self.capability = capability
        self.timeout_s = float(settings.timeout) if declared.timeout_s is None else declared.timeout_s
        wanted = settings.retries if declared.retries is None else declared.retries
        self.retries = wanted if declared.idempotent else 0
        self.results: Namespace[Any] | None = None
        if declared.cache_s is not None:
            self.results = caches.namespace(
                capability.name.replace(".", ":"),
                owner=capability.agent,
                type=capability.output_type,
                ttl_s=declared.cache_s,
            )
        self.span_name = f"{names.SPAN_INVOKE_AGENT} {capability.agent}"
        self.attributes: dict[str, Any] = {
            names.GEN_AI_OPERATION_NAME: "invoke_agent",
            names.GEN_AI_AGENT_NAME: capability.agent,
            names.PEA_CAPABILITY: capability.name,
            names.PEA_ATTEMPT: 1,
        }


class Dispatcher:
    """Makes the calls of one event loop."""

    def __init__(self, settings: Settings, directory: Directory, tracer: Tracer) -> None:
        self.settings = settings
        self.caches = Caches(settings, tracer)
        # Whose answers these are: a cache on disk or in Redis outlives the configuration, and the code.
        self._world = f"{__version__}|{settings.workspace}|{settings.user!r}|{settings.zone}"
        self.logger = get_logger("pea.agents")
        self._directory = directory
        self._tracer = tracer
        self._routes: dict[str, Route] = {}
        self._loop = asyncio.get_running_loop()
        self._deadlines = DeadlineTable(self._loop)
        self.clock: Callable[[], float] = self._loop.time
        self._threads = ThreadPoolExecutor(settings.runtime.threads, thread_name_prefix=_THREADS)
        self.infect: Callable[[Capability], Capability] | None = None  # faults put in on purpose: `pea serve --chaos`

    async def call(
        self, name: str, arguments: Mapping[str, Any], *, deadline: float, task_id: str | None = None
    ) -> Any:
        """Call a capability and return its checked result; `Context.call` says what it raises."""
        route = self._routes.get(name)
        if route is None:
            route = self._route(name)
        if not route.retries:
            return await self._attempt(route, arguments, deadline, task_id, 1, ())
        failed: list[Link] = []
        for attempt in range(1, route.retries + 1):
            try:
                return await self._attempt(route, arguments, deadline, task_id, attempt, failed)
            except Exception as error:
                pause = backoff_s(attempt, self.settings.runtime.retry_base, self.settings.runtime.retry_cap)
                if not worth_retrying(error) or self.clock() + pause >= deadline:
                    raise
            await asyncio.sleep(pause)
        return await self._attempt(route, arguments, deadline, task_id, route.retries + 1, failed)

    async def _attempt(
        self,
        route: Route,
        arguments: Mapping[str, Any],
        deadline: float,
        task_id: str | None,
        attempt: int,
        failed: Sequence[Link],
    ) -> Any:
        """One attempt, a span that links to the ``failed`` ones before it; a failure adds itself to a list of them."""
        attributes = route.attributes
        if attempt > 1:
            attributes = {**attributes, names.PEA_ATTEMPT: attempt}
        with self._tracer.span(route.span_name, attributes, links=failed) as span:
            try:
                return await self._bounded(route, arguments, deadline, task_id, attempt)
            except Exception:  # whatever an agent raises, the next attempt links to this one
                if isinstance(failed, list):
                    failed.append(Link(span.get_span_context()))
                raise

    async def _bounded(
        self, route: Route, arguments: Mapping[str, Any], deadline: float, task_id: str | None, attempt: int
    ) -> Any:
        """Check the input, run the capability within its time, check the result."""
        capability = route.capability
        bound = capability.bind(arguments)
        now = self.clock()
        own = now + route.timeout_s
        limit = own if own < deadline else deadline
        if limit <= now:
            raise DeadlineExceeded("its deadline had passed before it began", where=capability.name)
        ctx = Context(self, capability.agent, capability.name, limit, task_id, attempt)
        try:
            with self._deadlines.scope(limit):
                if route.results is not None:
                    return await self._cached(route, route.results, ctx, bound)
                return capability.check(await capability.invoke(ctx, bound))
        except Expired:
            whose = "its timeout of" if own <= deadline else "the deadline it inherited, with"
            raise DeadlineExceeded(f"did not end within {whose} {limit - now:.3g} s", where=capability.name) from None

    async def _cached(self, route: Route, results: Namespace[Any], ctx: Context, bound: msgspec.Struct) -> Any:
        """The kept result for this input and version, or one computed for all who ask now.

        The computation has the capability's whole timeout: it is not one caller's, so neither is its deadline.
        """
        capability = route.capability

        kept = True

        async def compute() -> Any:
            nonlocal kept
            limit = self.clock() + route.timeout_s
            own = Context(self, ctx.agent, ctx.capability, limit, ctx.task_id, ctx.attempt)
            try:
                with self._deadlines.scope(limit):
                    result = capability.check(await capability.invoke(own, bound))
            except Expired:
                what = f"did not end within its timeout of {route.timeout_s:.3g} s"
                raise DeadlineExceeded(what, where=capability.name) from None
            kept = own.keep
            return result

        version = f"{self._world}|{ctx.now().date()}|{await capability.cache_version(ctx)}"
        key = capability.cache_key(bound, version)
        result = await results.get_or_compute(key, compute, tags=capability.cache_tags(bound))
        if not kept:
            await results.invalidate(key)
        return result

    async def compute(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Run a function in a thread, under a span, in this context."""
        name = f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', type(function).__name__)}"
        with self._tracer.span(_WORKER + name, {names.PEA_WORKER_FUNCTION: name}):
            context = contextvars.copy_context()
            return await self._loop.run_in_executor(self._threads, _run_in, context, function, args, kwargs)

    def step(self, agent: str, name: str, attributes: Mapping[str, Any] | None) -> AbstractContextManager[Span]:
        """A span for a named piece of an agent's work."""
        own = {names.PEA_STEP_NAME: name, names.GEN_AI_AGENT_NAME: agent}
        return self._tracer.span(_STEP + name, {**own, **attributes} if attributes else own)

    def forget_routes(self) -> None:
        """Look every capability up anew; called when an agent's state changes."""
        self._routes.clear()

    async def aclose(self) -> None:
        """Close the caches, then the rest."""
        await self.caches.aclose()
        self.close()

    def close(self) -> None:
        """Stop sweeping deadlines and let the threads end; functions that are running are not waited for."""
        self._deadlines.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _route(self, name: str) -> Route:
        try:
            capability = self._directory.capability(name)
        except PeaError:
            # The refusal is part of the trace, under the agent's name as far as it is known.
            owner = _owner(self._directory, name)
            attributes = {names.GEN_AI_OPERATION_NAME: "invoke_agent", names.GEN_AI_AGENT_NAME: owner}
            with self._tracer.span(f"{names.SPAN_INVOKE_AGENT} {owner}", attributes):
                raise
        if self.infect is not None:
            capability = self.infect(capability)
        route = self._routes[name] = Route(capability, self.settings.runtime, self.caches)
        return route


def still_computing(wait_s: float = 0.0) -> int:
    """How many threads of `compute` have not ended ``wait_s`` seconds from now, in the whole process.

    After `Dispatcher.close` these are functions that nobody waits for any more, and that cannot be interrupted.
    """
    until = time.monotonic() + wait_s
    threads = [thread for thread in threading.enumerate() if thread.name.startswith(_THREADS)]
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0.0))
    return sum(thread.is_alive() for thread in threads)


def _owner(directory: Directory, name: str) -> str:
    owner = name.partition(".")[0]
    return owner if owner in directory.records else "unknown"


def _run_in(
    context: contextvars.Context, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    try:
        return context.run(function, *args, **kwargs)
    except StopIteration as error:  # a future refuses to carry it, and its waiter would wait for ever
        raise RuntimeError("the function raised StopIteration") from error
