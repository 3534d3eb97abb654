"""The one seam for calls between agents: routed by capability, checked, bounded in time, retried, each attempt a span.

What a call carries (deadline, task, trace context) is in its arguments and the OpenTelemetry context, never in shared
state, so that a transport to other machines can take this module's place.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from opentelemetry.trace import Link, Span

from pea.cache import Caches
from pea.config import Settings
from pea.errors import PeaError
from pea.llm import LanguageModel
from pea.memory import Memories
from pea.runtime.agreement.panel import Panels
from pea.runtime.broadcast.fanout import Fanout
from pea.runtime.broadcast.stream import Streams
from pea.runtime.broadcast.topics import Topics
from pea.runtime.contract import Capability
from pea.runtime.deadline import DeadlineTable
from pea.runtime.directory import Directory
from pea.runtime.http import HttpPool
from pea.runtime.offers import Offer, offers
from pea.runtime.policy.balance import Load
from pea.runtime.policy.breaker import BreakerView
from pea.runtime.policy.route import Guards, Route
from pea.runtime.workers import Workers
from pea.runtime.workers.isolated import mark_of
from pea.telemetry import Tracer, get_logger, names
from pea.telemetry.thread_use import ThreadUse
from pea.version import __version__

_STEP = names.SPAN_STEP + " "
_WORKER = names.SPAN_WORKER + " "
_THREADS = "pea-compute"

Insight = Callable[[], Awaitable[Any]]


class Dispatcher:
    """Makes the calls of one event loop."""

    def __init__(
        self,
        settings: Settings,
        directory: Directory,
        tracer: Tracer,
        get_tracer: Callable[[str, str], Tracer] | None = None,
    ) -> None:
        """``get_tracer`` gives the tracer of a scope's name and version, for spans that end in worker processes."""
        self.settings = settings
        self.caches = Caches(settings, tracer)
        # Whose answers these are: a cache on disk or in Redis outlives the configuration, and the code.
        self.world = f"{__version__}|{settings.workspace}|{settings.user!r}|{settings.zone}"
        state = settings.state
        self.llm = LanguageModel(
            settings.llm, state, tracer, lambda: settings.now().date(), lambda: self.caches.namespace("llm")
        )
        self.memories = Memories(Path(state) / "memory.sqlite" if state else None, settings.memory)
        self.logger = get_logger("pea.agents")
        self._directory = directory
        self._tracer = tracer
        self._routes: dict[str, Route] = {}
        self._offered: tuple[tuple[Capability, ...], tuple[Offer, ...]] = ((), ())
        self._loop = asyncio.get_running_loop()
        self._deadlines = DeadlineTable(self._loop)
        # The selector loop's clock is `time.monotonic` behind one more call; uvloop's is its own.
        plain = type(self._loop).time is asyncio.BaseEventLoop.time
        self.clock: Callable[[], float] = time.monotonic if plain else self._loop.time
        self.guards = Guards(settings.runtime)
        self.panels = Panels(self, directory, self.guards, tracer, self._deadlines, settings.runtime)
        self.streams = Streams(self, directory, tracer, self._deadlines)
        self.fanout = Fanout(self, directory, self.streams, tracer, settings.runtime.broadcast)
        self.topics = Topics(tracer, settings.runtime.broadcast)
        self.http = HttpPool(settings.runtime.http, tracer)
        self.workers = Workers(settings.runtime.workers, tracer, get_tracer or (lambda _name, _version: tracer))
        self._threads = ThreadPoolExecutor(settings.runtime.threads, thread_name_prefix=_THREADS)
        self.insights: Mapping[str, Insight] = {}  # what `Context.insight` can be asked, filled by who measures it
        self.infect: Callable[[Capability], Capability] | None = None  # faults put in on purpose: `pea serve --chaos`

    def call(
        self, name: str, arguments: Mapping[str, Any], *, deadline: float, task_id: str | None = None
    ) -> Coroutine[Any, Any, Any]:
        """Call a capability; awaited, the call's checked result. `Context.call` says what it raises."""
        route = self._routes.get(name)
        if route is None:
            return self.call_at(name, arguments, deadline, task_id)
        return route.call(arguments, deadline, task_id)

    async def call_at(self, name: str, arguments: Mapping[str, Any], deadline: float, task_id: str | None) -> Any:
        """The same where the way is not known yet."""
        route = self._routes.get(name) or self._route(name)
        return await route.call(arguments, deadline, task_id)

    async def compute(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Run a function under a span: in a worker process if it is marked so, else in a thread, in this context."""
        name = f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', type(function).__name__)}"
        mark = mark_of(function)
        if mark is not None:
            return await self.workers.run(function, mark, args, kwargs, name)
        with self._tracer.span(_WORKER + name, {names.PEA_WORKER_FUNCTION: name}) as span:
            context, use = contextvars.copy_context(), ThreadUse()
            try:
                return await self._loop.run_in_executor(self._threads, _run_in, context, use, function, args, kwargs)
            finally:
                span.set_attributes(use.attributes(names.PEA_WORKER_CPU, names.PEA_WORKER_FILE_OPERATIONS))

    def step(self, agent: str, name: str, attributes: Mapping[str, Any] | None) -> AbstractContextManager[Span]:
        """A span for a named piece of an agent's work."""
        own = {names.PEA_STEP_NAME: name, names.GEN_AI_AGENT_NAME: agent}
        return self._tracer.span(_STEP + name, {**own, **attributes} if attributes else own)

    def offer(self, agent: str, capabilities: Sequence[Capability]) -> None:
        """Have an agent offer these besides what its class declares."""
        self._directory.offer(agent, capabilities)
        self.forget_routes()

    @property
    def tracer(self) -> Tracer:
        """What makes the runtime's spans."""
        return self._tracer

    def offers(self) -> tuple[Offer, ...]:
        """What the agents offer; made anew when there are other capabilities than the last time."""
        known = tuple(self._directory.capabilities.values())
        if known != self._offered[0]:
            self._offered = (known, offers(self._directory.capabilities))
        return self._offered[1]

    def linked(self, name: str, attributes: Mapping[str, Any], links: Sequence[Link]) -> AbstractContextManager[Span]:
        """A span for work that several calls share, linked to theirs."""
        return self._tracer.span(name, attributes, links=links)

    def forget_routes(self) -> None:
        """Look every capability up anew; called when an agent's state changes."""
        self._routes.clear()
        self.panels.forget()

    async def aclose(self) -> None:
        """End the worker processes, close the caches, then the rest."""
        self.topics.close()
        await self.http.aclose()
        await self.workers.close()
        await self.llm.aclose()
        await self.caches.aclose()
        await self.memories.aclose()
        self.close()

    def close(self) -> None:
        """Stop sweeping deadlines and let the threads end; functions that are running are not waited for."""
        self._deadlines.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _route(self, name: str) -> Route:
        try:
            found = self._directory.replicas(name)
        except PeaError:
            # The refusal is part of the trace, under the agent's name as far as it is known.
            owner = _owner(self._directory, name)
            attributes = {names.GEN_AI_OPERATION_NAME: "invoke_agent", names.GEN_AI_AGENT_NAME: owner}
            with self._tracer.span(f"{names.SPAN_INVOKE_AGENT} {owner}", attributes):
                raise
        infect = self.infect
        replicas = [(number, one if infect is None else infect(one)) for number, one in found]
        route = Route(replicas, self, self.guards, self._tracer, self._deadlines, self.clock)
        route.call = self.panels.guarded(route.capability, route.call)
        self._routes[name] = route
        return route

    def breakers(self, agent: str | None = None) -> list[BreakerView]:
        """The circuit breakers of what has been called, of one agent or of all."""
        return self.guards.views(self.clock(), agent)

    def loads(self) -> dict[str, tuple[Load, ...]]:
        """How the replicas of what has been called stand, by capability; only where there are several."""
        return {name: loads for name, route in self._routes.items() if (loads := route.loads)}


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
    context: contextvars.Context,
    use: ThreadUse,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Any:
    try:
        with use:
            return context.run(function, *args, **kwargs)
    except StopIteration as error:  # a future refuses to carry it, and its waiter would wait for ever
        raise RuntimeError("the function raised StopIteration") from error
