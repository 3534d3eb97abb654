"""Work for a running PEA, and spans of another program's agents, until told to stop."""

from __future__ import annotations

import itertools
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import StatusCode

from tests.stack.programs import fetch

TASKS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("briefing.morning", {}),
    ("calendar.conflicts", {}),
    ("probe.slow", {}),
    ("probe.fail", {}),
    ("probe.fail", {}),
    ("probe.compute", {"size": 20_000}),
    ("desk.book", {"amounts": [3, 5, 8, 13]}),
    ("desk.post", {"amount": 21}),
    ("desk.ask", {}),
    ("desk.tell", {"news": "the doors are open"}),
)


class Load:
    """Tasks from a few callers at once, several of them for one key; stops by itself after ``limit`` rounds."""

    def __init__(self, url: str, limit: int = 2_000) -> None:
        self.url = url
        self.rounds = 0
        self.refused = 0
        self._limit = limit
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._random = random.Random(7)

    def start(self) -> Load:
        """Begin."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End after the round under way."""
        self._stop.set()
        self._thread.join(60)

    def _run(self) -> None:
        with ThreadPoolExecutor(8) as callers:
            for number in itertools.count():
                if self._stop.is_set() or number >= self._limit:
                    return
                key = self._random.randrange(40)
                herd: list[tuple[str, dict[str, Any]]] = [("probe.work", {"number": key})] * 6
                own: list[tuple[str, dict[str, Any]]] = [
                    ("desk.agreed", {"account": number}),
                    ("desk.look", {"url": f"{self.url}/healthz"}),
                ]
                list(callers.map(self._task, [*herd, *TASKS, *own]))
                if number % 10 == 5:
                    self._ask("/v1/caches/invalidate", {"pattern": "probe:*"})
                if number % 10 == 7:
                    list(callers.map(self._submit, [("probe.slow", {})] * 60))
                self.rounds += 1
                self._stop.wait(0.2)

    def _task(self, task: tuple[str, dict[str, Any]]) -> None:
        self._ask("/v1/tasks", {"capability": task[0], "input": task[1]}, Prefer="wait=10")

    def _submit(self, task: tuple[str, dict[str, Any]]) -> None:
        self._ask("/v1/tasks", {"capability": task[0], "input": task[1], "priority": "low"})

    def _ask(self, path: str, body: Any, **headers: str) -> None:
        try:
            fetch(self.url + path, body, **headers)
        except OSError:  # refused, or PEA is being started anew: both are part of the story
            self.refused += 1


def other_program(url: str, models: int = 1, rounds: int = 3) -> None:
    """Send what an agent framework sends: an agent that asks a model and uses tools, one of which fails."""
    provider = TracerProvider(resource=Resource.create({"service.name": "travel-bot"}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces")))
    tracer = provider.get_tracer("some.framework")
    for number in range(rounds):
        with tracer.start_as_current_span("invoke_agent planner") as agent:
            agent.set_attributes({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner"})
            for model in range(models):
                with tracer.start_as_current_span("chat") as chat:
                    chat.set_attributes(
                        {"gen_ai.operation.name": "chat", "gen_ai.request.model": f"model-{model}",
                         "gen_ai.usage.input_tokens": 900 + number, "gen_ai.usage.output_tokens": 120}
                    )  # fmt: skip
            with tracer.start_as_current_span("execute_tool search") as tool:
                tool.set_attributes({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"})
                tool.set_attribute("error.type", "TimeoutError")
                tool.set_status(StatusCode.ERROR, "no answer")
    provider.shutdown()
