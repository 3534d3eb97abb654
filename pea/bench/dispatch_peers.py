"""One other framework, dispatching a call that does nothing: a process that is told how often, and says how long.

``python dispatch_peers.py NAME`` needs nothing of PEA, so that it runs under any Python that has the framework. It
prints ``ready VERSION``; then for each line ``plain N`` or ``traced N`` on its standard input the CPU nanoseconds that
N calls took. Traced is by each framework's own documented way, into an OpenTelemetry provider with a batch processor
whose exporter does nothing (openai-agents has traces of its own: its processor does nothing).
"""

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

Calls = Callable[[int], Awaitable[None]]
Made = tuple[Calls, Calls]  # plain, traced


def _provider() -> Any:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Null(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:  # noqa: ARG002
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Null(), max_queue_size=100_000))
    return provider


def langgraph() -> Made:
    """A graph of one node, compiled once, awaited; traced by OpenInference's instrumentation."""
    from langgraph.graph import END, START, StateGraph
    from openinference.instrumentation.langchain import LangChainInstrumentor
    from typing_extensions import TypedDict

    class State(TypedDict):
        number: int

    async def nothing(state: State) -> dict[str, int]:
        return {"number": state["number"]}

    graph = StateGraph(State)
    graph.add_node("nothing", nothing)
    graph.add_edge(START, "nothing")
    graph.add_edge("nothing", END)
    compiled = graph.compile()
    instrument, provider = LangChainInstrumentor(), _provider()

    async def plain(count: int) -> None:
        if instrument.is_instrumented_by_opentelemetry:
            instrument.uninstrument()
        for number in range(count):
            await compiled.ainvoke({"number": number})

    async def traced(count: int) -> None:
        if not instrument.is_instrumented_by_opentelemetry:
            instrument.instrument(tracer_provider=provider)
        for number in range(count):
            await compiled.ainvoke({"number": number})

    return plain, traced


def pydantic_ai() -> Made:
    """An agent whose model is a function that answers at once; traced by its own instrumentation settings."""
    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelResponse, TextPart
    from pydantic_ai.models.function import FunctionModel
    from pydantic_ai.models.instrumented import InstrumentationSettings

    async def nothing(messages: Any, info: Any) -> ModelResponse:  # noqa: ARG001
        return ModelResponse(parts=[TextPart("1")])

    settings = InstrumentationSettings(tracer_provider=_provider())
    bare = FunctionModel(nothing)
    without = Agent(bare)
    try:
        within: Any = Agent(bare, instrument=settings)
    except (TypeError, ValueError):  # version 2 has it as a capability of the agent
        from pydantic_ai.capabilities import Instrumentation

        within = Agent(bare, capabilities=[Instrumentation(settings=settings)])

    async def plain(count: int) -> None:
        for _ in range(count):
            await without.run("1")

    async def traced(count: int) -> None:
        for _ in range(count):
            await within.run("1")

    return plain, traced


def autogen_core() -> Made:
    """A message to an agent of the single-threaded runtime, its answer awaited; traced by its tracer provider."""
    from dataclasses import dataclass

    from autogen_core import AgentId, MessageContext, RoutedAgent, SingleThreadedAgentRuntime, message_handler
    from opentelemetry.trace import NoOpTracerProvider

    @dataclass
    class Number:
        value: int

    class Nothing(RoutedAgent):
        @message_handler
        async def on_number(self, message: Number, ctx: MessageContext) -> Number:  # noqa: ARG002
            return message

    async def start(provider: Any) -> Any:
        runtime = SingleThreadedAgentRuntime(tracer_provider=provider)
        await Nothing.register(runtime, "nothing", lambda: Nothing("nothing"))
        runtime.start()
        return runtime

    def sends(provider: Any) -> Calls:
        started: list[Any] = []

        async def send(count: int) -> None:
            if not started:
                started.append(await start(provider))
            receiver = AgentId("nothing", "default")
            for number in range(count):
                await started[0].send_message(Number(number), receiver)

        return send

    return sends(NoOpTracerProvider()), sends(_provider())


def openai_agents() -> Made:
    """A run of an agent whose model answers at once; traced by its own tracing with a processor that does nothing."""
    from agents import Agent, ModelResponse, RunConfig, Runner, Usage, set_trace_processors
    from agents.models.interface import Model
    from agents.tracing import TracingProcessor
    from openai.types.responses import ResponseOutputMessage, ResponseOutputText

    class Nothing(Model):
        async def get_response(self, *args: Any, **rest: Any) -> ModelResponse:  # noqa: ARG002
            text = ResponseOutputText(text="1", type="output_text", annotations=[], logprobs=[])
            said = ResponseOutputMessage(id="1", content=[text], role="assistant", status="completed", type="message")
            return ModelResponse(output=[said], usage=Usage(), response_id=None)

        def stream_response(self, *args: Any, **rest: Any) -> Any:
            raise NotImplementedError  # abstract in the framework's Model; Runner.run never streams

    class Null(TracingProcessor):
        def on_trace_start(self, trace: Any) -> None: ...
        def on_trace_end(self, trace: Any) -> None: ...
        def on_span_start(self, span: Any) -> None: ...
        def on_span_end(self, span: Any) -> None: ...
        def shutdown(self) -> None: ...
        def force_flush(self) -> None: ...

    set_trace_processors([Null()])
    agent = Agent(name="nothing", model=Nothing())

    async def run(count: int, *, off: bool) -> None:
        config = RunConfig(tracing_disabled=off)
        for _ in range(count):
            await Runner.run(agent, "1", run_config=config)

    return lambda count: run(count, off=True), lambda count: run(count, off=False)


PEERS: dict[str, tuple[str, Callable[[], Made]]] = {
    "langgraph": ("langgraph", langgraph),
    "pydantic-ai": ("pydantic-ai-slim", pydantic_ai),
    "autogen-core": ("autogen-core", autogen_core),
    "openai-agents": ("openai-agents", openai_agents),
}


async def _serve(name: str) -> None:
    package, make = PEERS[name]
    plain, traced = make()
    ways = {"plain": plain, "traced": traced}
    for way in ways.values():
        await way(3)
    loop = asyncio.get_running_loop()
    print(f"ready {version(package)}", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        way, _, count = line.partition(" ")
        began = time.process_time_ns()
        await ways[way](int(count))
        print(time.process_time_ns() - began, flush=True)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)  # here, not above: who imports this module keeps its log
    asyncio.run(_serve(sys.argv[1]))
