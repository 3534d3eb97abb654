"""Calls between agents under policies: what each policy does to a real call, and what its trace says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec
import pytest

from pea import Agent, Context, Runtime, Settings, capability
from pea.config.policies import Policy
from pea.errors import CircuitOpen, ConfigError, DeadlineExceeded, InputError, Overloaded, Rejected
from pea.runtime.policy import BreakerState, effective
from pea.telemetry import names

Run = Callable[..., AbstractAsyncContextManager[Runtime]]


class Desk(Agent):
    """Answers, fails or waits as a test asks."""

    name = "desk"

    def __init__(self) -> None:
        self.calls = 0
        self.failing = False
        self.gates: list[asyncio.Event] = []
        self.both = asyncio.Event()  # the last of the gates has been reached
        self.cancelled = 0

    @capability("desk.ask", idempotent=True, retries=0)
    async def ask(self, ctx: Context, number: int = 0) -> int:
        """Return the number, or fail."""
        self.calls += 1
        if self.failing:
            raise ConnectionError("nobody is there")
        return number

    @capability("desk.again", retries=2)
    async def again(self, ctx: Context) -> int:
        """Fail, and be tried again."""
        self.calls += 1
        if self.failing:
            raise ConnectionError("nobody is there")
        return self.calls

    @capability("desk.gated", idempotent=True, retries=0)
    async def gated(self, ctx: Context) -> int:
        """Wait until the gate of this call opens."""
        number = self.calls
        self.calls += 1
        if self.calls == len(self.gates):
            self.both.set()
        if number < len(self.gates):
            try:
                await self.gates[number].wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        return number

    @capability("desk.refused", idempotent=True)
    async def refused(self, ctx: Context) -> int:
        """What a person did not approve."""
        self.calls += 1
        raise Rejected("not today")

    @capability("desk.once")
    async def once(self, ctx: Context) -> int:
        """Not idempotent."""
        self.calls += 1
        raise ConnectionError("nobody is there")

    @capability("desk.other")
    async def other(self, ctx: Context, number: int = 0) -> int:
        """What stands in."""
        return -number

    @capability("desk.relay")
    async def relay(self, ctx: Context, number: int = 1) -> int:
        """Ask through another agent's call."""
        return int(await ctx.call("desk.ask", number=number))

    @capability("desk.kept", cache="1h")
    async def kept(self, ctx: Context, number: int = 1) -> int:
        """The same, kept in the cache."""
        return int(await ctx.call("desk.ask", number=number))


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def run(settings: Settings, desk: Desk) -> Run:
    """Start a runtime with the desk under these policies."""

    @asynccontextmanager
    async def start(policies: dict[str, Any], **changes: Any) -> AsyncIterator[Runtime]:
        parsed = msgspec.convert(policies, dict[str, Policy], dec_hook=lambda kind, value: kind.parse(value))
        runtime = msgspec.structs.replace(settings.runtime, policies=parsed, **changes)
        async with Runtime(msgspec.structs.replace(settings, runtime=runtime), agents=[desk]) as running:
            yield running

    return start


async def spans_of(runtime: Runtime, capability_name: str, **arguments: Any) -> list[Any]:
    """The spans of a task that calls the capability."""
    task, _ = await runtime.scheduler.run(capability_name, arguments)
    await runtime.telemetry.flush()
    return list(runtime.telemetry.recent.get(task.trace_id or ""))


async def test_a_breaker_opens_refuses_and_is_seen(run: Run, desk: Desk) -> None:
    """After twenty failures the next call is refused without reaching the agent; metrics, span and view say so."""
    async with run({}) as runtime:
        desk.failing = True
        for _ in range(20):
            with pytest.raises(ConnectionError):
                await runtime.call("desk.ask")
        with pytest.raises(CircuitOpen, match=r"desk\.ask: its circuit breaker is open"):
            await runtime.call("desk.ask")
        assert desk.calls == 20
        (view,) = runtime.dispatcher.guards.views(runtime.dispatcher.clock(), "desk")
        assert (view.capability, view.state, view.refused) == ("desk.ask", BreakerState.OPEN, 1)
        body, _ = runtime.telemetry.exposition()
        assert b'pea_breaker_state{gen_ai_agent_name="desk"' in body
        spans = await spans_of(runtime, "desk.ask")
        (refused,) = [span for span in spans if span.name == "invoke_agent desk"]
        assert refused.attributes[names.ERROR_TYPE] == "circuit_open"


async def test_the_attempt_that_trips_it_carries_the_event(run: Run, desk: Desk) -> None:
    """The trace shows which call opened the breaker, and why."""
    async with run({"desk.ask": {"breaker": {"min_calls": 1}}}) as runtime:
        desk.failing = True
        spans = await spans_of(runtime, "desk.ask")
        (event,) = [e for s in spans for e in s.events if e.name == names.EVENT_BREAKER_TRANSITION]
        assert (event.attributes[names.PEA_BREAKER_TO], event.attributes[names.PEA_BREAKER_REASON]) == (
            "open",
            "tripped",
        )


async def test_wrong_input_and_hasty_callers_do_not_open_it(run: Run, desk: Desk) -> None:
    """What is the caller's fault says nothing of the callee."""
    async with run({"desk": {"breaker": {"min_calls": 1}}}) as runtime:
        desk.gates = [asyncio.Event()]
        for _ in range(5):
            with pytest.raises(InputError):
                await runtime.call("desk.ask", number="many")
        task, _ = await runtime.scheduler.run("desk.gated", {}, deadline_s=0.01)
        assert task.state == "timed_out"
        views = runtime.dispatcher.guards.views(runtime.dispatcher.clock())
        assert {view.state for view in views} == {BreakerState.CLOSED}


async def test_an_open_breaker_below_does_not_open_those_above(run: Run, desk: Desk) -> None:
    """A refusal by policy is not the relay's failure."""
    async with run({"desk": {"breaker": {"min_calls": 3}}}) as runtime:
        desk.failing = True
        for _ in range(3):
            with pytest.raises(ConnectionError):
                await runtime.call("desk.ask")
        for _ in range(10):
            with pytest.raises(CircuitOpen):
                await runtime.call("desk.relay")
        states = {view.capability: view.state for view in runtime.dispatcher.guards.views(runtime.dispatcher.clock())}
        assert states == {"desk.ask": BreakerState.OPEN, "desk.relay": BreakerState.CLOSED}


async def test_retries_stop_when_the_budget_is_spent(run: Run, desk: Desk) -> None:
    """Three retries are paid for, then each failing call is one call; the caller's span says why."""
    policy = {"retry_budget": {"ratio": 0.0, "burst": 3}, "breaker": {"on": False}}
    async with run({"desk.again": policy}) as runtime:
        desk.failing = True
        for _ in range(5):
            with pytest.raises(ConnectionError):
                await runtime.call("desk.again")
        assert desk.calls == 5 + 3
        spans = await spans_of(runtime, "desk.again")
        (task,) = [span for span in spans if span.name == "task desk.again"]
        assert names.EVENT_RETRY_REFUSED in [event.name for event in task.events]


async def test_what_is_not_idempotent_is_never_tried_twice(run: Run, desk: Desk) -> None:
    """Whatever the agent's policy says."""
    async with run({"desk": {"retries": 5, "hedge": {}}}) as runtime:
        with pytest.raises(ConnectionError):
            await runtime.call("desk.once")
        assert desk.calls == 1


async def test_a_deadline_for_the_whole_bounds_all_attempts(run: Run, desk: Desk) -> None:
    """Retries included; the caller's own deadline is not extended by it."""
    async with run({"desk.gated": {"deadline": "10ms", "retries": 5}}) as runtime:
        desk.gates = [asyncio.Event()]
        with pytest.raises(DeadlineExceeded, match="the deadline it inherited"):
            await runtime.call("desk.gated")
        assert desk.calls == 1


async def test_a_bulkhead_bounds_what_runs_and_waits(run: Run, desk: Desk) -> None:
    """One runs, one waits, the third is refused; when the first ends the second runs."""
    async with run({"desk.gated": {"bulkhead": {"concurrent": 1, "waiting": 1, "wait": "60s"}}}) as runtime:
        desk.gates = [asyncio.Event()]
        first = asyncio.create_task(runtime.call("desk.gated"))
        second = asyncio.create_task(runtime.call("desk.gated"))
        while not desk.calls:
            await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="1 calls are running and 1 wait"):
            await runtime.call("desk.gated")
        desk.gates[0].set()
        assert await asyncio.gather(first, second) == [0, 1]


async def test_a_rate_limit_refuses_what_is_too_much(run: Run, desk: Desk) -> None:
    """Two at once, then none for an hour; a refusal is not tried again."""
    async with run({"desk.ask": {"rate": {"per_second": 0.0003, "burst": 2}, "retries": 5}}) as runtime:
        assert [await runtime.call("desk.ask", number=n) for n in (1, 2)] == [1, 2]
        with pytest.raises(Overloaded, match="rate limit"):
            await runtime.call("desk.ask")
        assert desk.calls == 2


async def test_a_late_call_is_hedged_and_the_loser_cancelled(run: Run, desk: Desk) -> None:
    """Once the route knows its latency, a call that hangs is sent again; both spans are in the trace, linked."""
    async with run({"desk.gated": {"hedge": {"at_least": "5ms", "share": 1.0}}}) as runtime:
        for _ in range(16):
            await runtime.call("desk.gated")
        desk.calls = 0
        desk.gates = [asyncio.Event()]
        spans = await spans_of(runtime, "desk.gated")
        assert (desk.calls, desk.cancelled) == (2, 1)
        slow, quick = sorted((s for s in spans if s.name == "invoke_agent desk"), key=lambda s: s.start_ns)
        assert quick.attributes[names.PEA_HEDGE] is True
        assert [link.span_id for link in quick.links] == [slow.span_id]
        assert slow.attributes[names.ERROR_TYPE] == "cancelled"


async def test_a_hedged_call_that_is_cancelled_leaves_nothing_behind(run: Run, desk: Desk) -> None:
    """Both of the pair go with their caller."""
    async with run({"desk.gated": {"hedge": {"at_least": "1ms", "share": 1.0}}}) as runtime:
        for _ in range(16):
            await runtime.call("desk.gated")
        desk.calls = 0
        desk.gates, desk.both = [asyncio.Event(), asyncio.Event()], asyncio.Event()
        call = asyncio.create_task(runtime.call("desk.gated"))
        await desk.both.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert desk.cancelled == 2


@pytest.mark.parametrize(("fallback", "answer"), [({"value": 7}, 7), ({"capability": "desk.other"}, -3)])
async def test_a_fallback_answers_and_the_callers_span_says_so(
    run: Run, desk: Desk, fallback: dict[str, Any], answer: int
) -> None:
    """A value or another capability's answer to the same question."""
    async with run({"desk.ask": {"fallback": fallback}}) as runtime:
        desk.failing = True
        assert await runtime.call("desk.ask", number=3) == answer
        spans = await spans_of(runtime, "desk.ask", number=3)
        (event,) = [e for s in spans for e in s.events if e.name == names.EVENT_FALLBACK]
        assert event.attributes[names.PEA_FALLBACK] == fallback.get("capability", "value")
        assert event.attributes[names.ERROR_TYPE] == "ConnectionError"


async def test_a_fallback_does_not_hide_wrong_input(run: Run) -> None:
    """The caller must mend the question."""
    async with run({"desk.ask": {"fallback": {"value": 7}}}) as runtime:
        with pytest.raises(InputError):
            await runtime.call("desk.ask", number="many")


async def test_what_a_person_refused_is_not_done_another_way(run: Run, desk: Desk) -> None:
    """No fallback stands in for it, nobody tries it again, and no breaker counts it."""
    async with run({"desk.refused": {"fallback": {"capability": "desk.ask"}, "retries": 2}}) as runtime:
        with pytest.raises(Rejected):
            await runtime.call("desk.refused")
        assert desk.calls == 1
        (view,) = runtime.dispatcher.breakers("desk")
        assert (view.calls, view.failure_rate) == (0, 0.0)


async def test_what_was_made_from_a_fallback_is_not_kept(run: Run, desk: Desk) -> None:
    """The cache never holds for an hour what only stood in for a moment."""
    async with run({"desk.ask": {"fallback": {"value": 7}}}) as runtime:
        desk.failing = True
        assert await runtime.call("desk.kept") == 7
        desk.failing = False
        assert await runtime.call("desk.kept") == 1


@pytest.mark.parametrize(
    ("policies", "says"),
    [
        ({"dask": {}}, "no agent or capability is called 'dask' (did you mean 'desk'?)"),
        ({"desk.once": {"retries": 1}}, "desk.once is not idempotent"),
        ({"desk.once": {"hedge": {}}}, "desk.once is not idempotent"),
        ({"desk.ask": {"fallback": {"value": "seven"}}}, "is not what desk.ask returns"),
        ({"desk.ask": {"fallback": {}}}, "a fallback is a value or a capability"),
        ({"desk.ask": {"fallback": {"capability": "desk.othr"}}}, "did you mean 'desk.other'?"),
        ({"desk.ask": {"fallback": {"capability": "desk.ask"}}}, "its fallbacks go in a circle"),
    ],
)
async def test_a_policy_that_cannot_hold_is_refused_at_the_start(run: Run, policies: dict[str, Any], says: str) -> None:
    """With its place and the nearest word, not at the first call."""
    with pytest.raises(ConfigError) as refused:
        async with run(policies):
            pass
    assert says in str(refused.value)
    assert "runtime.policies" in str(refused.value)


async def test_the_nearer_word_counts(run: Run) -> None:
    """Capability before agent before declaration before everything."""
    policies = {
        "*": {"timeout": "9s", "retry_cap": "3s"},
        "desk": {"retries": 1, "retry_base": "1s"},
        "desk.again": {"retries": 4},
    }
    async with run(policies) as runtime:
        offered, settings = runtime.directory.capabilities, runtime.settings.runtime
        again, ask = (effective(offered[name], settings) for name in ("desk.again", "desk.ask"))
        assert (again.retries, ask.retries) == (4, 1)
        assert (again.timeout_s, again.retry_base_s, again.retry_cap_s) == (9.0, 1.0, 3.0)
