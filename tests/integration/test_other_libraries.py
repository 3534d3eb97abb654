"""Libraries that nobody wrote for PEA, traced through it as the global provider."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PROGRAM = """
import asyncio, json
from pydantic_ai import Agent as Model
from pydantic_ai.models.test import TestModel
from pea import Agent, Context, Runtime, capability
from pea.config import load
from pea.telemetry import Telemetry

class Writer(Agent):
    name = "writer"

    @capability("writer.draft")
    async def draft(self, ctx: Context, topic: str) -> str:
        model = Model(TestModel(), instrument=True, name="drafter")

        @model.tool_plain
        def today() -> str:
            return "2026-05-12"

        return (await model.run(topic)).output

async def main():
    settings = load(environ={})
    telemetry = Telemetry(settings)
    assert telemetry.install_global()
    async with Runtime(settings, agents=[Writer()], telemetry=telemetry) as runtime:
        task, _ = await runtime.scheduler.run("writer.draft", {"topic": "a letter"})
        assert task.state == "succeeded", task.error
        await telemetry.flush()
        spans = telemetry.recent.get(task.trace_id)
    await telemetry.aclose()
    names = {span.span_id: span.name for span in spans}
    print(json.dumps([[span.name, names.get(span.parent_id, "")] for span in spans]))

asyncio.run(main())
"""


def test_pydantic_ai_nests_under_the_agent_that_called_it() -> None:
    """Its spans, made through the API alone, are children of PEA's agent call and parents of one another."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    tree = [tuple(pair) for pair in json.loads(done.stdout)]
    inner = next(name for name, parent in tree if parent == "invoke_agent writer")
    assert inner in {"agent run", "invoke_agent drafter"}  # pydantic-ai's word for it depends on its version
    below = [name for name, parent in tree if parent == inner]
    assert any(name.startswith("chat") for name in below)
    assert any("today" in name or "tool" in name for name in below)
