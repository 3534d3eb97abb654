"""One attempt of a call: a span, the breaker's leave, checked input, the capability within its time, checked output.

What most calls pay is written out in one coroutine: an await between two of ours costs as much as the breaker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import msgspec
from opentelemetry.trace import Link

from pea.cache import Namespace
from pea.errors import DeadlineExceeded
from pea.runtime.context import Context
from pea.runtime.contract import Capability
from pea.runtime.cut_off import contained
from pea.runtime.deadline import DeadlineTable, Expired, Scope
from pea.runtime.policy.breaker import CLOSED, Breaker
from pea.runtime.policy.gates import Gates
from pea.runtime.policy.outcome import is_fault
from pea.telemetry import ActiveSpan, Tracer, UnrecordedSpan, names

if TYPE_CHECKING:
    from pea.runtime.dispatch import Dispatcher

# A deadline inherited says little about the callee when it left it less than this share of its own timeout.
FAIR_SHARE = 0.1

#: Where a computation that will be cached notes that a part of it was stood in for.
stand_ins: ContextVar[list[str] | None] = ContextVar("pea_stand_ins", default=None)


class Lane:
    """The way to one instance of one capability."""

    __slots__ = (
        "_agent",
        "_attributes",
        "_bind",
        "_check",
        "_clock",
        "_deadlines",
        "_dispatcher",
        "_gates",
        "_hedged",
        "_invoke",
        "_name",
        "_plain",
        "_results",
        "_slow_s",
        "_span",
        "_span_name",
        "_used",
        "breaker",
        "capability",
        "timeout_s",
    )

    def __init__(
        self,
        capability: Capability,
        dispatcher: Dispatcher,
        tracer: Tracer,
        deadlines: DeadlineTable,
        clock: Callable[[], float],
        *,
        timeout_s: float,
        breaker: Breaker,
        gates: Gates | None,
        results: Namespace[Any] | None,
        used: dict[str, None] | None = None,
        hedged: bool = False,
        replica: int | None = None,
    ) -> None:
        self.capability = capability
        self.timeout_s = timeout_s
        self.breaker = breaker
        self._dispatcher = dispatcher
        self._span = tracer.span
        self._deadlines = deadlines
        self._clock = clock
        self._gates = gates
        self._results, self._used = results, used
        self._plain = gates is None and results is None
        self._hedged = hedged
        self._agent = capability.agent
        self._name = capability.name
        self._bind = capability.bind
        self._check = capability.check
        self._invoke = capability.invoke
        self._slow_s = float(breaker.policy.slow_after)
        self._span_name = f"{names.SPAN_INVOKE_AGENT} {capability.agent}"
        self._attributes: dict[str, Any] = {
            names.GEN_AI_OPERATION_NAME: "invoke_agent",
            names.GEN_AI_AGENT_NAME: capability.agent,
            names.PEA_CAPABILITY: capability.name,
            names.PEA_ATTEMPT: 1,
        }
        if replica is not None:
            self._attributes[names.PEA_REPLICA] = replica

    async def attempt(
        self,
        arguments: Mapping[str, Any],
        deadline: float,
        task_id: str | None,
        number: int = 1,
        links: Sequence[Link] = (),
        hedge: bool = False,  # noqa: FBT001, FBT002 - keywords cost time here
    ) -> Any:
        """Attempt ``number``, linked to the spans before it; a failure adds itself to ``links`` if that is a list.

        On a hedged route it adds itself as it begins, for the other of the pair.
        """
        attributes = self._attributes
        if number > 1 or hedge:
            attributes = {**attributes, names.PEA_ATTEMPT: number, names.PEA_HEDGE: hedge}
        with self._span(self._span_name, attributes, links=links) as span:
            if self._hedged:
                _note(span, links)
            breaker = self.breaker
            now = self._clock()
            if breaker.state is not CLOSED:
                breaker.admit(now)
            generation = breaker.generation
            try:
                bound = self._bind(arguments)
                limit = now + self.timeout_s
                if deadline < limit:
                    limit = deadline
                    if limit <= now:
                        raise DeadlineExceeded("its deadline had passed before it began", where=self._name)
                ctx = Context(self._dispatcher, self._agent, self._name, limit, task_id, number)
                with Scope(self._deadlines, limit):
                    if self._plain:
                        result = self._check(await self._invoke(ctx, bound))
                    else:
                        result = await self._gated(ctx, bound, now)
            except BaseException as error:  # cancelled or not, the breaker is told: a probe's place is given back
                if not self._hedged:
                    _note(span, links)
                told = self._ended_badly(breaker, generation, error, now, deadline)
                if told is error:
                    raise
                raise told from None
            if now >= breaker.turn:
                breaker.roll(now)
            if self._slow_s or breaker.state is not CLOSED:
                self._ended_well(breaker, generation, now)
            else:
                breaker.ok += 1
            return result

    def _ended_well(self, breaker: Breaker, generation: int, began: float) -> None:
        now = self._clock()
        if self._slow_s and now - began > self._slow_s:
            breaker.slow(generation, now)
        else:
            breaker.succeeded(generation, now)

    def _ended_badly(
        self, breaker: Breaker, generation: int, error: BaseException, now: float, deadline: float
    ) -> BaseException:
        """Tell the breaker; what the caller is told."""
        if isinstance(error, Expired):
            return self._late(breaker, generation, now, deadline)
        error = contained(error, self._name)
        hasty = isinstance(error, DeadlineExceeded) and deadline - now < FAIR_SHARE * self.timeout_s
        if is_fault(error) and not hasty:
            breaker.failed(generation, self._clock())
        else:
            breaker.ignored(generation)
        return error

    def _late(self, breaker: Breaker, generation: int, began: float, deadline: float) -> DeadlineExceeded:
        given_s = deadline - began
        if given_s >= FAIR_SHARE * self.timeout_s:
            breaker.failed(generation, self._clock())
        else:
            breaker.ignored(generation)
        whose = "its timeout of" if self.timeout_s <= given_s else "the deadline it inherited, with"
        return DeadlineExceeded(f"did not end within {whose} {min(self.timeout_s, given_s):.3g} s", where=self._name)

    async def _gated(self, ctx: Context, bound: msgspec.Struct, now: float) -> Any:
        """The answer once rate limit and bulkhead let the call in; what is in the cache waits as well."""
        gates = self._gates
        if gates is not None:
            await gates.enter(now)
        try:
            if self._results is not None:
                return await self._cached(self._results, ctx, bound)
            return self._check(await self._invoke(ctx, bound))
        finally:
            if gates is not None:
                gates.leave()

    async def _cached(self, results: Namespace[Any], ctx: Context, bound: msgspec.Struct) -> Any:
        """The kept result for this input and version, or one computed for all who ask now.

        The computation has the capability's whole timeout: it is not one caller's, so neither is its deadline.
        """
        capability = self.capability
        kept = True

        async def compute() -> Any:
            nonlocal kept
            limit = self._clock() + self.timeout_s
            own = Context(self._dispatcher, ctx.agent, ctx.capability, limit, ctx.task_id, ctx.attempt)
            stood_in: list[str] = []
            token = stand_ins.set(stood_in)
            try:
                with Scope(self._deadlines, limit):
                    result = self._check(await self._invoke(own, bound))
            except Expired:
                what = f"did not end within its timeout of {self.timeout_s:.3g} s"
                raise DeadlineExceeded(what, where=capability.name) from None
            except SystemExit as error:  # this runs in a task of its own, which would take the process with it
                raise contained(error, capability.name) from None
            finally:
                stand_ins.reset(token)
            kept = own.keep and not stood_in
            return result

        version = f"{self._dispatcher.world}|{ctx.now().date()}|{await capability.cache_version(ctx)}"
        key = capability.cache_key(bound, version)
        result = await results.get_or_compute(key, compute, tags=capability.cache_tags(bound))
        if not kept:
            await results.invalidate(key)
        elif self._used is not None:
            await self._bound(results, self._used, key)
        return result

    async def _bound(self, results: Namespace[Any], used: dict[str, None], key: str) -> None:
        """Note a use; what was used least recently leaves when there is more than the capability wants kept."""
        used.pop(key, None)
        used[key] = None
        while len(used) > (self.capability.declared.cache_entries or 0):
            oldest = next(iter(used))
            del used[oldest]
            await results.invalidate(oldest)


def _note(span: ActiveSpan | UnrecordedSpan, links: Sequence[Link]) -> None:
    if type(links) is list:
        links.append(Link(span.get_span_context()))
