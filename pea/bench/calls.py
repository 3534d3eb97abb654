"""What a call between agents costs with everything on, beside one official span around an await."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from opentelemetry.sdk.trace import TracerProvider as SdkProvider

from pea.bench.figure import Figure
from pea.bench.measure import Contender, Line, interleaved, line
from pea.bench.spans import ATTRIBUTES, RESOURCE, batch_to_nowhere
from pea.config import Settings
from pea.runtime import Agent, Context, Runtime, capability

CALL_BUDGET = 0.35
CALLS_PER_S = 120_000.0

Loop = Callable[[int], Awaitable[None]]


class Callee(Agent):
    """Two capabilities that do nothing, one of which calls the other."""

    name = "callee"

    @capability("callee.nothing", timeout="2s", retries=2)
    async def nothing(self, ctx: Context, number: int) -> int:  # noqa: ARG002
        """Return the number."""
        return number

    @capability("callee.many", timeout="1h")
    async def many(self, ctx: Context, count: int) -> None:
        """Call `nothing` that many times."""
        for number in range(count):
            await ctx.call("callee.nothing", number=number)


async def _nothing(number: int) -> int:
    return number


def calls() -> list[Line | Figure]:
    """An agent call (validation, deadline, retry, breaker, span, metrics) and its peers, on one event loop."""
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        runtime = Runtime(Settings(), agents=[Callee()])
        runner.run(runtime.start())
        batch = batch_to_nowhere()
        provider = SdkProvider(resource=RESOURCE, shutdown_on_exit=False)
        provider.add_span_processor(batch)
        tracer = provider.get_tracer("bench", "1")

        async def official(count: int) -> None:
            for number in range(count):
                with tracer.start_as_current_span("invoke_agent callee", attributes=ATTRIBUTES):
                    await _nothing(number)

        async def bounded(count: int) -> None:
            for number in range(count):
                async with asyncio.timeout(2):
                    await _nothing(number)

        async def bare(count: int) -> None:
            for number in range(count):
                await _nothing(number)

        async def pea(count: int) -> None:
            await runtime.call("callee.many", count=count)

        def contender(body: Loop, after: Callable[[], object] | None = None) -> Contender:
            async def whole(count: int) -> None:
                await body(count)

            return Contender(lambda count: loop.run_until_complete(whole(count)), after)

        peer = "SDK span around an await"
        samples = interleaved(
            {
                "call": contender(pea, lambda: loop.run_until_complete(runtime.telemetry.flush())),
                peer: contender(official, batch.force_flush),
                "asyncio.timeout around an await": contender(bounded),
                "bare await": contender(bare),
            },
            clock=time.process_time_ns,  # nobody waits here, and what else the machine does is not counted
        )
        runner.run(runtime.close())
        provider.shutdown()
    per_second = 1e9 / samples["call"].median
    return [
        line("agent call, everything on", samples, "call", peer, budget=CALL_BUDGET),
        line("agent call, everything on", samples, "call", "asyncio.timeout around an await"),
        line("agent call, everything on", samples, "call", "bare await"),
        Figure("agent calls on one core", per_second, "calls/s", samples["call"].count, CALLS_PER_S, at_least=True),
    ]
