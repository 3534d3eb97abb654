"""Programs of other frameworks, each a process of its own that OTEL_* variables point at PEA and nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from tests.integration.serving import serving

PROGRAMS = Path(__file__).parent / "programs"
NODE = Path(__file__).parent / "node"
NEEDS = {
    "raw_sdk": (),
    "pydantic_agent": ("pydantic_ai",),
    "langgraph_agent": ("langgraph", "openinference.instrumentation.langchain"),
}


class Seen(msgspec.Struct):
    """What a program says it recorded, what PEA has of its traces, and PEA's rows of its agents."""

    recorded: list[dict[str, Any]]
    stored: Mapping[str, dict[str, Any]]  # by span id
    agents: Mapping[str, dict[str, Any]]

    def calls(self, agent: str) -> tuple[int, int]:
        """Calls of an agent and how many of them failed."""
        row = self.agents[agent]
        return row["calls"], row["metrics"]["reliability"]["errors"]


def _there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


async def _run(program: str, state: Path, **environ: str) -> Seen:
    missing = [name for name in NEEDS[program] if not _there(name)]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed (extra dev)")
    return await _run_command(
        [sys.executable, "-W", "ignore", str(PROGRAMS / f"{program}.py")], program, state, environ
    )


async def _run_command(command: Sequence[str], program: str, state: Path, environ: Mapping[str, str]) -> Seen:
    async with serving(state) as (_, url), aiohttp.ClientSession(url) as session:
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "PEA_", "LANG"))}
        process = await asyncio.create_subprocess_exec(
            *command,
            env=plain
            | {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_SERVICE_NAME": program, "LANGSMITH_TRACING": "false"},
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(120):
            said, _ = await process.communicate()
        assert process.returncode == 0
        recorded = json.loads(said)
        stored: dict[str, dict[str, Any]] = {}
        async with asyncio.timeout(30):
            for trace_id in {span["trace_id"] for span in recorded}:
                while True:  # confirmed is not yet written: asked again until all of it is there
                    async with session.get(f"/v1/traces/{trace_id}") as answer:
                        found = await answer.json() if answer.status == 200 else {"spans": 0}
                    if found["spans"] == sum(span["trace_id"] == trace_id for span in recorded):
                        break
                async with session.get(f"/v1/traces/{trace_id}/otlp") as answer:
                    body = await answer.json()
                for resource in body["resourceSpans"]:
                    for scope in resource["scopeSpans"]:
                        stored |= {span["spanId"]: span for span in scope["spans"]}
        async with session.get("/v1/dashboard") as answer:
            rows = (await answer.json())["agents"]
    return Seen(recorded, stored, {row["name"]: row for row in rows if row["state"] is None})


def _durations_agree(seen: Seen) -> None:
    """Every span is there to the nanosecond, under its parent, failed when it failed."""
    assert {span["span_id"] for span in seen.recorded} == set(seen.stored)
    for span in seen.recorded:
        here = seen.stored[span["span_id"]]
        assert int(here["endTimeUnixNano"]) - int(here["startTimeUnixNano"]) == span["nanoseconds"]
        assert here.get("parentSpanId", "") == span["parent_id"]
        assert (here["status"].get("code") == 2) is (span["status"] == "error")


async def test_a_program_of_its_own_with_the_sdk(tmp_path: Path) -> None:
    """Agents, calls, errors by type, durations and tokens are those the program recorded."""
    seen = await _run("raw_sdk", tmp_path)
    _durations_agree(seen)
    assert set(seen.agents) == {"courier", "clerk"}
    assert (seen.calls("courier"), seen.calls("clerk")) == ((4, 1), (1, 0))
    courier = seen.agents["courier"]
    assert courier["metrics"]["reliability"]["errors_by_type"] == {"AddressUnknown": 1}
    assert courier["tokens"] == {"model_calls": 4, "input": 160, "output": 8}
    longest = max(span["nanoseconds"] for span in seen.recorded if span["name"] == "invoke_agent courier")
    assert courier["metrics"]["response"]["max_ms"] == pytest.approx(longest / 1e6, abs=0.001)


async def test_pydantic_ai(tmp_path: Path) -> None:
    """Its agents by name; tokens are the model calls' own, not added up again from the agent's sum of them."""
    seen = await _run("pydantic_agent", tmp_path)
    _durations_agree(seen)
    assert (seen.calls("drafter"), seen.calls("critic")) == ((1, 0), (1, 1))
    chats = [span["attributes"] for span in seen.recorded if span["attributes"]["gen_ai.operation.name"] == "chat"]
    answered = [chat for chat in chats if "gen_ai.usage.input_tokens" in chat]
    tokens = seen.agents["drafter"]["tokens"]
    assert tokens["input"] == sum(int(chat["gen_ai.usage.input_tokens"]) for chat in answered) > 0
    assert tokens["output"] == sum(int(chat["gen_ai.usage.output_tokens"]) for chat in answered) > 0
    (error,) = seen.agents["critic"]["metrics"]["reliability"]["errors_by_type"]
    assert error.endswith("UnexpectedModelBehavior")


# LangSmith's client sends what it records to OpenTelemetry, and nowhere else.
LANGSMITH = {"LANGSMITH_TRACING": "true", "LANGSMITH_OTEL_ENABLED": "true", "LANGSMITH_OTEL_ONLY": "true"} | {
    "LANGSMITH_API_KEY": "none",
    "LANGSMITH_ENDPOINT": "http://127.0.0.1:1",
}


@pytest.mark.parametrize("bridge", [{}, LANGSMITH], ids=["openinference", "langsmith"])
async def test_langgraph(tmp_path: Path, bridge: dict[str, str]) -> None:
    """The graphs that are nodes are the agents, each run one call, though two spans tell of it; so is the whole."""
    seen = await _run("langgraph_agent", tmp_path, **bridge)
    _durations_agree(seen)
    assert set(seen.agents) == {"desk", "planner", "doubter"}
    assert (seen.calls("planner"), seen.calls("doubter"), seen.calls("desk")) == ((1, 0), (1, 1), (1, 1))
    assert seen.agents["planner"]["tokens"] == {"model_calls": 2, "input": 31, "output": 8}
    assert seen.agents["doubter"]["tokens"] == {"model_calls": 1, "input": 7, "output": 2}
    assert list(seen.agents["doubter"]["metrics"]["reliability"]["errors_by_type"]) == ["ValueError"]
    runs = [span["nanoseconds"] for span in seen.recorded if span["name"] == "planner"]
    longest = seen.agents["planner"]["metrics"]["response"]["max_ms"]
    assert min(runs) / 1e6 - 0.001 <= longest <= max(runs) / 1e6 + 0.001


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
async def test_another_language(tmp_path: Path, protocol: str) -> None:
    """A Node.js program with OpenTelemetry's own SDK: agents, errors, tokens and durations, in both encodings."""
    if shutil.which("node") is None or not (NODE / "node_modules").exists():
        pytest.skip("its packages are missing: npm install --no-package-lock --prefix tests/integration/node")
    command = ["node", str(NODE / "agent.js")]
    seen = await _run_command(command, "node", tmp_path, {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol})
    _durations_agree(seen)
    assert set(seen.agents) == {"courier"}
    assert seen.calls("courier") == (2, 1)
    assert seen.agents["courier"]["metrics"]["reliability"]["errors_by_type"] == {"TypeError": 1}
    assert seen.agents["courier"]["tokens"] == {"model_calls": 1, "input": 7, "output": 3}
