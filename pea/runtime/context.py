"""What a capability is given: calls to others, parallel calls, CPU work, the deadline, the clock, the log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

import msgspec
from opentelemetry.trace import Link, Span

from pea.cache import AgentLog, Invalidation, Namespace
from pea.config import Seconds, Settings
from pea.errors import Conflict
from pea.llm import LanguageModel
from pea.memory import AgentMemory
from pea.runtime.agreement import Agreement, Equality, Exact, Tolerance
from pea.runtime.journal.steps import SCOPE
from pea.runtime.offers import Offer
from pea.runtime.task import Approval
from pea.telemetry import Tracer

if TYPE_CHECKING:
    import aiohttp

    from pea.runtime.broadcast.fanout import Reply
    from pea.runtime.broadcast.stream import Stream
    from pea.runtime.broadcast.topics import Published, Subscription
    from pea.runtime.contract import Capability
    from pea.runtime.dispatch import Dispatcher

T = TypeVar("T")
P = ParamSpec("P")


class Outcome(msgspec.Struct, Generic[T], frozen=True):
    """How one of several parallel calls ended: ``value``, or ``error`` when it failed; ``elapsed_s`` in seconds."""

    value: T | None
    error: Exception | None
    elapsed_s: float

    @property
    def ok(self) -> bool:
        """Whether the call returned."""
        return self.error is None


class Context:
    """One call's view of the runtime. Calls made through it inherit its deadline, its cancellation and its trace."""

    __slots__ = ("__dict__", "_dispatcher", "agent", "attempt", "capability", "deadline", "keep", "task_id")

    def __init__(
        self,
        dispatcher: Dispatcher,
        agent: str,
        capability: str,
        deadline: float,
        task_id: str | None = None,
        attempt: int = 1,
    ) -> None:
        self._dispatcher = dispatcher
        self.agent = agent
        self.capability = capability
        self.deadline = deadline  # of the event loop's clock, in seconds
        self.task_id = task_id
        self.attempt = attempt
        self.keep = True

    async def call(self, capability: str, /, **arguments: Any) -> Any:
        """Call another agent's capability and return its result.

        Raises UnknownCapability, InputError, AgentUnavailable, DeadlineExceeded, OutputError, or what the capability
        itself raised at its last attempt.
        """
        scope = None if self.task_id is None else SCOPE.get()
        if scope is None:
            return await self._dispatcher.call(capability, arguments, deadline=self.deadline, task_id=self.task_id)
        call = partial(self._dispatcher.call, capability, arguments, deadline=self.deadline, task_id=self.task_id)
        return await scope.call(capability, arguments, self.attempt, call)

    async def gather(self, **calls: Coroutine[Any, Any, T]) -> dict[str, Outcome[T]]:
        """Run calls in parallel and return how each ended, under its name; a failed one leaves the others alone.

        ``parts = await ctx.gather(day=ctx.call("calendar.agenda"), mail=ctx.call("communication.triage"))``. When
        this call is cancelled or its deadline passes, all of them are cancelled and waited for.
        """
        async with asyncio.TaskGroup() as group:
            tasks = {name: group.create_task(_outcome(call), name=name) for name, call in calls.items()}
        return {name: task.result() for name, task in tasks.items()}

    async def agree(
        self,
        voters: str | Sequence[str],
        arguments: Mapping[str, Any] | None = None,
        *,
        faults: int | None = None,
        tolerance: float = 0.0,
        relative: float = 0.0,
        by: Callable[[Any], Any] | None = None,
    ) -> Agreement[Any]:
        """Ask several at once, and take the answer that enough of them give; who differs is told with it.

        ``voters`` is a capability, which all replicas of its agent are asked for, or several capabilities of
        independent agents. Of n voters ``faults`` may lie, crash or hang without changing the answer: the most that
        n >= 3 * faults + 1 allows when not given, and then at least one. Answers are equal to the last byte; given
        ``tolerance`` or ``relative`` they are numbers at most so far apart, and their median is the answer. ``by``
        picks the part of an answer that is voted on.

        Nothing was decided? Then the `Agreement` says so, and who said what; its ``require()`` raises `Disagreement`.
        Raises Conflict for too few voters or for what is not idempotent, UnknownCapability, or AgentUnavailable when
        no replica is in service.
        """
        equality: Equality = Tolerance(tolerance, relative) if tolerance or relative else Exact()
        return await self._dispatcher.panels.agree(
            voters, arguments or {}, self.deadline, self.task_id, faults=faults, equality=equality, by=by
        )

    def stream(self, capability: str, /, **arguments: Any) -> Stream[Any]:
        """The items of a capability that streams, as they come: ``async for item in ctx.stream("mail.watch")``.

        At most 16 are produced ahead of being taken. Each item has the capability's timeout, all of them this call's
        deadline. Raises as `call` does, and Conflict for what does not stream.
        """
        return self._dispatcher.streams.open(capability, arguments, self.deadline)

    def broadcast(
        self,
        peers: str | Sequence[str],
        arguments: Mapping[str, Any] | Sequence[Mapping[str, Any]] = {},
        *,
        reply_timeout: str | float | None = None,
        fresh: bool = False,
    ) -> Stream[Reply]:
        """Ask many at once: ``async for reply in ctx.broadcast("*.status")``, in the order in which replies come.

        ``peers`` are capabilities, or a pattern of their names. Those that stream give a reply for each item, the
        others one. ``arguments`` may be a list of messages; each is put to every peer. A reply that does not come
        within ``reply_timeout`` (1 s) is an error, and leaves the others alone. Replies of what is idempotent are kept
        for ``runtime.broadcast.cached_age`` (5 s), or until an event; ``fresh`` asks anew.
        """
        messages = [arguments] if isinstance(arguments, Mapping) else list(arguments)
        limit_s = None if reply_timeout is None else float(Seconds.parse(reply_timeout))
        return self._dispatcher.fanout.ask(peers, messages, self.deadline, reply_timeout_s=limit_s, fresh=fresh)

    async def publish(self, topic: str, value: Any) -> Published:
        """Give ``value`` to all who subscribed to ``topic``; returns when each has room for it, or has missed it."""
        return await self._dispatcher.topics.publish(topic, value, self.agent, self.remaining_s)

    def subscribe(self, pattern: str, room: int = 100) -> Subscription:
        """Messages of the topics that match, from now on, ``room`` of them waiting at most.

        ``async with ctx.subscribe("calendar.*") as messages: async for message in messages: ...``
        """
        return self._dispatcher.topics.subscribe(pattern, room)

    async def approve(self, summary: str, details: Any = None) -> Approval:
        """Go on only once a person has approved what ``summary`` says; ``details`` (JSON) are shown with it.

        The task is taken back until then, over restarts, and is begun anew: its calls that have ended are answered
        from the journal, and this returns the approval. Its ``key`` is the idempotency key of the action. Raises
        Rejected, or Conflict in a task that is not in a journal, or outside of one.
        """
        scope = None if self.task_id is None else SCOPE.get()
        if scope is None:
            raise Conflict(
                "nobody can be asked for approval here",
                where=self.capability,
                fix="submit it to a service: pea tasks submit",
            )
        return await scope.approve(summary, details, self.attempt)

    async def compute(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a plain function off the event loop, inside this trace, and return its result.

        A function marked with `isolated` runs in a worker process: it keeps no other from working, and it is killed
        when this call's deadline or its own timeout passes. Any other runs in a thread: waiting for files overlaps, and
        the loop keeps answering while Python code runs; once begun it cannot be interrupted, and its result is dropped.
        """
        result: T = await self._dispatcher.compute(function, args, kwargs)
        return result

    def within(self, limit: str | float) -> Context:
        """The same context with a nearer deadline: ``await ctx.within("800ms").call(...)``. Never extends it."""
        nearer = min(self.deadline, self._dispatcher.clock() + Seconds.parse(limit))
        return Context(self._dispatcher, self.agent, self.capability, nearer, self.task_id, self.attempt)

    def until(self, deadline: float) -> Context:
        """The same context for work that several callers share, with the latest of their deadlines."""
        return Context(self._dispatcher, self.agent, self.capability, deadline, None, self.attempt)

    def linked(self, name: str, attributes: Mapping[str, Any], links: Sequence[Link]) -> AbstractContextManager[Span]:
        """A span of the runtime's own for such work."""
        return self._dispatcher.linked(name, attributes, links)

    def step(self, name: str, attributes: Mapping[str, Any] | None = None) -> AbstractContextManager[Span]:
        """A span around a named piece of this capability's work, as ``with ctx.step("calendars.read"): ...``."""
        return self._dispatcher.step(self.agent, name, attributes)

    @property
    def http(self) -> aiohttp.ClientSession:
        """The fleet's HTTP session, pooled and traced: ``async with ctx.http.get(url) as answer``; never close it."""
        return self._dispatcher.http.session()

    @property
    def cache(self) -> Namespace[Any]:
        """This agent's own cache in memory, for pieces of its work: ``await ctx.cache.get_or_compute(key, compute)``.

        Its entries are named ``agent:key``; see `pea.cache.Namespace`.
        """
        return self._dispatcher.caches.namespace(self.agent, owner=self.agent, portable=False)

    @property
    def store(self) -> AgentLog:
        """This agent's activity log: ``await ctx.store.append("mail.sent", to=3)``; see `pea.cache.AgentLog`."""
        return AgentLog(self._dispatcher.caches.activity, self.agent, self.capability)

    @property
    def llm(self) -> LanguageModel:
        """The language model, if one is configured (``ctx.llm.on``); see `pea.llm`."""
        return self._dispatcher.llm

    @property
    def memory(self) -> AgentMemory:
        """What this agent remembers over restarts: ``await ctx.memory.store(key, value)``; see `pea.memory`."""
        return AgentMemory(
            self._dispatcher.memories, self.agent, partial(self._dispatcher.step, self.agent, attributes=None)
        )

    def offer(self, capabilities: Sequence[Capability]) -> None:
        """Offer these as well from now on, in place of what this agent offered so before: tools of another server."""
        self._dispatcher.offer(self.agent, capabilities)

    @property
    def tracer(self) -> Tracer:
        """Makes spans that a step cannot say: of calls to other programs."""
        return self._dispatcher.tracer

    @property
    def offers(self) -> tuple[Offer, ...]:
        """What all agents offer, by name: what `call` can be given."""
        return self._dispatcher.offers()

    async def emit(self, event: str, **variables: str) -> Invalidation:
        """Tell what happened (``"meeting-created"``): what the rules call stale then leaves every tier and process.

        It is written into the activity log as well.
        """
        await self.store.append(event, **variables)
        self._dispatcher.fanout.forget()
        return await self._dispatcher.caches.emit(event, **variables)

    async def insight(self, what: str) -> Any:
        """PEA's own figures as plain values, or None where nobody measures them.

        ``health`` is known wherever agents run: each agent's state. ``dashboard`` and ``sla`` are what the service
        answers at ``/v1/dashboard`` and ``/v1/sla``; in a process without the service they are None.
        """
        source = self._dispatcher.insights.get(what)
        return None if source is None else msgspec.json.decode(msgspec.json.encode(await source()))

    def incomplete(self) -> None:
        """Say that this answer is not all there is (time ran out): it is given, and not kept in the cache."""
        self.keep = False

    @property
    def remaining_s(self) -> float:
        """Seconds until the deadline; infinite when there is none, negative when it has passed."""
        return self.deadline - self._dispatcher.clock()

    @property
    def settings(self) -> Settings:
        """The configuration."""
        return self._dispatcher.settings

    def now(self) -> datetime:
        """The present in the user's time zone, or the day and time that ``--today`` pins."""
        return self._dispatcher.settings.now()

    @cached_property
    def log(self) -> Any:
        """A structlog logger that names the agent and the capability; lines carry trace and span ids."""
        return self._dispatcher.logger.bind(agent=self.agent, capability=self.capability)


async def _outcome(call: Coroutine[Any, Any, T]) -> Outcome[T]:
    started = time.monotonic()
    try:
        value = await call
    except Exception as error:  # noqa: BLE001 - how a part failed is this call's answer
        return Outcome(None, error, time.monotonic() - started)
    return Outcome(value, None, time.monotonic() - started)
